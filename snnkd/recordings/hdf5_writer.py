"""Writing a recording as it comes: events and frames go to the file piece by piece, and none of them is kept.

The layout is that of :mod:`snnkd.recordings.hdf5`. The file grows under a temporary name beside its own and takes
its name only when it is whole: a reader never sees half a recording, and after an error, a full disk as well as an
interrupt, nothing is left behind.
"""

import json
import os
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events, empty_events
from snnkd.recordings._hdf5_sink import Sink
from snnkd.recordings._output import HDF5, growing, refuse_existing, told
from snnkd.recordings._signals import deferred_signals
from snnkd.recordings.hdf5 import EVENT_TYPES, FILTERS, FORMAT, VERSION, _check_events, _plain
from snnkd.recordings.recording import Frames

ROWS = 1 << 16
"""Events of one chunk in the file; fewer than that wait in memory."""

AT_ONCE = 1 << 20
FRAME_BYTES = 1 << 24
"""Events, and bytes of frames, that are written at once; an interrupt waits for that."""


class Hdf5Writer:
    """A recording that is being written.

    Use it in a ``with`` statement: leaving it normally calls :meth:`close`, leaving it with an error
    :meth:`discard`. A writer that is forgotten without either is discarded too. A process that is forked from the
    writer's cannot use it, and leaves the file alone when it ends.

    Args:
        path: the file, which ends in ``.h5`` or ``.hdf5``.
        sensor_size: (W, H).
        metadata: what JSON can hold; NumPy numbers and arrays become numbers and lists. ``writer.metadata`` is a
            copy of it that may be changed until the end.
        overwrite: replace a file that is there; that is done by :meth:`close`, and it stays as it is until then.

    Raises :class:`RecordingError` for a name of another kind and a file that is there, ``ValueError`` or ``TypeError``
    for what does not fit, ``OSError`` when the file cannot be written. After an ``OSError`` or an interrupt while
    something is added, the writer is discarded.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        sensor_size: tuple[int, int],
        metadata: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        import h5py

        width, height = (int(n) for n in sensor_size)
        _check_events(empty_events(), width, height)
        self.path = Path(path)
        self.sensor_size = (width, height)
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.event_count = 0
        self.frame_count = 0
        self._text()  # metadata that JSON cannot hold should fail now, not after the last event
        self._owner = os.getpid()
        self._waiting: list[Events] = []
        self._waiting_count = 0
        self._last_event: int | None = None
        self._last_frame: int | None = None
        self._frame_shape: tuple[int, ...] | None = None
        refuse_existing(self.path, overwrite, HDF5)
        self._temporary, self._place = growing(self.path)
        with told(self.path):
            self._sink = Sink(self._temporary)
        # Why this version and strings of a fixed length: see write_hdf5.
        try:
            with deferred_signals():
                self._file = h5py.File(self._sink, "w", driver="fileobj", libver="v110")
        except BaseException:
            self._sink.shut()
            self._temporary.unlink(missing_ok=True)
            raise
        self._forget = weakref.finalize(self, _remove, self._file, self._sink, self._temporary, os.getpid())
        with self._adding(), deferred_signals():
            self._file.attrs.update(format=np.bytes_(FORMAT), version=VERSION, sensor_size=[width, height])

    def append(self, events: Events) -> None:
        """Add events (N,), not earlier than those before and inside the sensor; ``ValueError`` for others."""
        self._check_open()
        _check_events(events, *self.sensor_size)
        if not len(events):
            return
        first = int(events["t"][0])
        if self._last_event is not None and first < self._last_event:
            raise ValueError(
                f"time runs backwards: event {self.event_count} is at {first} µs after {self._last_event} µs"
            )
        with self._adding():
            self._last_event = int(events["t"][-1])
            self.event_count += len(events)
            self._waiting.append(events.copy())  # the caller may fill the same array again
            self._waiting_count += len(events)
            if self._waiting_count >= ROWS:
                self._write_events(self._waiting_count // ROWS * ROWS)

    def append_frames(self, frames: Frames) -> None:
        """Add frames, all of one size and not earlier than those before; ``ValueError`` for others."""
        self._check_open()
        if not isinstance(frames, Frames):
            raise TypeError(f"frames must be Frames(images, timestamps_us), got {type(frames).__name__}")
        images, times = frames.images, frames.timestamps_us
        if len(times) and self._last_frame is not None and times[0] < self._last_frame:
            raise ValueError(
                f"time runs backwards: frame {self.frame_count} is at {times[0]} µs after {self._last_frame} µs"
            )
        shape = images.shape[1:] if self._frame_shape is None else self._frame_shape
        if images.shape[1:] != shape:
            raise ValueError(f"frame {self.frame_count} is (H, W) = {images.shape[1:]}, those before are {shape}")
        with self._adding():
            self._frame_shape = shape
            step = max(1, FRAME_BYTES // max(images[:1].nbytes, 1))
            for begin in range(0, max(len(times), 1), step):
                with deferred_signals():
                    self._extend("frames/images", images[begin : begin + step], 1)
                    self._extend("frames/timestamps_us", times[begin : begin + step], 1 << 10)
                self._sink.check()
            self.frame_count += len(times)
            self._last_frame = int(times[-1]) if len(times) else self._last_frame

    def append_frame(self, image: NDArray[np.uint8], timestamp_us: int) -> None:
        """Add one frame (H, W) uint8."""
        self.append_frames(Frames(np.asarray(image)[None], np.array([timestamp_us], np.int64)))

    def close(self) -> None:
        """Finish the file and give it its name; does nothing when the writer is closed already."""
        if not self._forget.alive:
            return
        self._check_owner()
        with self._adding():
            self._write_events(self._waiting_count)
            with deferred_signals():
                self._file["metadata"] = np.bytes_(self._text().encode())
                self._file.close()
                self._sink.shut()
            self._sink.check()
            os.replace(self._temporary, self._place)
        self._forget.detach()

    def discard(self) -> None:
        """Give up: remove what was written, and leave what is under the file's name as it is."""
        self._waiting.clear()
        self._forget()

    def __enter__(self) -> "Hdf5Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    @contextmanager
    def _adding(self) -> Iterator[None]:
        """Discard the writer where what is done in it fails: part of it may be in the file."""
        try:
            with told(self.path):
                try:
                    yield
                except Exception:
                    self._sink.check()  # what HDF5 makes of an error of the disk says less
                    raise
                self._sink.check()
        except BaseException:
            self.discard()
            raise

    def _write_events(self, count: int) -> None:
        """Move the first ``count`` of the waiting events to the file."""
        events = np.concatenate([empty_events(), *self._waiting])
        for begin in range(0, max(count, 1), AT_ONCE):  # once without events too, for the data sets
            with deferred_signals():
                for name, kind in EVENT_TYPES.items():
                    self._extend(f"events/{name}", events[name][begin : min(begin + AT_ONCE, count)].astype(kind), ROWS)
            self._sink.check()
        self._waiting = [events[count:].copy()]  # a slice would keep all of them alive
        self._waiting_count = len(events) - count

    def _extend(self, name: str, values: NDArray[Any], rows: int) -> None:
        """Add ``values`` to a data set in chunks of ``rows``, which is made when it is not there."""
        if name not in self._file:
            self._file.create_dataset(
                name,
                data=values,
                chunks=(min(rows, max(len(values), 1)) if name.startswith("events/") else rows, *values.shape[1:]),
                maxshape=(None, *values.shape[1:]),
                **FILTERS,
            )
        elif len(values):
            dataset = self._file[name]
            length = len(dataset)
            dataset.resize(length + len(values), axis=0)
            dataset[length:] = values

    def _text(self) -> str:
        return json.dumps(self.metadata, default=_plain, allow_nan=False)

    def _check_open(self) -> None:
        if not self._forget.alive:
            raise ValueError(f"{self.path}: the writer is closed")
        self._check_owner()

    def _check_owner(self) -> None:
        if os.getpid() != self._owner:
            raise ValueError(f"{self.path}: the writer belongs to the process that made it")


def _remove(file: Any, sink: Sink, temporary: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # forked: the file is the parent's
    with deferred_signals():
        try:
            file.close()
        except (OSError, RuntimeError, ValueError):
            pass  # what could not be written is removed all the same
        finally:
            sink.shut()
            temporary.unlink(missing_ok=True)
