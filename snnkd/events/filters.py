"""Hot pixels: those that fire by themselves, and so fast that they drown the rest.

A pixel is hot when it fired at least ``factor`` times as often as both its surroundings and a usual pixel:

    count ≥ factor · max(r-th largest count of the m others in its 5×5 neighbourhood, median of all pixels that fired)

with ``r = ⌈m/8⌉``: the third of 24, and fewer at the sensor's border, beyond which there are no others. A defect is
alone. What belongs to the scene has company: a pixel of an edge, even of one a single pixel wide, has two others to
each side within its neighbourhood, and one of a 2×2 glint has three. So groups of up to three pixels in one
neighbourhood that outshine all around them are hot, and larger ones are left alone. The cost: the last pixel of a line
of single pixels that ends in the open, and a glint of less than four pixels, look like hot ones, and so may go.

On a near-eye recording of a DAVIS346 the busiest good pixel reached 3.7 times that maximum, the mildest hot one 63
times.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events._arguments import check_sensor
from snnkd.events.array import Events, as_events, check_inside

RADIUS = 2
"""Of the neighbourhood: 5×5."""


def pixel_counts(events: Events, sensor_size: tuple[int, int]) -> NDArray[np.int64]:
    """Events of each pixel, (H, W), for a sensor ``(W, H)``; ``ValueError`` for an event outside of it."""
    events = as_events(events)
    width, height = check_sensor(sensor_size)
    check_inside(events, (width, height))
    x, y = events["x"].astype(np.int64), events["y"].astype(np.int64)
    return np.bincount(y * width + x, minlength=width * height).reshape(height, width)


def hot_pixels(events: Events, sensor_size: tuple[int, int], *, factor: float = 10.0) -> NDArray[np.bool_]:
    """Mask (H, W) of the hot pixels of a recording, True where hot; the rule is in this module's docstring.

    ``sensor_size`` is (W, H). ``factor``, more than 1, is how many times as often a hot pixel fires. Give it
    a second or more of events: in a short stretch the counts are too small to tell. Without events none is
    hot.
    Raises ``ValueError`` for an event outside the sensor or a factor out of range.
    """
    return hot_in_counts(pixel_counts(events, sensor_size), factor=factor)


def hot_in_counts(counts: NDArray[np.int64], *, factor: float = 10.0) -> NDArray[np.bool_]:
    """:func:`hot_pixels` of counts (H, W) that were summed up over a recording chunk by chunk."""
    check_factor(factor)
    if not counts.any():
        return np.zeros(counts.shape, np.bool_)
    usual = np.median(counts[counts > 0])
    # The neighbourhood matters only for the pixels that pass against the usual one: a handful.
    rows, columns = np.nonzero(counts >= factor * usual)
    side = 2 * RADIUS + 1
    padded = np.pad(counts, RADIUS, constant_values=-1)  # no pixel counts less than none
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[rows, columns].reshape(-1, side * side)
    others = np.sort(np.delete(around, side * side // 2, axis=1), axis=1)[:, ::-1]
    rank = -(-(others >= 0).sum(1) // 8)
    # A sensor of a single pixel has no others: the -1 of what is not there never raises the bound.
    bound = others[np.arange(len(rows)), np.maximum(rank - 1, 0)]
    hot = counts[rows, columns] >= factor * bound
    mask = np.zeros(counts.shape, np.bool_)
    mask[rows[hot], columns[hot]] = True
    return mask


def check_factor(factor: Any) -> None:
    """Raise ``ValueError`` for a factor that :func:`hot_pixels` does not take."""
    if not isinstance(factor, int | float | np.number) or not (math.isfinite(factor) and factor > 1):
        raise ValueError(f"factor must be a finite number above 1, got {factor!r}")


def drop_pixels(events: Events, mask: NDArray[np.bool_]) -> Events:
    """Events of the pixels where ``mask`` (H, W) is False, in the same order.

    Raises ``ValueError`` when the mask is not a boolean image or an event lies outside of it.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"mask must be a boolean image (H, W), got {mask.dtype} {mask.shape}")
    events = as_events(events)
    check_inside(events, (mask.shape[1], mask.shape[0]))
    return events[~mask[events["y"], events["x"]]]
