"""Events to a stack of count images.

An event at ``(x, y, t)`` with polarity ``p`` adds one to

    counts[⌊(t − start) / window⌋, p, ⌊(y − y0)·H / h⌋, ⌊(x − x0)·W / w⌋]

where ``(x0, y0, w, h)`` is the crop on the sensor and ``(W, H)`` the size of the images. All of it is integer
arithmetic, so a result does not depend on the machine. Counts stay counts: a smaller image sums its pixels.
"""

import operator

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import EVENT_DTYPE, Events

Crop = tuple[int, int, int, int]
"""``(x0, y0, w, h)`` on the sensor: left column, top row, width, height."""

SATURATION = int(np.iinfo(np.uint16).max)


def centre_square(sensor_size: tuple[int, int]) -> Crop:
    """The largest centred square of a sensor ``(W, H)`` as ``(x0, y0, w, h)``, odd rests right and below."""
    width, height = _size(sensor_size, "sensor_size")
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def bin_events(
    events: Events,
    sensor_size: tuple[int, int],
    start_us: int,
    window_us: int,
    n_bins: int,
    *,
    size: tuple[int, int] | None = None,
    crop: Crop | None = None,
) -> NDArray[np.uint16]:
    """Count events by time bin, polarity and pixel; the equation is in this module's docstring.

    Args:
        events: (N,) with ``EVENT_DTYPE``, in any order.
        sensor_size: (W, H) of the sensor.
        start_us: time at which bin 0 begins. A bin holds its begin and not its end.
        window_us: length of a bin, at least 1.
        n_bins: number of bins; events outside ``[start_us, start_us + n_bins · window_us)`` are not counted.
        size: (W, H) of the images; that of the crop when left out.
        crop: (x0, y0, w, h) on the sensor, outside of which nothing is counted; all of it when left out.

    Returns uint16 (n_bins, 2, H, W), channel 0 OFF and channel 1 ON; 65535 means that many or more.
    Raises ``ValueError`` for an event outside the sensor, a crop that is not inside it, or a size below 1.
    """
    from snnkd.events._binning_kernel import count_events

    if not isinstance(events, np.ndarray) or events.dtype != EVENT_DTYPE or events.ndim != 1:
        raise ValueError("events must be a one-dimensional array with EVENT_DTYPE, see make_events")
    sensor = _size(sensor_size, "sensor_size")
    start, window, bins = (operator.index(value) for value in (start_us, window_us, n_bins))
    if window < 1 or bins < 1:
        raise ValueError(f"window_us and n_bins must be at least 1, got {window} and {bins}")
    left, top, width, height = (operator.index(n) for n in crop) if crop is not None else (0, 0, *sensor)
    if left < 0 or top < 0 or width < 1 or height < 1 or left + width > sensor[0] or top + height > sensor[1]:
        raise ValueError(f"crop {(left, top, width, height)} (x0, y0, w, h) is not inside the sensor {sensor} (W, H)")
    columns, rows = _size(size, "size") if size is not None else (width, height)
    counts = np.zeros((bins, 2, rows, columns), np.uint16)
    bad = count_events(events, sensor, (left, top, width, height), start, window, SATURATION, counts)
    if bad >= 0:
        place = (int(events["x"][bad]), int(events["y"][bad]))
        raise ValueError(f"event {bad} lies at (x, y) = {place}, outside the sensor {sensor} (W, H)")
    return counts


def _size(size: tuple[int, int], name: str) -> tuple[int, int]:
    width, height = (operator.index(n) for n in size)
    if width < 1 or height < 1:
        raise ValueError(f"{name} must be (W, H) with both at least 1, got {(width, height)}")
    return width, height
