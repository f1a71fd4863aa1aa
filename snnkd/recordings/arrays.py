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
may be absent. Nothing is unpickled: arrays of objects are refused. An NPY file is read a chunk at a time; how an NPZ
file is read is in :mod:`snnkd.recordings.npz`.
"""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.recordings._columns import SAMPLE, Columns
from snnkd.recordings._file_parts import read_array
from snnkd.recordings._npy import MAGIC, ArrayRecording, read_header
from snnkd.recordings._output import NPZ, growing, refuse_existing, told
from snnkd.recordings.hdf5 import EVENT_TYPES, FORMAT, VERSION, _check_events, _plain
from snnkd.recordings.recording import CHUNK, Frames
from snnkd.recordings.registry import register_format


class NpyRecording(ArrayRecording):
    """Events in an NPY file; ``unit`` and ``sensor_size`` as :class:`ColumnRecording` has them."""

    format = "NPY"

    def _settle(self) -> None:
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

    @cached_property
    def _extent(self) -> tuple[int, int, int]:
        if "_survey" in self.__dict__ or not self._count:
            return super()._extent
        first, last = (int(self._times(self._table(self._rows(i, i + 1))["t"], i)[0]) for i in (0, self._count - 1))
        return self._count, first, last

    def _rows(self, begin: int, end: int) -> NDArray[Any]:
        """Read some rows; of an array in Fortran's order, where columns lie behind each other, from each column."""
        header = self._header
        count = min(end, self._count) - begin
        if count <= 0:
            return np.empty((0, *header.shape[1:]), header.dtype)
        if header.fortran and len(header.shape) > 1:
            rows, size = header.shape[0], header.dtype.itemsize
            columns = (
                read_array(self, self.path, header.dtype, header.size + (i * rows + begin) * size, count)
                for i in range(prod(header.shape[1:]))
            )
            return np.stack(list(columns), axis=-1).reshape(count, *header.shape[1:], order="F")
        elements = count * prod(header.shape[1:])
        part = read_array(self, self.path, header.dtype, header.size + begin * self._row, elements)
        return part.reshape(count, *header.shape[1:])

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
    *,
    overwrite: bool = False,
) -> None:
    """Write a recording that ``numpy.load`` reads too; the members are in this module's docstring.

    Arguments and errors are those of :func:`~snnkd.recordings.write_hdf5`; the file's name ends in ``.npz``.
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
        if not isinstance(frames, Frames):
            raise TypeError(f"frames must be Frames(images, timestamps_us), got {type(frames).__name__}")
        members |= {"frames": frames.images, "frame_timestamps_us": frames.timestamps_us}
    target = Path(path)
    refuse_existing(target, overwrite, NPZ)
    temporary, place = growing(target)
    try:
        with told(target):
            with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, values in members.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, np.asarray(values, order="C"), allow_pickle=False)
            os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)


register_format("NPY", NpyRecording, recognises=lambda path, head: head.startswith(MAGIC), extensions=(".npy",))
