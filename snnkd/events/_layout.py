"""What the three ways of binning share: the place of each pixel on the images, and the filling of the bins."""

import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snnkd.errors import SnnkdWarning
from snnkd.events._arguments import check_all_whole, check_sensor, check_size
from snnkd.events._threads import run, threads
from snnkd.events.array import Events, as_events, check_inside, order_by_time

Crop = tuple[int, int, int, int]
"""``(x0, y0, w, h)`` on the sensor: left column, top row, width, height."""

Values = Literal["counts", "binary"]

Bins = NDArray[Any]
"""(bins, channels, H, W) of one of :data:`DTYPES`."""

KINDS = {"counts": "uint16", "binary": "uint8"}
"""Values, and the type that they have where none is asked for."""

DTYPES = {"uint8": 2**8 - 1, "uint16": 2**16 - 1, "int16": 2**15 - 1, "int32": 2**31 - 1, "float32": 2**24}
"""Types of the values, and the largest count of each: of float32 the last whole number that one more still changes."""

MIN_PARALLEL = 1 << 18
"""Events and values / 8 (what clearing them costs) below which a second thread is not worth its waking."""

FAR, FAR_US = 100, 1_000_000
"""How far the next event may be away from all bins before a wrong argument is suspected: as many times their length
together, and a second."""


class Layout:
    """Where on the images each pixel of the sensor lies, and what the images are made of."""

    def __init__(
        self,
        sensor_size: tuple[int, int],
        size: int | tuple[int, int] | None,
        crop: Crop | None,
        values: str,
        channels: int,
        dtype: DTypeLike | None,
    ) -> None:
        if values not in KINDS:
            raise ValueError(f"values must be one of {', '.join(KINDS)}, got {values!r}")
        if channels not in (1, 2):
            raise ValueError(f"channels must be 1 or 2, got {channels!r}")
        self.sensor = sensor = check_sensor(sensor_size)
        box = (0, 0, *sensor) if crop is None else check_all_whole(crop, "crop", "(x0, y0, w, h)")
        left, top, width, height = box if len(box) == 4 else (-1,) * 4
        if left < 0 or top < 0 or width < 1 or height < 1 or left + width > sensor[0] or top + height > sensor[1]:
            raise ValueError(f"crop {box} must be (x0, y0, w, h) inside the sensor {sensor} (W, H)")
        columns, rows = check_size(size) if size is not None else (width, height)
        self.dtype = _check_dtype(KINDS[values] if dtype is None else dtype)
        self.counts = values == "counts"
        self.saturation = DTYPES[self.dtype.name] if self.counts else 1
        self.shape = (int(channels), rows, columns)
        # Tables instead of divisions for each event.
        self.columns = np.full(sensor[0], -1, np.int64)
        self.columns[left : left + width] = np.arange(width) * columns // width
        self.rows = np.full(sensor[1], -1, np.int64)
        self.rows[top : top + height] = np.arange(height) * rows // height * columns

    def bin_by_time(self, given: Any, bins: int, edges: Callable[[Events], NDArray[np.int64]]) -> Bins:
        """Bins between ``edges``, which are made of the events in order."""
        from snnkd.events._binning_kernel import split_by_time

        events = as_events(given)
        ends = edges(events)
        splits = split_by_time(events, ends)
        out = self.fill(events, splits, by_time=True)
        if out is None:
            events = order_by_time(events)
            ends = edges(events)
            splits = split_by_time(events, ends)
            out = self.fill(events, splits, by_time=True)
            assert out is not None
        if len(events) and splits[0] == splits[-1]:
            _tell_of_distance(int(events["t"][0]), int(events["t"][-1]), int(ends[0]), int(ends[-1]))
        self._tell_of_stops(splits, out)
        return out

    def bin_by_count(self, events: Events, per_bin: int) -> Bins:
        """Bins of ``per_bin`` events each."""
        bins = -(-len(events) // per_bin)
        splits = np.minimum(per_bin * np.arange(bins + 1, dtype=np.int64), len(events))
        out = self.fill(events, splits, by_time=False)
        assert out is not None
        self._tell_of_stops(splits, out)
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

    def _tell_of_stops(self, splits: NDArray[np.int64], out: Bins) -> None:
        if not self.counts:
            return
        # Only a bin with that many events can hold a pixel with as many.
        full = [int(b) for b in np.flatnonzero(np.diff(splits) > self.saturation) if out[b].max() >= self.saturation]
        if full:
            text = f"a pixel of bin {full[0]} has {self.saturation} events or more, where {self.dtype} stops counting"
            more = f" ({len(full)} such bins)" if len(full) > 1 else ""
            remedy = "; drop hot pixels, or give shorter bins or another dtype"
            warnings.warn(text + more + remedy, SnnkdWarning, stacklevel=4)


def _check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.name not in DTYPES or not found.isnative:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)} of NumPy, got {dtype!r}")
    return found


def _tell_of_distance(first: int, last: int, begin: int, end: int) -> None:
    if max(first - end, begin - last) > max(FAR * (end - begin), FAR_US):
        text = (
            f"no event is in the bins from {begin} to {end} µs, nor near them: the events are from {first} to {last} µs"
        )
        warnings.warn(text, SnnkdWarning, stacklevel=4)
