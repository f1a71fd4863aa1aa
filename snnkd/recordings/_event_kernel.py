"""The compiled loops that every reader shares; an event's fields lie 13 bytes apart, where NumPy is slow."""

from typing import Any

from snnkd.events._compile import njit


@njit(cache=True, nogil=True)
def pack(x: Any, y: Any, t: Any, p: Any, width: int, height: int, out: Any) -> int:
    """Fill ``out`` with the events of four columns; the index of the first outside the sensor, or -1."""
    for i in range(out.shape[0]):
        if x[i] < 0 or y[i] < 0 or x[i] >= width or y[i] >= height:
            return i
        out[i]["x"] = x[i]
        out[i]["y"] = y[i]
        out[i]["t"] = t[i]
        out[i]["p"] = p[i] > 0
    return -1


@njit(cache=True, nogil=True)
def first_backward(events: Any, last: int) -> int:
    """Return the index of the first event before its predecessor (``last`` before the first), or -1."""
    for i in range(events.shape[0]):
        t = events[i]["t"]
        if t < last:
            return i
        last = t
    return -1


@njit(cache=True, nogil=True)
def first_outside(events: Any, width: int, height: int) -> int:
    """Return the index of the first event outside a sensor of ``width`` and ``height``, or -1."""
    for i in range(events.shape[0]):
        x, y = events[i]["x"], events[i]["y"]
        if x < 0 or y < 0 or x >= width or y >= height:
            return i
    return -1


@njit(cache=True, nogil=True)
def count_pixels(events: Any, counts: Any) -> None:
    """Add the events, which lie inside the sensor, to the counts of their pixels (H, W)."""
    for i in range(events.shape[0]):
        counts[events[i]["y"], events[i]["x"]] += 1
