"""Events as text (CSV, TXT, TSV): one event a line, such as EV-Eye's ``t x y p``.

::

    # any comment; lines before the events may begin with #, % or //
    %geometry:346,260             the sensor's width and height, may be absent
    346 260                       the same, as others write it
    t x y p                       the columns' names, may be absent or the last comment
    1657711738105396 120 45 1
    1657711738105401 121 45 0

Numbers are separated by blanks or tabs, by commas, or by semicolons, as the first line of them has it. Names may
stand in any order and among others (``timestamp``, ``column``, ``polarity``, ``time (s)``, ``t_us``, ...); polarity is
0/1, −1/1 or False/True. Which column is which without names, the unit of time and the sensor's size are settled as
:mod:`snnkd.recordings._columns` says, or by the arguments of :class:`TextRecording`; times are rounded to µs.

A last line without a line end may be cut: it is kept only when it is whole and ends with the polarity. Of any other
wrong line the error gives number and byte. Text is read in blocks of 4 MiB by ``numpy.loadtxt``, which takes no line
that has more or fewer columns than the first.
"""

import io
from bisect import bisect_right
from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings import _text_lines as text_lines
from snnkd.recordings._column_names import are_names, column_order, roles_of
from snnkd.recordings._columns import COLUMNS_REMEDY, ColumnRecording, Columns
from snnkd.recordings._text_lines import BOM, decimals, decoded, is_number, looks_like_text, numbers, separator, split
from snnkd.recordings.registry import register_format

BLOCK = 1 << 22
"""Bytes that are read at once; no line may be longer."""

HEADER = 1 << 20
"""Bytes in which the first line of numbers is looked for."""

SAMPLE = 2000
"""Lines that columns and the unit of time are told by."""


