"""The beginning of a recording, looked at before the network sees it; and the events after it, read once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError
from snnkd.events.array import Events
from snnkd.events.filters import hot_in_counts
from snnkd.recordings import Recording
from snnkd.recordings._event_kernel import count_pixels
from snnkd.recordings.recording import CHUNK

BEGINNING = 4_000_000
"""Events that are looked at, 52 MB: minutes of most recordings, and seconds of the busiest"""

Item = TypeVar("Item")


class NoEventsError(RecordingError):
    """A recording without a single event."""


class Scan:
    """The first events of a recording, and then the others.

    What is hot is so from the beginning on: a defect of the sensor. So a recording of any length is read once.

    Attributes:
        start_us: time of the first event.
        hot: ``(H, W)`` mask of hot pixels (:mod:`snnkd.events.filters`).
        counts: ``(H, W)`` events of each pixel at the beginning, zero where hot.
        events: how many have been given so far, and ``end_us`` the time of the last.

    Raises :class:`RecordingError` where it cannot be read, :class:`NoEventsError` where it holds no event.
    """

    def __init__(self, recording: Recording) -> None:
        self._rest = _chunks(recording)
        self._held: list[Events] = []
        width, height = recording.sensor_size
        counts: NDArray[np.int64] = np.zeros((height, width), np.int64)
        number = 0
        for chunk in self._rest:
            count_pixels(chunk, counts)
            self._held.append(chunk)
            number += len(chunk)
            if number >= BEGINNING:
                break
        if not number:
            raise NoEventsError(f"{recording.path}: holds no events: there is nothing to recognise")
        self.hot = hot_in_counts(counts)
        self.counts = np.where(self.hot, 0, counts)
        self.start_us = int(self._held[0]["t"][0])
        self.events, self.end_us = 0, self.start_us

    def chunks(self) -> Iterator[Events]:
        """Yield all events, once."""
        while self._held:
            yield self._told(self._held.pop(0))
        for chunk in self._rest:
            yield self._told(chunk)

    def _told(self, chunk: Events) -> Events:
        self.events += len(chunk)
        self.end_us = int(chunk["t"][-1])
        return chunk


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
