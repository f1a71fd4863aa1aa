"""A first look at a recording: how many events each pixel sent, and when."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError
from snnkd.events.array import Events
from snnkd.inference.windowing import PixelCounts
from snnkd.recordings import Recording
from snnkd.recordings.recording import CHUNK

HELD = 8_000_000
"""Events that are kept from the first look for the second, 104 MB; a recording with more is read twice"""

Item = TypeVar("Item")


class NoEventsError(RecordingError):
    """A recording without a single event."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What the first look found."""

    events: int
    start_us: int
    end_us: int
    counts: NDArray[np.int64]
    """``(H, W)`` events of each pixel"""
    chunks: Callable[[], Iterator[Events]]
    """The events once more"""


def scan(recording: Recording) -> Scan:
    """Look through all events of a recording, a chunk at a time.

    Raises :class:`RecordingError` where it cannot be read, :class:`NoEventsError` where it holds no event.
    """
    counts = PixelCounts(recording.sensor_size)
    number = first = last = 0
    kept: list[Events] | None = []
    for chunk in _chunks(recording):
        counts.add(chunk)
        first = first if number else int(chunk["t"][0])
        number, last = number + len(chunk), int(chunk["t"][-1])
        if kept is not None:
            kept.append(chunk)
        if number > HELD:
            kept = None
    if not number:
        raise NoEventsError(f"{recording.path}: holds no events: there is nothing to recognise")
    again = (lambda: iter(kept)) if kept is not None else (lambda: _chunks(recording))
    return Scan(number, first, last, counts.counts, again)


def _chunks(recording: Recording) -> Iterator[Events]:
    """The recording's chunks; of events that are held already no copy is made, as nothing here changes them."""
    held = recording.__dict__.get("events")
    if held is None:
        yield from recording.chunks()
    else:
        yield from (held[i : i + CHUNK] for i in range(0, len(held), CHUNK))


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield ``items``, the next of which is made in a thread of its own while the last is used."""
    nothing = object()
    with ThreadPoolExecutor(1, thread_name_prefix="snnkd-ahead") as thread:
        coming = thread.submit(next, items, nothing)
        while (item := coming.result()) is not nothing:
            coming = thread.submit(next, items, nothing)
            yield item  # type: ignore[misc]