class TextRecording(ColumnRecording):
    """Events in a text file.

    Args:
        path: the file.
        columns: what the columns are, a letter each of ``t x y p``, or ``-`` for one that is left out: ``"xytp"``.
            By their names or as the module says when left out.
        unit: the unit of time: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``.
        sensor_size: (W, H).

    Raises ``ValueError`` for arguments that do not fit, :class:`RecordingError` for the file.
    """

    format = "text"

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        columns: str | None = None,
        unit: str | None = None,
        sensor_size: tuple[int, int] | None = None,
    ) -> None:
        if columns is not None and sorted(columns.replace("-", "")) != sorted("txyp"):
            raise ValueError(f"columns must have each of t, x, y, p once, and - for others, got {columns!r}")
        self._said_columns = columns
        super().__init__(path, unit=unit, sensor_size=sensor_size)

    def _settle(self) -> None:
        names, rows = self._read_header()
        self._blocks: list[tuple[int, int]] = [(0, self._start)]
        said = self._said_columns
        if said is not None:
            names = ["" if letter == "-" else letter for letter in said]
        self._settle_columns(names, rows, said=said is not None)

    def _read_header(self) -> tuple[list[str] | None, list[list[bytes]]]:
        """Find where the numbers begin; return the columns' names, if any, and the fields of the first lines."""
        with self.path.open("rb") as file:
            head = file.read(HEADER)
        if len(head) == HEADER:
            head = head[: head.rfind(b"\n") + 1]
        offset = len(BOM) if head.startswith(BOM) else 0
        self._separator = b""
        names: list[str] | None = None
        comment = b""
        rows: list[list[bytes]] = []
        self._start = offset
        for line in head[offset:].splitlines(keepends=True):
            text = line.strip()
            fields = split(text)
            if rows or not text:
                rows += [split(text, self._separator)] if text else []
            elif geometry := text_lines.GEOMETRY.fullmatch(text):
                self._take_size(*geometry.groups())
            elif text.startswith((b"#", b"%", b"//")):
                comment = text.lstrip(b"#%/ ")
            elif names is None and len(fields) == 2 and all(field.isdigit() and len(field) < 6 for field in fields):
                self._take_size(*fields)
            elif names is None and not all(is_number(field) for field in fields):
                names = [decoded(field) for field in fields]
            else:
                self._start = offset
                self._separator = separator(text)
                rows.append(split(text, self._separator))
            offset += len(line)
            if len(rows) == SAMPLE:
                break
        if not rows:
            self._start = offset
        if not rows and not are_names(names or []):
            raise self._error("holds no line of numbers such as: t x y p")
        if names is None and comment and len(split(comment)) == len(rows[0]):
            told = [decoded(field) for field in split(comment)]
            names = told if are_names(told) else None
        return names, rows

    def _take_size(self, width: bytes, height: bytes) -> None:
        size = (int(width), int(height))
        if not all(1 <= n <= 32767 for n in size):
            raise self._error(f"its header gives the sensor as {size[0]}×{size[1]}")
        if self._said_size is None:
            self._said_size = size
            self.metadata["sensor_size_from"] = "header"

    def _settle_columns(self, names: list[str] | None, rows: list[list[bytes]], said: bool) -> None:
        width = len(rows[0]) if rows else len(names or ())
        if names is None and width != 4:
            raise self._error(
                f"the line at byte {self._start} has {width} columns without names, expected t x y p"
                + (f"; say which is which ({COLUMNS_REMEDY})" if width > 4 else "")
            )
        if names is not None and len(names) != width:
            raise self._error(
                f"there are names for {len(names)} columns, but the line at byte {self._start} has {width}"
            )
        sample = numbers(rows, width)
        if names is None:
            order = column_order([sample[:, i] for i in range(4)])
            names = list(order)
            self.metadata["columns"] = " ".join(order)
        try:
            places, unit, others = roles_of(names)
        except ValueError as error:
            raise self._error(f"{error}; say which is which ({COLUMNS_REMEDY})") from error
        if others and not said:
            self._warn(f"columns were left out: {', '.join(name[:40] or 'one without a name' for name in others)}")
        roles = {place: role for role, place in places.items()}
        self._roles = [roles.get(i, f"_{i}") for i in range(width)]
        times = [row[places["t"]] for row in rows[: len(sample)]]
        most = max((decimals(time) for time in times), default=0)
        self._settle_time(unit, most == 0, most, sample[:, places["t"]])

    def _read_columns(self) -> Iterator[Columns]:
        offset, index, seen, rest = self._start, 0, 1, b""
        with self.path.open("rb") as file:
            file.seek(offset)
            while block := file.read(BLOCK):
                block = rest + block
                cut = block.rfind(b"\n") + 1
                rest = block[cut:]
                if len(rest) > BLOCK:
                    raise self._error(f"there is no line end in {BLOCK} bytes from byte {offset + cut} on")
                for columns in self._parse(block[:cut], offset, index):
                    seen = self._check_polarity(columns[3], seen, index)
                    yield columns
                    index += len(columns[0])
                offset += cut
        if rest.strip():
            if self._problem(rest) or self._roles[-1] != "p":
                self._warn(f"the last line, at byte {offset}, has no end and may be cut; it was left out")
                return
            for columns in self._parse(rest, offset, index):
                self._check_polarity(columns[3], seen, index)
                yield columns

    def _parse(self, block: bytes, offset: int, index: int) -> Iterator[Columns]:
        """Yield the columns of the lines in ``block``, which begins at byte ``offset`` with event ``index``."""
        if not block.strip():
            return
        if index > self._blocks[-1][0]:
            self._blocks.append((index, offset))
        for kind in ("i8", "f8"):  # most files have whole numbers, and those are read twice as fast
            try:
                columns = self._load(block, kind)
            except ValueError:
                continue
            yield self._convert(columns, index)
            return
        for line in block.splitlines(keepends=True):
            if problem := self._problem(line):
                raise self._error(f"line {self._line(offset)} (byte {offset}) {problem}")
            offset += len(line)
        raise self._error(f"the lines before byte {offset} hold a number that is none")

    def _load(self, block: bytes, kind: str) -> dict[str, NDArray[Any]]:
        if b"e" in block:
            block = block.replace(b"True", b"1").replace(b"False", b"0")
        text = io.StringIO(block.decode("ascii"))
        mark = self._separator.decode() or None
        if set(self._roles) <= set("txyp"):  # read twice as fast as a structured array
            rows = np.loadtxt(text, kind, delimiter=mark, comments=None, ndmin=2)
            if rows.shape[1] != 4:
                raise ValueError("the number of columns changed")
            return {role: rows[:, i] for i, role in enumerate(self._roles)}
        kinds = [(role, "S1" if role.startswith("_") else kind) for role in self._roles]
        rows = np.loadtxt(text, kinds, delimiter=mark, comments=None, ndmin=1)
        return {role: rows[role] for role in "txyp"}

    def _problem(self, line: bytes) -> str | None:
        """What is wrong with a line, or None."""
        if not line.strip():
            return None
        fields = split(line.strip(), self._separator)
        if len(fields) != len(self._roles):
            return f"has {len(fields)} columns, expected {len(self._roles)}"
        for role, field in zip(self._roles, fields, strict=True):
            if not role.startswith("_") and not is_number(field):
                return f"has {role} = {field[:40].decode('ascii', 'backslashreplace')!r}, which is no number"
        return None

    def _place(self, index: int) -> str:
        number, offset = self._blocks[bisect_right(self._blocks, index, key=lambda block: block[0]) - 1]
        with self.path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if number == index and line.strip():
                    break
                number += bool(line.strip())
                offset += len(line)
        return f"event {index} (line {self._line(offset)}, byte {offset})"

    def _line(self, offset: int) -> int:
        """Number of the line, from 1, that begins at a byte."""
        with self.path.open("rb") as file:
            parts = (file.read(min(BLOCK, offset - begin)) for begin in range(0, offset, BLOCK))
            return 1 + sum(part.count(b"\n") for part in parts)


register_format(
    "text",
    TextRecording,
    recognises=lambda path, head: looks_like_text(head),
    extensions=(".txt", ".csv", ".tsv"),
)
