"""Events as NumPy arrays: NPY files, NPZ files, and writing the latter.

An NPY file holds either a structured array (N,) with fields for ``x``, ``y``, ``t`` and ``p`` (by their names:
``timestamp``, ``on``, ``polarity``, ...), or an array (N, 4) of numbers. An NPZ file holds such an array as
``events``, or a column a member. Without names the order is ``t x y p``; that, the unit of time and the sensor's size
are settled as :mod:`snnkd.recordings._columns` says, or by the arguments. What :func:`write_npz` writes says it all:

=========================  ====================  ==============================================
member                     type                  meaning
=========================  ====================  ==============================================
format                     string                ``snnkd-recording``
version                    integer               1
sensor_size                2 integers            width, height
t                          int64 (N,)            time in µs, never decreasing
x, y                       int16 (N,)            column and row
p                          uint8 (N,)            1 ON, 0 OFF
frames                     uint8 (M, H, W)       intensity, absent where there are no frames
frame_timestamps_us        int64 (M,)            time in µs, never decreasing
metadata                   string                a JSON object
=========================  ====================  ==============================================

Only ``sensor_size``, ``frames`` with ``frame_timestamps_us`` and ``metadata`` are known besides the events, and all
may be absent. Nothing is unpickled: arrays of objects are refused. An NPY file is mapped into memory; how an NPZ file
is read is in :mod:`snnkd.recordings.npz`.
"""

import json
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.recordings._columns import SAMPLE, Columns
from snnkd.recordings._npy import MAGIC, ArrayRecording, read_header
from snnkd.recordings.hdf5 import EVENT_TYPES, FORMAT, VERSION, _check_events, _plain
from snnkd.recordings.recording import CHUNK, Frames
from snnkd.recordings.registry import register_format


class NpyRecording(ArrayRecording):
    """Events in an NPY file; ``unit`` and ``sensor_size`` as :class:`ColumnRecording` has them."""

    format = "NPY"

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        unit: str | None = None,
        sensor_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(path, sensor_size, unit)
        with self.path.open("rb") as file:
            try:
                self._header = header = read_header(file)
            except ValueError as error:
                raise self._error(f"its header is damaged: {error}") from error
        if header.dtype.itemsize == 0 or not header.shape:
            raise self._error(f"is an array {header.dtype} {header.shape}, which holds no events")
        row = header.data_size // max(header.shape[0], 1)
        held = (self.path.stat().st_size - header.size) // row if row else 0
        self._count = min(header.shape[0], held)
        if header.shape[0] > held:
            if header.fortran and len(header.shape) > 1:
                raise self._error(f"is cut: it promises {header.shape[0]} rows, and holds them column by column")
            self._warn(f"is cut: {header.shape[0] - held} of {header.shape[0]} rows are missing and were left out")
        self._row = row
        self._settle_table(header, self._rows(0, SAMPLE))

    def _rows(self, begin: int, end: int) -> NDArray[Any]:
        """Map some rows alone, so that those read before do not stay in memory."""
        header = self._header
        end = min(end, self._count)
        if begin >= end:
            return np.empty((0, *header.shape[1:]), header.dtype)
        if header.fortran and len(header.shape) > 1:
            whole: NDArray[Any] = np.memmap(self.path, header.dtype, "r", header.size, header.shape, "F")
            return whole[begin:end]
        shape = (end - begin, *header.shape[1:])
        return np.memmap(self.path, header.dtype, "r", header.size + begin * self._row, shape)

    def _read_columns(self) -> Iterator[Columns]:
        seen = 1
        for begin in range(0, self._count, CHUNK):
            columns = self._convert(self._table(self._rows(begin, begin + CHUNK)), begin)
            seen = self._check_polarity(columns[3], seen, begin)
            yield columns

    def _place(self, index: int) -> str:
        if self._header.fortran and len(self._header.shape) > 1:
            return f"event {index}"
        return f"event {index} (byte {self._header.size + index * self._row})"


def write_npz(
    path: str | PathLike[str],
    events: Events,
    sensor_size: tuple[int, int],
    frames: Frames | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a recording that ``numpy.load`` reads too; the members are in this module's docstring.

    Args:
        path: the file; what is there before is replaced once the new one is whole.
        events: (N,) with ``EVENT_DTYPE``, time never decreasing, inside the sensor.
        sensor_size: (W, H).
        frames: intensity frames, any size.
        metadata: what JSON can hold; NumPy numbers and arrays become numbers and lists, tuples become lists.

    Raises ``ValueError`` or ``TypeError`` for what does not fit, ``OSError`` when the file cannot be written.
    """
    width, height = (int(n) for n in sensor_size)
    _check_events(events, width, height)
    text = json.dumps(dict(metadata or {}), default=_plain, allow_nan=False)
    members: dict[str, Any] = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "sensor_size": np.array([width, height]),
        **{name: np.ascontiguousarray(events[name], kind) for name, kind in EVENT_TYPES.items()},
        "metadata": np.array(text),
    }
    if frames is not None:
        members |= {"frames": frames.images, "frame_timestamps_us": frames.timestamps_us}
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, values in members.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(values, order="C"), allow_pickle=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


register_format("NPY", NpyRecording, recognises=lambda path, head: head.startswith(MAGIC), extensions=(".npy",))
