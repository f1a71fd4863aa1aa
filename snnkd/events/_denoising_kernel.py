"""The compiled loops of the filters that look at what fired before."""

from typing import Any

import numpy as np

from snnkd.events._compile import njit

NEVER = np.int64(-(2**63))
"""Time of the last event of a pixel that has not fired."""


@njit(cache=True, nogil=True)
def _within(t: Any, before: Any, most: Any) -> Any:
    # Unsigned, as the difference of two int64 may not fit into one; time is in order, so it is never negative.
    return before != NEVER and np.uint64(t) - np.uint64(before) <= most


@njit(cache=True, nogil=True)
def keep_rested(events: Any, width: int, height: int, refractory_us: Any, kept: Any) -> int:
    """Copy to ``kept`` the events whose pixel was not kept for ``refractory_us``; return their number.

    Returns ``-1 - i`` for an event ``i`` outside the sensor or earlier than the one before it.
    """
    last = np.full(width * height, NEVER, np.int64)
    previous = NEVER
    count = 0
    for i in range(events.shape[0]):
        x, y, t = np.int64(events[i]["x"]), np.int64(events[i]["y"]), events[i]["t"]
        if x < 0 or y < 0 or x >= width or y >= height or t < previous:
            return -1 - i
        previous = t
        pixel = y * width + x
        if last[pixel] == NEVER or np.uint64(t) - np.uint64(last[pixel]) >= refractory_us:
            last[pixel] = t
            kept[count] = events[i]
            count += 1
    return count


@njit(cache=True, nogil=True)
def keep_supported(events: Any, width: int, height: int, window_us: Any, supporters: int, kept: Any) -> int:
    """Copy to ``kept`` the events with ``supporters`` neighbours that fired within ``window_us``; return their number.

    Returns ``-1 - i`` for an event ``i`` outside the sensor or earlier than the one before it.
    """
    # A border of pixels that never fire saves asking whether a neighbour exists.
    stride = width + 2
    last = np.full(stride * (height + 2), NEVER, np.int64)
    previous = NEVER
    count = 0
    for i in range(events.shape[0]):
        x, y, t = np.int64(events[i]["x"]), np.int64(events[i]["y"]), events[i]["t"]
        if x < 0 or y < 0 or x >= width or y >= height or t < previous:
            return -1 - i
        previous = t
        pixel = (y + 1) * stride + x + 1
        found = 0
        for row in (pixel - stride, pixel, pixel + stride):
            found += _within(t, last[row - 1], window_us)
            found += _within(t, last[row + 1], window_us)
        found += _within(t, last[pixel - stride], window_us)
        found += _within(t, last[pixel + stride], window_us)
        last[pixel] = t
        if found >= supporters:
            kept[count] = events[i]
            count += 1
    return count
