"""The compiled loops of the binning: each bin is cleared and filled while it lies in the cache."""

from typing import Any

import numpy as np

from snnkd.events._compile import njit

FINE, UNORDERED = -1, -2
"""What :func:`fill_bins` returns besides the index of an event outside the sensor."""


@njit(cache=True, nogil=True)
def split_by_time(events: Any, edges: Any) -> Any:
    """Index of the first event at or after each edge, of events in the order of time; never decreasing for any."""
    splits = np.empty(edges.shape[0], np.int64)
    low = 0
    for k in range(edges.shape[0]):
        high = events.shape[0]
        while low < high:
            middle = (low + high) // 2
            if events[middle]["t"] < edges[k]:
                low = middle + 1
            else:
                high = middle
        splits[k] = low
    return splits


@njit(cache=True, nogil=True)
def _fits(events: Any, i: int, sensor_width: int, sensor_height: int) -> Any:
    # One comparison an axis: a negative int16 becomes a large uint16.
    return np.uint16(events[i]["x"]) < sensor_width and np.uint16(events[i]["y"]) < sensor_height


@njit(cache=True, nogil=True)
def _check(events: Any, begin: int, end: int, sensor_width: int, sensor_height: int, by_time: bool) -> int:
    """Hold events that are in no bin to what :func:`fill_bins` holds its own to."""
    previous = events[begin - 1]["t"] if begin > 0 else np.int64(-(2**63))
    for i in range(begin, end):
        if not _fits(events, i, sensor_width, sensor_height):
            return i
        t = events[i]["t"]
        if by_time and t < previous:
            return UNORDERED
        previous = t
    return FINE


@njit(cache=True, nogil=True)
def fill_bins(
    events: Any,
    splits: Any,
    first: int,
    last: int,
    columns: Any,
    rows: Any,
    polarity_stride: int,
    saturation: int,
    by_time: bool,
    out: Any,
) -> int:
    """Count events ``splits[b] ... splits[b + 1]`` into ``out[b]``, (bins, values), for each bin of ``first ... last``.

    ``columns`` and ``rows`` give the offset in a bin of each column and row of the sensor, negative outside the crop.
    What comes before the first bin and after the last one is checked by who has that bin. With ``by_time``,
    ``splits`` are right only if the events are in order: each is held against the one before it.
    """
    # What int16 can reach of a larger sensor, so that no negative coordinate passes for a large one.
    sensor_width, sensor_height = min(columns.shape[0], 1 << 15), min(rows.shape[0], 1 << 15)
    bins = splits.shape[0] - 1
    if first == 0:
        found = _check(events, 0, splits[0], sensor_width, sensor_height, by_time)
        if found != FINE:
            return found
    begin = splits[first]
    previous = events[begin - 1]["t"] if begin > 0 else np.int64(-(2**63))
    for b in range(first, last):
        image = out[b]
        image[:] = 0
        for i in range(splits[b], splits[b + 1]):
            if not _fits(events, i, sensor_width, sensor_height):
                return i
            t = events[i]["t"]
            if by_time and t < previous:
                return UNORDERED
            previous = t
            column, row = columns[events[i]["x"]], rows[events[i]["y"]]
            if column >= 0 and row >= 0:
                place = row + column + (polarity_stride if events[i]["p"] else 0)
                count = image[place]
                image[place] = count + (count < saturation)
    if last == bins:
        return _check(events, splits[bins], events.shape[0], sensor_width, sensor_height, by_time)
    return FINE
