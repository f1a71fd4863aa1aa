"""Base of the datasets whose sequences are cut out of recordings: which windows they have, and reading them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.base import SplitDataset
from snnkd.datasets.recording_windows import count_windows, frame_places, take_frames
from snnkd.datasets.sample import Sequence, Windows
from snnkd.errors import DatasetError, SnnkdError
from snnkd.recordings import Recording, open_recording

VERSION = 1
"""Of the decoding, for caches: another number whenever the same files give other windows."""

KEPT = 32
"""Recordings that stay opened in each process."""


@dataclass(frozen=True)
class RecordingSequence(Sequence):
    """A part of the recording ``path``, from ``begin_us`` on as the recording counts time.

    ``frames_at`` is a folder of frames that are not in the recording itself; ``frames_shift_us`` is added to their
    times. ``has_frames`` is False for events alone.
    """

    path: Path
    begin_us: int
    has_frames: bool = True
    frames_at: Path | None = None
    frames_shift_us: int = 0


@dataclass(frozen=True)
class Extent:
    """From where to where a recording has all that a sequence needs, in µs by its own clock; sensor size (W, H)."""

    begin_us: int
    end_us: int
    origin_us: int
    sensor_size: tuple[int, int]


class RecordingDataset(SplitDataset):
    """Clips of :class:`RecordingSequence`; a subclass makes them."""

    sequences: list[Any]

    def _set_sensor(self, size: tuple[int, int] | None) -> None:
        self._set_input_size(size, size or self._recording(self.sequences[0].path).sensor_size)
        self.has_frames = all(sequence.has_frames for sequence in self.sequences)

    def read(self, index: int, windows: NDArray[np.int64]) -> Windows:
        """Read windows ``(N,)`` of a sequence, from the recording's begin to the last of them."""
        sequence, windows = self.sequences[index], np.asarray(windows, np.int64)
        recording = self._recording(sequence.path)
        counts = self._counts(recording, sequence, windows)
        if not sequence.has_frames:
            return Windows(counts, np.zeros((len(windows), *counts.shape[2:]), np.uint8))
        source = self._recording(sequence.frames_at) if sequence.frames_at else recording
        times = source.frame_times_us + sequence.frames_shift_us
        places = frame_places(times, sequence.begin_us, self.window_us, windows, str(sequence.frames_at or source.path))
        return Windows(counts, self._frames(source, places))

    def sources(self, index: int) -> list[Path]:
        """The recording, and the folder of its frames where they are apart."""
        sequence = self.sequences[index]
        return [sequence.path] if sequence.frames_at is None else [sequence.path, sequence.frames_at]

    def reading(self) -> dict[str, Any]:
        """Input size, length of a window and the version of the decoding."""
        return {
            "dataset": type(self).__name__,
            "recordings": VERSION,
            "size": list(self.input_size),
            "window_us": self.window_us,
        }

    def _counts(
        self, recording: Recording, sequence: RecordingSequence, windows: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        return count_windows(
            recording.chunks(), recording.sensor_size, sequence.begin_us, self.window_us, windows, self.input_size
        )

    def _frames(self, source: Recording, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        return take_frames(source, places, self.input_size)

    def _recording(self, path: Path) -> Recording:
        """The recording of a path, opened once in each process: a file that is open must not be shared by two."""
        if self.__dict__.get("_process") != os.getpid():
            self._process, self._opened = os.getpid(), dict[Path, Recording]()
        if path not in self._opened:
            if len(self._opened) >= KEPT:
                del self._opened[next(iter(self._opened))]
            self._opened[path] = open_recording(path)
        return self._opened[path]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_process", "_opened")}


def extent_of(recording: Recording, has_frames: bool, window_us: int) -> Extent:
    """Where a recording has events and, where wanted, frames too.

    The first window may end just after the first frame, and the last one a window after the last frame.
    Raises :class:`DatasetError` for a recording without events, or without frames where they are wanted.
    """
    if not recording.event_count:
        raise DatasetError(
            f"{recording.path}: has no events; make them with snnkd data simulate, and name what that writes"
        )
    begin, end = recording.start_us, recording.end_us + 1
    if has_frames:
        times = recording.frame_times_us
        if not len(times):
            raise DatasetError(
                f"{recording.path}: has no frames; where events are enough, say so of it (frames: no), and nothing "
                "that looks at frames can be trained on it"
            )
        begin, end = max(begin, int(times[0])), min(end, int(times[-1]) + window_us)
    return Extent(begin, end, recording.start_us, recording.sensor_size)


def attempt(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """What ``call`` returns, or None and the line of its error."""
    try:
        return call(), None
    except SnnkdError as error:
        return None, str(error)
    except OSError as error:
        return None, f"{error.filename}: cannot be read: {error.strerror or error}"
