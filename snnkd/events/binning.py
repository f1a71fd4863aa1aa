"""Events to a stack of count images.

An event at ``(x, y, t)`` with polarity ``p`` adds one to

    counts[b, p, ⌊(y − y0)·H / h⌋, ⌊(x − x0)·W / w⌋]

where ``(x0, y0, w, h)`` is the crop on the sensor and ``(W, H)`` the size of the images. Its bin ``b`` is

- by windows of fixed length (:func:`bin_events`): ``⌊(t − start) / window⌋``;
- by a number of bins over a span of length ``S`` (:func:`bin_by_span`): ``min(⌊(t − first)·n / S⌋, n − 1)``, so a bin
  holds its begin and not its end, but for the last one, which holds both;
- by a number of events ``k`` (:func:`bin_by_count`): ``⌊i / k⌋`` for the event at index ``i``; the last bin has what
  is left.

Every event inside crop and time is in exactly one bin. All of it is integer arithmetic, so a result does not depend on
the machine or on the number of threads. Counts stay counts: a smaller image sums its pixels.

Values are ``counts``, uint16 where 65535 means that many or more, or ``binary``, uint8 where 1 means one or more.
Two channels are OFF and ON; one channel is both together.
"""

import operator
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnkd.events._threads import run, threads
from snnkd.events.array import Events, check_events, check_inside, check_size, order_by_time

Crop = tuple[int, int, int, int]
"""``(x0, y0, w, h)`` on the sensor: left column, top row, width, height."""

Values = Literal["counts", "binary"]

Bins = NDArray[np.uint16] | NDArray[np.uint8]

KINDS: dict[str, tuple[type, int]] = {"counts": (np.uint16, int(np.iinfo(np.uint16).max)), "binary": (np.uint8, 1)}
"""Type of a value and where it saturates."""

MIN_PARALLEL = 1 << 18
"""Events and values / 8 (what clearing them costs) below which a second thread is not worth its waking."""

_INT64 = np.iinfo(np.int64)


def centre_square(sensor_size: tuple[int, int]) -> Crop:
    """The largest centred square of a sensor ``(W, H)`` as ``(x0, y0, w, h)``, odd rests right and below."""
    width, height = check_size(sensor_size, "sensor_size")
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
    values: Values = "counts",
    channels: int = 2,
) -> Bins:
    """Count events by window, polarity and pixel; the equation is in this module's docstring.

    Args:
        events: (N,) with ``EVENT_DTYPE``, in any order; quickest in the order of time.
        sensor_size: (W, H) of the sensor.
        start_us: time at which bin 0 begins. A bin holds its begin and not its end.
        window_us: length of a bin, at least 1.
        n_bins: number of bins; events outside ``[start_us, start_us + n_bins · window_us)`` are not counted.
        size: (W, H) of the images; that of the crop when left out.
        crop: (x0, y0, w, h) on the sensor, outside of which nothing is counted; all of it when left out.
        values: ``counts`` (uint16) or ``binary`` (uint8).
        channels: 2 for OFF and ON, 1 for both together.

    Returns (n_bins, channels, H, W).
    Raises ``ValueError`` for an event outside the sensor, a crop that is not inside it, or a size below 1.
    """
    place = _Place(events, sensor_size, size, crop, values, channels)
    start, window, bins = (operator.index(value) for value in (start_us, window_us, n_bins))
    if window < 1 or bins < 1:
        raise ValueError(f"window_us and n_bins must be at least 1, got {window} and {bins}")
    if start < _INT64.min or start + bins * window > _INT64.max:
        raise ValueError(f"the bins from {start} to {start + bins * window} µs go beyond 64 bits")
    edges = start + window * np.arange(bins + 1, dtype=np.int64)
    return place.bin_by_time(events, bins, lambda _: edges)


def bin_by_span(
    events: Events,
    sensor_size: tuple[int, int],
    n_bins: int,
    *,
    span_us: tuple[int, int] | None = None,
    size: tuple[int, int] | None = None,
    crop: Crop | None = None,
    values: Values = "counts",
    channels: int = 2,
) -> Bins:
    """Divide a span of time into ``n_bins`` equal bins; the equation is in this module's docstring.

    Args:
        events: (N,) with ``EVENT_DTYPE``, in any order; quickest in the order of time.
        sensor_size: (W, H) of the sensor.
        n_bins: number of bins. Bin ``b`` begins at the first µs at or after ``first + b · (last − first) / n_bins``.
        span_us: ``(first, last)``, both included; outside of it nothing is counted. When left out, the times of the
            first and the last event, so that every event is in a bin. If the two are equal, all are in the last bin.
        size, crop, values, channels: as for :func:`bin_events`.

    Returns (n_bins, channels, H, W), zeros where there are no events.
    Raises ``ValueError`` as :func:`bin_events` does, and for a span that ends before it begins.
    """
    place = _Place(events, sensor_size, size, crop, values, channels)
    bins = operator.index(n_bins)
    if bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {bins}")
    given = None if span_us is None else (operator.index(span_us[0]), operator.index(span_us[1]))

    def edges(ordered: Events) -> NDArray[np.int64]:
        ends = (int(ordered["t"][0]), int(ordered["t"][-1])) if len(ordered) else (0, 0)
        first, last = given or ends
        if first > last or first < _INT64.min or last >= _INT64.max or last - first > _INT64.max:
            # Of events in disorder, which are ordered after this, any edges will do.
            if given is None and first > last:
                return np.zeros(bins + 1, np.int64)
            raise ValueError(f"span_us must be (first, last) with first at or before last, got {(first, last)}")
        # ⌈b·S / n⌉ without a product that could leave 64 bits.
        whole, rest = divmod(last - first, bins)
        b = np.arange(bins + 1, dtype=np.int64)
        result = first + b * whole - (-b * rest) // bins
        result[-1] = last + 1
        return result

    return place.bin_by_time(events, bins, edges)


