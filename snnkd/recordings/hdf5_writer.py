"""Writing a recording as it comes: events and frames go to the file piece by piece, and none of them is kept.

The layout is that of :mod:`snnkd.recordings.hdf5`. The file grows under a temporary name beside its own and takes
its name only when it is whole: a reader never sees half a recording, and after an error nothing is left behind.
"""

import json
import os
import uuid
import weakref
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events, empty_events
from snnkd.recordings.hdf5 import EVENT_TYPES, FILTERS, FORMAT, VERSION, _check_events, _plain
from snnkd.recordings.recording import Frames

ROWS = 1 << 16
"""Events of one chunk in the file; fewer than that wait in memory."""


class Hdf5Writer:
    """A recording that is being written.

    Use it in a ``with`` statement: leaving it normally calls :meth:`close`, leaving it with an error
    :meth:`discard`. A writer that is forgotten without either is discarded too.

    Args:
        path: the file; what is there before is replaced by :meth:`close`, and stays as it is until then.
        sensor_size: (W, H).
        metadata: what JSON can hold; NumPy numbers and arrays become numbers and lists. ``writer.metadata`` is a
            copy of it that may be changed until the end.

    Raises ``ValueError`` or ``TypeError`` for what does not fit, ``OSError`` when the file cannot be written.
    """

    def __init__(
        self, path: str | PathLike[str], sensor_size: tuple[int, int], metadata: Mapping[str, Any] | None = None
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
        self._waiting: list[Events] = []
        self._waiting_count = 0
        self._last_event: int | None = None
        self._last_frame: int | None = None
        temporary = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}.tmp")
        # Why this version and strings of a fixed length: see write_hdf5.
        try:
            self._file = h5py.File(temporary, "w", libver="v110")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._temporary = temporary
        self._forget = weakref.finalize(self, _remove, self._file, temporary)
        try:
            self._file.attrs.update(format=np.bytes_(FORMAT), version=VERSION, sensor_size=[width, height])
        except BaseException:
            self.discard()
            raise

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
        self._last_event = int(events["t"][-1])
        self.event_count += len(events)
        self._waiting.append(events.copy())  # the caller may fill the same array again
        self._waiting_count += len(events)
        if self._waiting_count >= ROWS:
            self._write_events(self._waiting_count // ROWS * ROWS)

    def append_frames(self, frames: Frames) -> None:
        """Add frames, all of one size and not earlier than those before; ``ValueError`` for others."""
        self._check_open()
        images, times = frames.images, frames.timestamps_us
        if len(times):
            if self._last_frame is not None and times[0] < self._last_frame:
                raise ValueError(
                    f"time runs backwards: frame {self.frame_count} is at {times[0]} µs after {self._last_frame} µs"
                )
            self._last_frame = int(times[-1])
        if "frames" in self._file and self._file["frames/images"].shape[1:] != images.shape[1:]:
            shape = self._file["frames/images"].shape[1:]
            raise ValueError(f"frame {self.frame_count} is (H, W) = {images.shape[1:]}, those before are {shape}")
        self._extend("frames/images", images, 1)
        self._extend("frames/timestamps_us", times, 1 << 10)
        self.frame_count += len(times)

    def append_frame(self, image: NDArray[np.uint8], timestamp_us: int) -> None:
        """Add one frame (H, W) uint8."""
        self.append_frames(Frames(np.asarray(image)[None], np.array([timestamp_us], np.int64)))

    def close(self) -> None:
        """Finish the file and give it its name; does nothing when the writer is closed already."""
        if not self._forget.alive:
            return
        try:
            self._write_events(self._waiting_count)
            self._file["metadata"] = np.bytes_(self._text().encode())
            self._file.close()
            os.replace(self._temporary, self.path)
        except BaseException:
            self.discard()
            raise
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

    def _write_events(self, count: int) -> None:
        """Move the first ``count`` of the waiting events to the file."""
        events = np.concatenate([empty_events(), *self._waiting])
        for name, kind in EVENT_TYPES.items():
            self._extend(f"events/{name}", events[name][:count].astype(kind), ROWS)
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


def _remove(file: Any, temporary: Path) -> None:
    try:
        file.close()
    except (OSError, RuntimeError, ValueError):
        pass  # a full disk: what could not be written is removed all the same
    finally:
        temporary.unlink(missing_ok=True)
