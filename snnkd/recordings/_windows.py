"""Cutting a stream of event chunks into windows of equal length, whatever the chunks' ends."""

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events, empty_events

MOST_SILENCE = 10_000_000
"""Windows that may pass between two events; a jump over more is a damaged clock, and would hardly ever end."""

Jumped = Callable[[int, int, int, int], Exception]
"""The error of an event: its index, its time, the time before it, the length of a window."""

Missed = Callable[[str], None]
"""Tells that all events lie outside, and of which bound."""


@dataclass(frozen=True, eq=False)
class Window:
    """The events of ``[start_us, end_us)`` and the window's number in its series."""

    start_us: int
    end_us: int
    events: Events
    index: int


def cut(
    chunks: Iterable[Events], window: int, start: int | None, end: int | None, jumped: Jumped, missed: Missed
) -> Iterator[Window]:
    """The windows of :meth:`Recording.windows`, of chunks in the order of time, each of at least one event.

    ``start`` is the first event's time where None; with an ``end`` the windows go up to it, in silence too. Raises
    what ``jumped`` makes where time jumps over more than :data:`MOST_SILENCE` windows, ``ValueError`` where a given
    ``start`` is that long before the first event. Calls ``missed`` at the end where all events lie outside.
    """
    index = count = 0
    first = newest = None  # times of the first event of all, and of the last that was read
    last = start  # time of the last event, or from where silence counts
    parts: list[Events] = []  # the events so far of the window that is still open
    for chunk in chunks:
        times = np.ascontiguousarray(chunk["t"])
        first, newest = int(times[0]) if first is None else first, int(times[-1])
        if start is None:
            start = first
        if last is None:
            last = start
        position = int(np.searchsorted(times, start))
        stop = len(times) if end is None else int(np.searchsorted(times, end))
        if position < stop:
            if jump := _first_jump(times[position:stop], last, window):
                i, before = jump
                if count + position + i == 0:  # only a start of the caller's is before the first event
                    raise ValueError(
                        f"start_us = {start} is more than {MOST_SILENCE} windows of {window} µs before the first "
                        f"event, at {first} µs; times count as in the recording, from its start_us on"
                    )
                raise jumped(count + position + i, int(times[position + i]), before, window)
            last = int(times[stop - 1])
        count += len(chunk)
        while position < stop and times[stop - 1] >= start + (index + 1) * window:
            edge = start + (index + 1) * window
            split = position + int(np.searchsorted(times[position:stop], edge))
            yield Window(edge - window, edge, _join([*parts, chunk[position:split]]), index)
            position, parts, index = split, [], index + 1
        if position < stop:
            parts.append(chunk[position:stop])
        if stop < len(times):
            break
    if start is not None:
        while parts or (end is not None and start + index * window < end):
            begin = start + index * window
            yield Window(begin, begin + window, _join(parts), index)
            parts, index = [], index + 1
    if first is not None and newest is not None and start is not None:
        if end is not None and end <= first:
            missed(f"they end at {end} µs, and its first event is at {first} µs")
        elif start > newest:
            missed(f"they begin at {start} µs, and its last event is at {newest} µs")


def _first_jump(times: NDArray[np.int64], last: int, window: int) -> tuple[int, int] | None:
    """Index of the first of ``times`` that is too many windows after the one before it (``last``), and that one."""
    if int(times[0]) - last > MOST_SILENCE * window:
        return 0, last
    gaps = np.diff(times.view(np.uint64))  # right where the difference of two int64 is too large for one
    wide = np.flatnonzero(gaps > MOST_SILENCE * window)
    return (int(wide[0]) + 1, int(times[wide[0]])) if len(wide) else None


def _join(parts: list[Events]) -> Events:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else empty_events()


def whole_us(name: str, value: int) -> int:
    """A time of the caller's, in whole µs."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is whole µs, got {value!r} (50 ms is 50000)") from None
