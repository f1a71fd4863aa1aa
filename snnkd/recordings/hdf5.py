"""snnkd's own recordings: events, frames and metadata in one compressed file that any HDF5 tool reads.

======================  ======================  ======================================================
name                    type                    meaning
======================  ======================  ======================================================
attribute format        string                  ``snnkd-recording``
attribute version       integer                 1
attribute sensor_size   2 integers              width, height, each 1..32767
events/t                int64 (N,)              time in µs, never decreasing
events/x, events/y      int16 (N,)              column and row
events/p                uint8 (N,)              1 ON, 0 OFF
frames/images           uint8 (M, H, W)         intensity, absent where there are no frames
frames/timestamps_us    int64 (M,)              time in µs, never decreasing
metadata                string                  a JSON object (a data set: attributes end at 64 KiB)
======================  ======================  ======================================================

The data sets are chunked, shuffled and compressed with gzip, which each build of HDF5 has; its checksum tells
damage. The file is of version 1.10, which checksums its own structure.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import EVENT_DTYPE, Events
from snnkd.recordings._hdf5_checks import check_data, check_frames, opened, read_images, read_times
from snnkd.recordings.recording import CHUNK, Frames, Recording
from snnkd.recordings.registry import register_format

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FORMAT = "snnkd-recording"
VERSION = 1
EVENT_TYPES = {"t": "i8", "x": "i2", "y": "i2", "p": "u1"}
FRAMES = ("frames/images", "frames/timestamps_us")
LARGEST = int(np.iinfo(EVENT_DTYPE["x"]).max)
FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


class Hdf5Recording(Recording):
    """A recording in snnkd's HDF5 layout."""

    format = "snnkd HDF5"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with opened(self) as file:
            self._check_attributes(file)
            columns = [self._column(file, f"events/{name}", kind) for name, kind in EVENT_TYPES.items()]
            lengths = {name: len(column) for name, column in zip(EVENT_TYPES, columns, strict=True)}
            if len(set(lengths.values())) > 1:
                raise self._error(f"the columns of events differ in length: {lengths}")
            self._count = lengths["t"]
            # A chunk of the file is decompressed whole for each part of it that is asked for.
            self._step = max(CHUNK, *(column.chunks[0] if column.chunks else 1 for column in columns))
            self._has_frames = check_frames(self, file, *FRAMES)
            if "frames" in file and not self._has_frames:
                raise self._error(f"one of the data sets {' and '.join(FRAMES)} is missing")
            self.metadata = self._read_metadata(file)

    @property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the sensor, (W, H)."""
        return self._sensor_size

    @cached_property
    def frame_times_us(self) -> NDArray[np.int64]:
        """Times of the frames (M,) in µs."""
        return read_times(self, FRAMES[1]) if self._has_frames else np.empty(0, np.int64)

    def iter_frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each frame as its time in µs and its image (H, W), reading a few at a time."""
        if self._has_frames:
            yield from zip(self.frame_times_us.tolist(), read_images(self, FRAMES[0]), strict=True)

    def _read_frames(self) -> Frames | None:
        if not self._has_frames:
            return None
        with opened(self) as file:
            return Frames(file[FRAMES[0]][()], self.frame_times_us)

    @cached_property
    def _extent(self) -> tuple[int, int, int]:
        if not self._count:
            return 0, 0, 0
        with opened(self) as file:
            times = file["events/t"]
            return self._count, int(times[0]), int(times[-1])

    def _read_chunks(self) -> Iterator[Events]:
        for begin in range(0, self._count, self._step):
            with opened(self) as file:
                part = {name: file["events"][name][begin : begin + self._step] for name in EVENT_TYPES}
            if part["p"].max() > 1:
                i = int((part["p"] > 1).argmax())
                raise self._error(f"event {begin + i} has polarity {part['p'][i]}, expected 0 or 1")
            for at in range(0, len(part["t"]), CHUNK):
                x, y, t, p = (part[name][at : at + CHUNK] for name in "xytp")
                yield self._pack(x, y, t, p, begin + at)

    def _check_attributes(self, file: Any) -> None:
        if file.attrs.get("format") not in (FORMAT, FORMAT.encode()):
            raise self._error(f"an HDF5 file, but no snnkd recording: its attribute format is not {FORMAT!r}")
        if (version := file.attrs.get("version")) != VERSION:
            raise self._error(f"layout version {version}, this snnkd reads version {VERSION}")
        size = np.asarray(file.attrs.get("sensor_size", []))
        if size.shape != (2,) or size.dtype.kind not in "iu" or size.min() < 1 or size.max() > LARGEST:
            raise self._error(f"its attribute sensor_size is not two integers in 1..{LARGEST}, width and height")
        self._sensor_size = (int(size[0]), int(size[1]))

    def _column(self, file: Any, name: str, kind: str) -> Any:
        import h5py

        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise self._error(f"the data set {name} is missing")
        if dataset.shape is None or dataset.ndim != 1 or dataset.dtype.newbyteorder("=") != np.dtype(kind):
            raise self._error(f"the data set {name} is {dataset.dtype} {dataset.shape}, not as the layout has it")
        check_data(self, file, dataset, name)
        return dataset

    def _read_metadata(self, file: Any) -> dict[str, Any]:
        import h5py

        if "metadata" not in file:
            return {}
        text = file["metadata"]
        if not isinstance(text, h5py.Dataset) or text.shape != () or not h5py.check_string_dtype(text.dtype):
            raise self._error("its metadata is not a string")
        check_data(self, file, text, "metadata")
        metadata = json.loads(text.asstr()[()])
        if not isinstance(metadata, dict):
            raise self._error("its metadata is not a JSON object")
        return metadata


