"""What every recording can do, whatever its format: a stream of event chunks, cut into windows.

A format gives three things: the size of its sensor, its events chunk by chunk, and its frames where it has
them. All the rest is built here on the chunks, so no file is ever held in memory unless ``events`` is asked
for.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError, warn
from snnkd.events.array import EVENT_DTYPE, Events, empty_events
from snnkd.recordings._foreign import checked_chunks, is_foreign
from snnkd.recordings._frames import Frames
from snnkd.recordings._windows import MOST_SILENCE, Window, cut, whole_us

CHUNK = 1 << 19
"""Events of one chunk, where the format leaves the choice: 7 MB."""


class Recording(ABC):
    """One recording on disk. Made by :func:`snnkd.open_recording`; iterates in windows of 1/30 s.

    Attributes:
        path: the file or folder.
        metadata: what else the format tells.
        warnings: one line for each thing that was left out; also given once through ``warnings``. What is
            only found while reading is added then.

    A subclass sets ``format``, gives ``sensor_size`` and ``_read_chunks``, and ``_read_frames`` if it has
    frames. All that reads raises :class:`RecordingError` with the file, the place in it and the reason.
    """

    format: ClassVar[str]

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.metadata: dict[str, Any] = {}
        self.warnings: list[str] = []

    @property
    @abstractmethod
    def sensor_size(self) -> tuple[int, int]:
        """Size of the sensor, (W, H)."""

    @abstractmethod
    def _read_chunks(self) -> Iterator[Events]:
        """Yield the events in file order, as arrays that ``_pack`` has made."""

    def _read_frames(self) -> Frames | None:
        """Return all frames, None where the recording has no frames."""
        return None

    @cached_property
    def events(self) -> Events:
        """All events, (N,) with ``EVENT_DTYPE``; kept once read."""
        return np.concatenate([empty_events(), *self._ordered_chunks()])

    @cached_property
    def frames(self) -> Frames | None:
        """All frames, or None; kept once read."""
        try:
            return self._read_frames()
        except ValueError as error:  # what Frames finds wrong
            raise self._error(f"its frames do not fit together: {error}") from error

    def iter_frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each frame as its time in µs and its image (H, W); snnkd's own readers hold one, or a few, at a time.

        A format whose frames need not be held in memory at once overrides this; here they are.
        """
        frames = self.frames
        if frames is not None:
            yield from zip(frames.timestamps_us.tolist(), frames.images, strict=True)

    @cached_property
    def frame_times_us(self) -> NDArray[np.int64]:
        """Times of the frames (M,) in µs, without holding their images; read through once where they have to be."""
        held = self.__dict__.get("frames")
        return np.array([time for time, _ in self.iter_frames()] if held is None else held.timestamps_us, np.int64)

    @property
    def frame_count(self) -> int:
        """Number of frames, 0 where there are none."""
        return len(self.frame_times_us)

    def _ordered_times(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the times of frames; the recording's error where one is before the one that precedes it."""
        if (times[1:] < times[:-1]).any():
            i = int((times[1:] < times[:-1]).argmax()) + 1
            raise self._error(f"time runs backwards: frame {i} is at {times[i]} µs after {times[i - 1]} µs")
        return times

    def _stacked(self, shape: tuple[int, int]) -> Frames:
        """All frames of :meth:`iter_frames`, each (H, W) = ``shape``, in one array that is made at once."""
        images = np.empty((self.frame_count, *shape), np.uint8)
        for i, (_, image) in enumerate(self.iter_frames()):
            images[i] = image
        return Frames(images, self.frame_times_us)

    @property
    def event_count(self) -> int:
        """Number of events."""
        return self._extent[0]

    @property
    def start_us(self) -> int:
        """Time of the first event in µs, as the recording counts it; without events the first frame's, else 0."""
        return self._span[0]

    @property
    def end_us(self) -> int:
        """Time of the last event in µs, as the recording counts it; without events the last frame's, else 0."""
        return self._span[1]

    @property
    def duration_us(self) -> int:
        """Time from the first to the last event in µs, or frame where there is no event; 0 without both."""
        return self._span[1] - self._span[0]

    @property
    def _span(self) -> tuple[int, int]:
        count, first, last = self._extent
        if not count and self.frame_count:
            return int(self.frame_times_us[0]), int(self.frame_times_us[-1])
        return first, last

    def chunks(self) -> Iterator[Events]:
        """Yield all events in file order as arrays of at least one, without holding more than one of them.

        Raises :class:`RecordingError` where time runs backwards.
        """
        if "events" in self.__dict__:
            # Copies: who changes a chunk, or a window of it, does not change ``events``.
            yield from (self.events[i : i + CHUNK].copy() for i in range(0, len(self.events), CHUNK))
        else:
            yield from self._ordered_chunks()

    def windows(
        self, window_us: int = 33_333, start_us: int | None = None, end_us: int | None = None
    ) -> Iterator[Window]:
        """Cut the events into windows ``[start + i·window, start + (i+1)·window)``, without gaps.

        Args:
            window_us: length of a window in µs, a whole number from 1 on.
            start_us: where the first begins, at the first event when left out; earlier events are in none.
            end_us: events from here on are in none, and the windows go on up to here even in silence; when
                left out, they end with the one that holds the last event.

        Every other event is in exactly one window; silence gives empty ones. The last window has the full
        length too. Where all events lie before ``start_us`` or from ``end_us`` on, a warning says so at the end.

        Raises ``TypeError`` for what is no whole number of µs, ``ValueError`` for a window below 1 µs, an end before
        the start, and a start more than ten million windows before the first event; :class:`RecordingError` where
        time jumps over more than ten million windows from one event to the next; of the chunk that holds the jump no
        further window is given.
        """
        window = whole_us("window_us", window_us)
        if window < 1:
            raise ValueError(f"window_us must be at least 1, got {window}")
        start = None if start_us is None else whole_us("start_us", start_us)
        end = None if end_us is None else whole_us("end_us", end_us)
        if start is not None and end is not None and end < start:
            raise ValueError(f"end_us must not be before start_us, got {start} to {end}")
        return cut(self.chunks(), window, start, end, self._jumped, self._missed)

    def __iter__(self) -> Iterator[Window]:
        return self.windows()

    def __repr__(self) -> str:
        try:
            size = self._size_at_hand()
        except Exception:  # of a reader of another's, or one that is only half made
            size = None
        path = str(getattr(self, "path", ""))
        return f"<{self.format} recording {path!r}{f', {size[0]}×{size[1]}' if size else ''}>"

    def _size_at_hand(self) -> tuple[int, int] | None:
        """The sensor's size, None where it takes reading to tell; a format that may have to read overrides this."""
        return self.sensor_size

    def _jumped(self, index: int, time: int, last: int, window: int) -> RecordingError:
        return self._error(
            f"time jumps: {self._place(index)} is at {time} µs after {last} µs, more than "
            f"{MOST_SILENCE} windows of {window} µs; repair or cut the recording there"
        )

    def _missed(self, why: str) -> None:
        warn(f"{self.path}: no event is in the windows asked for: {why}")

    def _ordered_chunks(self) -> Iterator[Events]:
        """The format's chunks, checked for time that runs backwards."""
        from snnkd.recordings._event_kernel import first_backward

        count, last = 0, int(np.iinfo(np.int64).min)
        for chunk in checked_chunks(self) if is_foreign(self) else self._read_chunks():
            if not len(chunk):
                continue
            times = chunk["t"]
            i = first_backward(chunk, last)
            if i >= 0:
                raise self._backwards(count + i, int(times[i]), int(times[i - 1]) if i else last)
            count, last = count + len(chunk), int(times[-1])
            yield chunk

    @cached_property
    def _extent(self) -> tuple[int, int, int]:
        """Number of events, first and last time; a format that knows them without reading overrides this."""
        count, first, last = 0, 0, 0
        for chunk in self.chunks():
            first = first if count else int(chunk["t"][0])
            count, last = count + len(chunk), int(chunk["t"][-1])
        return count, first, last

    def _pack(self, x: Any, y: Any, t: Any, p: Any, index: int) -> Events:
        """Make an event array of the file's own columns, the first of which is event number ``index``."""
        from snnkd.recordings._event_kernel import pack

        width, height = self.sensor_size
        events = np.empty(len(x), EVENT_DTYPE)
        i = pack(x, y, t, p, width, height, events)
        if i >= 0:
            raise self._error(
                f"{self._place(index + i)} lies at (x, y) = ({x[i]}, {y[i]}), outside the sensor of {width}×{height}"
            )
        return events

    def _place(self, index: int) -> str:
        """Where event ``index`` is, for an error; a format with fixed-size records adds the byte."""
        return f"event {index}"

    def _error(self, reason: str) -> RecordingError:
        return RecordingError(f"{self.path}: {reason}")

    def _backwards(self, index: int, time: int, last: int) -> RecordingError:
        return self._error(
            f"time runs backwards: {self._place(index)} is at {time} µs after {last} µs; "
            "repair or cut the recording there"
        )

    def _warn_of_rest(self, rest: int, what: str) -> None:
        """Tell of the bytes at the end that make no whole record, if there are any."""
        if rest == 1:
            self._warn(f"the last byte is {what} and was left out")
        elif rest:
            self._warn(f"the last {rest} bytes are {what} and were left out")

    def _warn(self, message: str) -> None:
        """Tell once that something was left out."""
        if message not in self.warnings:
            self.warnings.append(message)
            warn(f"{self.path}: {message}")
