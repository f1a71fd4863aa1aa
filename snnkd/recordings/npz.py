"""Reading events, and frames where there are any, from NPZ files; the members are in :mod:`snnkd.recordings.arrays`.

The archive is read a chunk at a time. Of a member no more is read than its own header promises, which must be what the
archive's directory says, and at most :data:`MOST` times its compressed size, the most that deflate can reach. The last
chunk is only given when the archive's checksum is right.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError
from snnkd.recordings._column_names import roles_of
from snnkd.recordings._columns import SAMPLE, Columns
from snnkd.recordings._npy import ArrayHeader, ArrayRecording, read_header
from snnkd.recordings.hdf5 import FORMAT, LARGEST, VERSION
from snnkd.recordings.recording import CHUNK, Frames
from snnkd.recordings.registry import register_format

MOST = 1032
"""Bytes that deflate can make of one."""

HEADER = b"PK\x03\x04"
"""What a member of a ZIP archive begins with."""

FRAME_BYTES = 1 << 22
"""Bytes of frames that are read at once, if one is not larger."""

KNOWN = ("format", "version", "sensor_size", "frames", "frame_timestamps_us", "metadata")


class NpzRecording(ArrayRecording):
    """Events, and frames where there are any, in an NPZ file; arguments as of :class:`ColumnRecording`."""

    format = "NPZ"

    def _settle(self) -> None:
        with self._opened() as archive:
            self._members = self._list_members(archive)
            self._read_description(archive)
            self._settle_members(archive)
        frames, times = (self._members.get(name) for name in ("frames", "frame_timestamps_us"))
        if (frames is None) != (times is None):
            raise self._error("has only one of frames and frame_timestamps_us")
        if frames and times and (len(frames.shape) != 3 or times.shape != frames.shape[:1] or frames.fortran):
            raise self._error(f"its frames are {frames.shape} and their timestamps {times.shape}")

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        """The open archive; what is found wrong with it becomes a RecordingError."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except RecordingError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, LookupError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise self._error(f"the archive is cut or damaged: {reason}") from error

    def _list_members(self, archive: zipfile.ZipFile) -> dict[str, ArrayHeader]:
        members: dict[str, ArrayHeader] = {}
        self._check_directory(archive)
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                archive.open(info).close()  # which compares the name with the member's own
                self._warn(f"the member {name[:40]!r} is no array and was left out")
                continue
            if name in members:
                raise self._error(f"has the member {name[:40]!r} twice")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise self._error(f"its member {name[:40]!r} is compressed as NumPy never does")
            if info.file_size > MOST * (info.compress_size + 1):
                raise self._error(f"its member {name[:40]!r} claims {info.file_size} bytes in {info.compress_size}")
            with archive.open(info) as stream:
                header = read_header(stream)
            if (promised := header.size + header.data_size) != info.file_size:
                raise self._error(f"its member {name[:40]!r} has {info.file_size} bytes and promises {promised}")
            members[name] = header
        return members

    def _check_directory(self, archive: zipfile.ZipFile) -> None:
        """Refuse an archive whose directory leaves out a member, which zipfile does not notice when it is damaged."""
        begin = 0
        with self.path.open("rb") as file:
            for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
                self._refuse_member(file, begin, info.header_offset)
                begin = info.header_offset + 30 + len(info.filename.encode()) + info.compress_size
            self._refuse_member(file, begin, archive.start_dir)

    def _refuse_member(self, file: IO[bytes], begin: int, end: int) -> None:
        file.seek(begin)
        if HEADER in file.read(min(max(0, end - begin), 1 << 20)):
            raise self._error(f"the archive is cut or damaged: behind byte {begin} is more than its directory lists")

    def _read_description(self, archive: zipfile.ZipFile) -> None:
        """Read what :func:`write_npz` says of the recording, as far as it is there."""
        self._own = "format" in self._members
        if self._own:
            said = tuple(self._value(archive, name) for name in ("format", "version"))
            if said != (FORMAT, VERSION):
                raise self._error(f"is of format {str(said)[:80]}, this snnkd reads {(FORMAT, VERSION)}")
        if "sensor_size" in self._members and self._said_size is None:
            self.metadata.clear()  # what the base class says of a size that nothing tells
        if "metadata" in self._members:
            metadata = json.loads(str(self._value(archive, "metadata")))
            if not isinstance(metadata, dict):
                raise self._error("its metadata is no JSON object")
            self.metadata = metadata | self.metadata
        if "sensor_size" in self._members and self._said_size is None:
            size = self._value(archive, "sensor_size")
            if (
                not isinstance(size, list)
                or len(size) != 2
                or not all(type(n) is int and 1 <= n <= LARGEST for n in size)
            ):
                raise self._error(f"its sensor_size is not two integers in 1..{LARGEST}, width and height")
            self._said_size = (size[0], size[1])

    def _settle_members(self, archive: zipfile.ZipFile) -> None:
        """Find the events: one table, or a member a column."""
        rest = [name for name in self._members if name not in KNOWN]
        self._table_name = next((name for name in ("events", "arr_0") if name in rest), None)
        if self._table_name is not None:
            header = self._members[self._table_name]
            self._count = header.shape[0] if header.shape else 0
            self._settle_table(header, self._first_rows(archive, self._table_name))
            others = [name for name in rest if name != self._table_name]
        else:
            try:
                places, unit, others = roles_of(rest)
            except ValueError as error:
                raise self._error(f"holds no events: {error}") from error
            self._roles = {role: rest[i] for role, i in places.items()}
            self._settle_roles(archive, unit)
        if others:
            self._warn(f"members were left out: {', '.join(name[:40] for name in others)}")

    def _settle_roles(self, archive: zipfile.ZipFile, unit: str | None) -> None:
        headers = {name: self._members[name] for name in self._roles.values()}
        for name, header in headers.items():
            if len(header.shape) != 1 or header.dtype.kind not in "iufb":
                raise self._error(f"its member {name!r} is {header.dtype} {header.shape}, expected numbers (N,)")
        lengths = {name: header.shape[0] for name, header in headers.items()}
        if len(set(lengths.values())) > 1:
            raise self._error(f"the columns of events differ in length: {lengths}")
        self._count = next(iter(lengths.values()))
        if self._own and self._said_unit is None:
            self._shift, self._exact = 0, True
        else:
            self._settle_numbers(unit, self._first_rows(archive, self._roles["t"]))

    def _read_columns(self) -> Iterator[Columns]:
        index, seen = 0, 1
        with self._opened() as archive:
            for columns in self._read_parts(archive):
                converted = self._convert(columns, index)
                seen = self._check_polarity(converted[3], seen, index)
                yield converted
                index += len(converted[0])

    def _read_parts(self, archive: zipfile.ZipFile) -> Iterator[dict[str, NDArray[Any]]]:
        if self._table_name is not None:
            for rows in self._read_rows(archive, self._table_name, CHUNK):
                yield self._table(rows)
            return
        streams = [self._read_rows(archive, self._roles[role], CHUNK) for role in "txyp"]
        for parts in zip(*streams, strict=True):
            yield dict(zip("txyp", parts, strict=True))

    def _read_rows(self, archive: zipfile.ZipFile, name: str, count: int) -> Iterator[NDArray[Any]]:
        """Yield an array ``count`` rows at a time; the last only when the archive's checksum is right."""
        header = self._members[name]
        rows, rest = header.shape[0], header.shape[1:]
        # An array in Fortran's order is read as columns that lie behind each other.
        columns = rest[0] if header.fortran and rest else 1
        width = header.data_size // max(rows, 1) // columns
        with ExitStack() as stack:
            streams = [stack.enter_context(archive.open(f"{name}.npy")) for _ in range(columns)]
            for i, stream in enumerate(streams):
                _skip(stream, header.size + i * rows * width)
            for begin in range(0, rows, count):
                n = min(count, rows - begin)
                parts = [_exactly(stream, n * width) for stream in streams]
                if begin + n == rows:
                    streams[-1].read(1)  # zipfile compares the checksum at the end
                if columns > 1:
                    yield np.stack([np.frombuffer(part, header.dtype) for part in parts], axis=1)
                else:
                    yield np.frombuffer(parts[0], header.dtype).reshape(n, *rest)

    def _first_rows(self, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
        header = self._members[name]
        empty = np.empty((0, *header.shape[1:]), header.dtype)
        return next(self._read_rows(archive, name, SAMPLE), empty) if header.shape else empty

    def _value(self, archive: zipfile.ZipFile, name: str) -> Any:
        """A small member as Python has it; None where it is absent."""
        if name not in self._members:
            return None
        header = self._members[name]
        with archive.open(f"{name}.npy") as stream:
            _skip(stream, header.size)
            data = _exactly(stream, header.data_size)
            stream.read(1)
        value = np.frombuffer(data, header.dtype, int(np.prod(header.shape))).reshape(header.shape).tolist()
        return value.decode() if isinstance(value, bytes) else value

    @cached_property
    def frame_times_us(self) -> NDArray[np.int64]:
        """Times of the frames (M,) in µs."""
        if "frames" not in self._members:
            return np.empty(0, np.int64)
        with self._opened() as archive:
            times = np.array(self._value(archive, "frame_timestamps_us"))
        if len(times) and (
            times.dtype.kind not in "iu" or (times.dtype.kind == "u" and times.max() > np.uint64(2**62))
        ):
            raise self._error(f"its frame_timestamps_us are {times.dtype}, expected integers in µs")
        return self._ordered_times(times.astype(np.int64))

    def iter_frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each frame as its time in µs and its image (H, W), reading a few at a time."""
        if "frames" not in self._members:
            return
        header = self._members["frames"]
        if header.dtype != np.uint8:
            raise self._error(f"its frames are {header.dtype}, expected uint8")
        step = max(1, FRAME_BYTES // max(header.data_size // max(header.shape[0], 1), 1))
        times = iter(self.frame_times_us.tolist())
        with self._opened() as archive:
            for part in self._read_rows(archive, "frames", step):
                for image in part:
                    yield next(times), image

    def _read_frames(self) -> Frames | None:
        shape = self._members["frames"].shape if "frames" in self._members else None
        return None if shape is None else self._stacked((shape[1], shape[2]))


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError(f"{size - len(data)} bytes are missing")
    return data


def _skip(stream: IO[bytes], size: int) -> None:
    for begin in range(0, size, 1 << 20):
        _exactly(stream, min(1 << 20, size - begin))


def _is_npz(head: bytes) -> bool:
    """Whether the first member of a ZIP archive is an array."""
    return head.startswith(HEADER) and head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy")


register_format("NPZ", NpzRecording, recognises=lambda path, head: _is_npz(head), extensions=(".npz",))