def write_hdf5(
    path: str | PathLike[str],
    events: Events,
    sensor_size: tuple[int, int],
    frames: Frames | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a recording; the layout is in this module's docstring.

    Args:
        path: the file, which ends in ``.h5`` or ``.hdf5``.
        events: (N,) with ``EVENT_DTYPE``, time never decreasing, inside the sensor.
        sensor_size: (W, H).
        frames: intensity frames, any size.
        metadata: what JSON can hold; NumPy numbers and arrays become numbers and lists, tuples become lists.
        overwrite: replace a file that is there, once the new one is whole.

    Raises :class:`RecordingError` for a name of another kind and a file that is there, ``ValueError`` or ``TypeError``
    for what does not fit, ``OSError`` when the file cannot be written.
    """
    from snnkd.recordings.hdf5_writer import Hdf5Writer

    with Hdf5Writer(path, sensor_size, metadata, overwrite=overwrite) as writer:
        writer.append(events)
        if frames is not None:
            writer.append_frames(frames)


def _check_events(events: Events, width: int, height: int) -> None:
    if not isinstance(events, np.ndarray) or events.dtype != EVENT_DTYPE or events.ndim != 1:
        raise ValueError("events must be a one-dimensional array with EVENT_DTYPE, see make_events")
    if not (1 <= width <= LARGEST and 1 <= height <= LARGEST):
        raise ValueError(f"sensor_size must be (W, H) with both in 1..{LARGEST}, got {(width, height)}")
    x, y, t = events["x"], events["y"], events["t"]
    if len(events) and (x.min() < 0 or y.min() < 0 or x.max() >= width or y.max() >= height):
        raise ValueError(
            f"events reach from ({x.min()}, {y.min()}) to ({x.max()}, {y.max()}), outside the sensor "
            f"{(width, height)} (W, H)"
        )
    if (t[1:] < t[:-1]).any():
        i = int((t[1:] < t[:-1]).argmax()) + 1
        raise ValueError(f"time runs backwards: event {i} is at {t[i]} µs after {t[i - 1]} µs")


def _plain(value: Any) -> Any:
    """What JSON does not know of itself."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"metadata holds a {type(value).__name__}, which JSON cannot hold")


def _is_ours(path: Path) -> bool:
    """Whether a file has an attribute of ours, or is so damaged that nothing can be told."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "sensor_size" in file.attrs or file.attrs.get("format") in (FORMAT, FORMAT.encode())
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, MemoryError):
        return True


register_format(
    "snnkd HDF5",
    Hdf5Recording,
    recognises=lambda path, head: head.startswith(SIGNATURE) and _is_ours(path),
    extensions=(".h5", ".hdf5"),
)
