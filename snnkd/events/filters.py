"""Hot pixels: those that fire by themselves, and so fast that they drown the rest.

A pixel is hot when it fired at least ``factor`` times as often as both its neighbours and a usual pixel:

    count ≥ factor · max(median of the 24 others in its 5×5 neighbourhood, median over all pixels that fired)

An edge that sweeps over a pixel sweeps over its neighbours too, so scene activity raises both sides, while a
defect is alone. Medians leave the bound where it is when a few of the neighbours are hot themselves. On a
near-eye recording the busiest good pixel reached 5 times that maximum and the mildest hot one 60 times.
"""

import math

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events, check_events, check_inside, check_size

RADIUS = 2


def pixel_counts(events: Events, sensor_size: tuple[int, int]) -> NDArray[np.int64]:
    """Events of each pixel, (H, W), for a sensor ``(W, H)``; ``ValueError`` for an event outside of it."""
    check_events(events)
    width, height = check_size(sensor_size, "sensor_size")
    check_inside(events, (width, height))
    x, y = events["x"].astype(np.int64), events["y"].astype(np.int64)
    return np.bincount(y * width + x, minlength=width * height).reshape(height, width)


def hot_pixels(events: Events, sensor_size: tuple[int, int], *, factor: float = 10.0) -> NDArray[np.bool_]:
    """Mask (H, W) of the hot pixels of a recording, True where hot; the rule is in this module's docstring.

    ``sensor_size`` is (W, H). ``factor``, more than 1, is how many times as often a hot pixel fires. Give it
    a second or more of events: in a short stretch the medians are too small to tell. Without events none is
    hot.
    Raises ``ValueError`` for an event outside the sensor or a factor out of range.
    """
    return hot_in_counts(pixel_counts(events, sensor_size), factor=factor)


def hot_in_counts(counts: NDArray[np.int64], *, factor: float = 10.0) -> NDArray[np.bool_]:
    """:func:`hot_pixels` of counts (H, W) that were summed up over a recording chunk by chunk."""
    if not (math.isfinite(factor) and factor > 1):
        raise ValueError(f"factor must be a finite number above 1, got {factor!r}")
    if not counts.any():
        return np.zeros(counts.shape, np.bool_)
    usual = np.median(counts[counts > 0])
    # The neighbourhood matters only for the pixels that pass against the usual one: a handful.
    rows, columns = np.nonzero(counts >= factor * usual)
    side = 2 * RADIUS + 1
    padded = np.pad(counts, RADIUS, mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[rows, columns]
    others = np.delete(around.reshape(len(rows), side * side), side * side // 2, axis=1)
    hot = counts[rows, columns] >= factor * np.median(others, axis=1)
    mask = np.zeros(counts.shape, np.bool_)
    mask[rows[hot], columns[hot]] = True
    return mask


def drop_pixels(events: Events, mask: NDArray[np.bool_]) -> Events:
    """Events of the pixels where ``mask`` (H, W) is False, in the same order.

    Raises ``ValueError`` when the mask is not a boolean image or an event lies outside of it.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"mask must be a boolean image (H, W), got {mask.dtype} {mask.shape}")
    pixel_counts(events, (mask.shape[1], mask.shape[0]))
    return events[~mask[events["y"], events["x"]]]
