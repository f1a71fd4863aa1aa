"""What NPY and NPZ files share: the header of an array, read without trusting it, and the columns of a table.

::

    \\x93NUMPY, two bytes of version, the header's length (uint16, from version 2.0 uint32, little-endian), and
    {'descr': ..., 'fortran_order': ..., 'shape': (...), }

Source: NEP 1 and ``numpy.lib.format``, whose own readers differ by version and unpickle if told to.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings._column_names import column_order, role_of, roles_of
from snnkd.recordings._columns import ColumnRecording

MAGIC = b"\x93NUMPY"
LONGEST = 1 << 16
"""Bytes of a header; one of a table with hundreds of fields is shorter."""


@dataclass(frozen=True)
class ArrayHeader:
    """What an NPY header says, and ``size``, the bytes from the beginning to the array's first."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    size: int

    @property
    def data_size(self) -> int:
        """Bytes that the array should have."""
        size = self.dtype.itemsize
        for n in self.shape:  # of any length, where NumPy's product would overflow
            size *= n
        return size


def read_header(file: IO[bytes]) -> ArrayHeader:
    """Read the header from the file's beginning; raises ``ValueError`` for what is none, and for arrays of objects."""
    start = file.read(8)
    if not start.startswith(MAGIC) or len(start) < 8 or start[6] not in (1, 2, 3):
        raise ValueError(f"it begins with {start!r}")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > LONGEST:
        raise ValueError(f"it would be {length} bytes long")
    text = file.read(length)
    if len(text) < length:
        raise ValueError("the file ends in it")
    try:
        # Python 2 wrote some lengths as 3L.
        fields = ast.literal_eval(
            re.sub(r"(?<=\d)L\b", "", text.decode("utf-8" if start[6] == 3 else "latin1")).strip()
        )
        dtype = np.lib.format.descr_to_dtype(fields["descr"])
        shape, fortran = fields["shape"], fields["fortran_order"]
    except (
        ValueError,
        TypeError,
        SyntaxError,
        KeyError,
        IndexError,
        AttributeError,
        MemoryError,
        RecursionError,
    ) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or type(fortran) is not bool:
        raise ValueError(f"its shape is {shape!r}, its order {fortran!r}"[:200])
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not unpickled")
    return ArrayHeader(dtype, shape, fortran, len(start) + width + length)


class ArrayRecording(ColumnRecording):
    """What NPY and NPZ share: a table of events is a structured array, or one of four columns."""

    def _settle_table(self, header: ArrayHeader, sample: NDArray[Any]) -> None:
        """Tell the columns of a table apart, by its fields or its first rows."""
        if header.dtype.names is not None and len(header.shape) == 1:
            names: Sequence[str] = header.dtype.names
            columns = [sample[name] for name in names]
            wrong = [name for name in names if role_of(name) and header.dtype[name].kind not in "iufb"]
            if wrong:
                raise self._error(f"its field {wrong[0]!r} is no number but {header.dtype[wrong[0]]}")
        elif header.dtype.kind in "iuf" and len(header.shape) == 2 and header.shape[1] == 4:
            columns = [sample[:, i] for i in range(4)]
            order = column_order(columns)
            names = list(order)
            self.metadata["columns"] = " ".join(order)
        else:
            raise self._error(
                f"is an array {header.dtype} {header.shape}; events are (N,) with fields t, x, y, p, or (N, 4) numbers"
            )
        try:
            self._places, unit, others = roles_of(names)
        except ValueError as error:
            raise self._error(str(error)) from error
        if others:
            self._warn(f"fields were left out: {', '.join(others)}")
        self._names = names
        self._settle_numbers(unit, columns[self._places["t"]])

    def _table(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The columns of some rows, by their roles."""
        if rows.dtype.names is None:
            return {role: rows[:, i] for role, i in self._places.items()}
        return {role: rows[self._names[i]] for role, i in self._places.items()}