def bin_by_count(
    events: Events,
    sensor_size: tuple[int, int],
    events_per_bin: int,
    *,
    size: tuple[int, int] | None = None,
    crop: Crop | None = None,
    values: Values = "counts",
    channels: int = 2,
) -> Bins:
    """Give each bin the next ``events_per_bin`` events in the array's order, and the last one what is left.

    Events outside the crop count towards a bin's number and are not in its image.

    Returns (⌈N / events_per_bin⌉, channels, H, W): no bins where there are no events.
    Raises ``ValueError`` as :func:`bin_events` does.
    """
    place = _Place(events, sensor_size, size, crop, values, channels)
    per_bin = operator.index(events_per_bin)
    if per_bin < 1:
        raise ValueError(f"events_per_bin must be at least 1, got {per_bin}")
    bins = -(-len(events) // per_bin)
    splits = np.minimum(per_bin * np.arange(bins + 1, dtype=np.int64), len(events))
    filled = place.fill(events, splits, by_time=False)
    assert filled is not None
    return filled


class _Place:
    """Where on the images each pixel of the sensor lies, and what the images are made of."""

    def __init__(
        self,
        events: Events,
        sensor_size: tuple[int, int],
        size: tuple[int, int] | None,
        crop: Crop | None,
        values: str,
        channels: int,
    ) -> None:
        check_events(events)
        if values not in KINDS:
            raise ValueError(f"values must be one of {', '.join(KINDS)}, got {values!r}")
        if channels not in (1, 2):
            raise ValueError(f"channels must be 1 or 2, got {channels!r}")
        self.sensor = sensor = check_size(sensor_size, "sensor_size")
        left, top, width, height = (operator.index(n) for n in crop) if crop is not None else (0, 0, *sensor)
        if left < 0 or top < 0 or width < 1 or height < 1 or left + width > sensor[0] or top + height > sensor[1]:
            raise ValueError(
                f"crop {(left, top, width, height)} (x0, y0, w, h) is not inside the sensor {sensor} (W, H)"
            )
        columns, rows = check_size(size, "size") if size is not None else (width, height)
        self.shape = (int(channels), rows, columns)
        self.dtype, self.saturation = KINDS[values]
        # Tables instead of divisions for each event.
        self.columns = np.full(sensor[0], -1, np.int64)
        self.columns[left : left + width] = np.arange(width) * columns // width
        self.rows = np.full(sensor[1], -1, np.int64)
        self.rows[top : top + height] = np.arange(height) * rows // height * columns

    def bin_by_time(self, events: Events, bins: int, edges: Callable[[Events], NDArray[np.int64]]) -> Bins:
        """Bins between ``edges``, which are made of the events in order."""
        from snnkd.events._binning_kernel import split_by_time

        out = self.fill(events, split_by_time(events, edges(events)), by_time=True)
        if out is None:
            events = order_by_time(events)
            out = self.fill(events, split_by_time(events, edges(events)), by_time=True)
            assert out is not None
        return out

    def fill(self, events: Events, splits: NDArray[np.int64], *, by_time: bool) -> Bins | None:
        """The bins between ``splits``, or None where they are ``by_time`` and the events not in its order."""
        from snnkd.events._binning_kernel import UNORDERED, fill_bins

        bins = len(splits) - 1
        out: NDArray[Any] = np.empty((bins, *self.shape), self.dtype)
        pixels = self.shape[1] * self.shape[2]
        flat = out.reshape(bins, self.shape[0] * pixels)
        stride = pixels if self.shape[0] == 2 else 0

        def task(first: int, last: int) -> int:
            return int(
                fill_bins(events, splits, first, last, self.columns, self.rows, stride, self.saturation, by_time, flat)
            )

        clearing = flat.shape[1] // 8
        count = threads() if len(events) + bins * clearing >= MIN_PARALLEL else 1
        bounds = [0, bins]
        if min(count, bins) > 1:
            # Several tasks a thread, so that one that is held up leaves work to the others.
            cost = splits + clearing * np.arange(bins + 1)
            shares = np.linspace(cost[0], cost[-1], min(bins, 4 * count) + 1)[1:-1]
            bounds = sorted({0, bins, *np.searchsorted(cost, shares).tolist()})
        results = run([partial(task, *ends) for ends in pairwise(bounds)], count)
        if max(results) >= 0:
            check_inside(events, self.sensor)
        return None if UNORDERED in results else out
