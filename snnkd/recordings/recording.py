"""What every recording can do, whatever its format: a stream of event chunks, cut into windows.

A format gives three things: the size of its sensor, its events chunk by chunk, and its frames where it has
them. All the rest is built here on the chunks, so no file is ever held in memory unless ``events`` is asked
for.
"""

import operator
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events.array import EVENT_DTYPE, Events, empty_events

CHUNK = 1 << 19
"""Events of one chunk, where the format leaves the choice: 7 MB."""

MOST_SILENCE = 10_000_000
"""Windows that may pass between two events; a jump over more is a damaged clock, and would hardly ever end."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Intensity frames: ``images`` (N, H, W) uint8 and ``timestamps_us`` (N,) int64, never decreasing.

    Raises ``ValueError`` when the two do not fit together.
    """

    images: NDArray[np.uint8]
    timestamps_us: NDArray[np.int64]

    def __post_init__(self) -> None:
        images, times = self.images, self.timestamps_us
        if images.ndim != 3 or images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 (N, H, W), got {images.dtype} {images.shape}")
        if times.shape != images.shape[:1] or times.dtype != np.int64:
            raise ValueError(
                f"timestamps_us must be int64 ({len(images)},) for {len(images)} images, "
                f"got {times.dtype} {times.shape}"
            )
        if (times[1:] < times[:-1]).any():
            i = int((times[1:] < times[:-1]).argmax()) + 1
            raise ValueError(f"time runs backwards: frame {i} is at {times[i]} µs after {times[i - 1]} µs")

    def __len__(self) -> int:
        return len(self.timestamps_us)


@dataclass(frozen=True, eq=False)
class Window:
    """The events of ``[start_us, end_us)`` and the window's number in its series."""

    start_us: int
    end_us: int
    events: Events
    index: int


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
        """Yield each frame as its time in µs and its image (H, W); a video or a folder is not held in memory."""
        frames = self.frames
        if frames is not None:
            yield from zip(frames.timestamps_us.tolist(), frames.images, strict=True)

    @property
    def event_count(self) -> int:
        """Number of events."""
        return self._extent[0]

    @property
    def start_us(self) -> int:
        """Time of the first event in µs, as the recording counts it; 0 without events."""
        return self._extent[1]

    @property
    def duration_us(self) -> int:
        """Time from the first to the last event in µs; 0 without events."""
        return self._extent[2] - self._extent[1]

    def chunks(self) -> Iterator[Events]:
        """Yield all events in file order as arrays of at least one, without holding more than one of them.

        Raises :class:`RecordingError` where time runs backwards.
        """
        if "events" in self.__dict__:
            yield from (self.events[i : i + CHUNK] for i in range(0, len(self.events), CHUNK))
        else:
            yield from self._ordered_chunks()

    def windows(
        self, window_us: int = 33_333, start_us: int | None = None, end_us: int | None = None
    ) -> Iterator[Window]:
        """Cut the events into windows ``[start + i·window, start + (i+1)·window)``, without gaps.

        Args:
            window_us: length of a window in µs, at least 1.
            start_us: where the first begins, at the first event when left out; earlier events are in none.
            end_us: events from here on are in none, and the windows go on up to here even in silence; when
                left out, they end with the one that holds the last event.

        Every other event is in exactly one window; silence gives empty ones. The last window has the full
        length too. Raises ``ValueError`` for a window below 1 µs, and :class:`RecordingError` where time jumps
        over more than ten million windows from an event, or from ``start_us``, to the next event; of the chunk
        that holds the jump no further window is given.
        """
        window = operator.index(window_us)
        if window < 1:
            raise ValueError(f"window_us must be at least 1, got {window}")
        start, end = (None if t is None else operator.index(t) for t in (start_us, end_us))
        return self._cut(window, start, end)

    def __iter__(self) -> Iterator[Window]:
        return self.windows()

    def __repr__(self) -> str:
        width, height = self.sensor_size
        return f"<{self.format} recording {str(self.path)!r}, {width}×{height}>"

    def _cut(self, window: int, start: int | None, end: int | None) -> Iterator[Window]:
        """The loop of :meth:`windows`; ``parts`` are the events so far of the window that is still open."""
        index = count = 0
        last = start  # time of the last event, or from where silence counts
        parts: list[Events] = []
        for chunk in self.chunks():
            times = np.ascontiguousarray(chunk["t"])
            if start is None:
                start = int(times[0])
            if last is None:
                last = start
            position = int(np.searchsorted(times, start))
            stop = len(times) if end is None else int(np.searchsorted(times, end))
            if position < stop:
                self._refuse_jump(times[position:stop], last, window, count + position)
                last = int(times[stop - 1])
            count += len(chunk)
            while position < stop and times[stop - 1] >= start + (index + 1) * window:
                edge = start + (index + 1) * window
                cut = position + int(np.searchsorted(times[position:stop], edge))
                yield Window(edge - window, edge, _join([*parts, chunk[position:cut]]), index)
                position, parts, index = cut, [], index + 1
            if position < stop:
                parts.append(chunk[position:stop])
            if stop < len(times):
                break
        if start is not None:
            while parts or (end is not None and start + index * window < end):
                begin = start + index * window
                yield Window(begin, begin + window, _join(parts), index)
                parts, index = [], index + 1

    def _refuse_jump(self, times: NDArray[np.int64], last: int, window: int, index: int) -> None:
        """Refuse times, of event ``index`` and those behind it, that jump over too many windows after ``last``."""
        gaps = np.diff(times.view(np.uint64))  # right where the difference of two int64 is too large for one
        wide = np.flatnonzero(gaps > MOST_SILENCE * window) + 1
        jumps = [0] if int(times[0]) - last > MOST_SILENCE * window else wide[:1].tolist()
        for i in jumps:
            before = int(times[i - 1]) if i else last
            raise self._error(
                f"time jumps: {self._place(index + i)} is at {times[i]} µs after {before} µs, more than "
                f"{MOST_SILENCE} windows of {window} µs; repair or cut the recording there"
            )

    def _ordered_chunks(self) -> Iterator[Events]:
        """The format's chunks, checked for time that runs backwards."""
        from snnkd.recordings._event_kernel import first_backward

        count, last = 0, int(np.iinfo(np.int64).min)
        for chunk in self._read_chunks():
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

    def _warn(self, message: str) -> None:
        """Tell once that something was left out."""
        if message not in self.warnings:
            self.warnings.append(message)
            warnings.warn(f"{self.path}: {message}", SnnkdWarning, stacklevel=3)


def _join(parts: list[Events]) -> Events:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else empty_events()
