"""One line of numbers, looked at in Python: to tell what a text file holds, and what is wrong with a line."""

import re
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
GEOMETRY = re.compile(rb"%\s*geometry\s*:\s*(\d+)\s*[,x ]\s*(\d+)\s*")
"""The sensor's size as Prophesee's tools write it above their CSV."""

BOM = b"\xef\xbb\xbf"


def separator(line: bytes) -> bytes:
    """What stands between the numbers of a line: a semicolon, a comma, or blanks (nothing)."""
    return next((mark for mark in (b";", b",") if mark in line), b"")


def split(line: bytes, mark: bytes | None = None) -> list[bytes]:
    """The fields of a line, by its own separator where none is given."""
    mark = separator(line) if mark is None else mark
    return [field.strip() for field in line.split(mark)] if mark else line.split()


def decoded(field: bytes) -> str:
    """A name as text, without quotation marks; Latin-1, with its one byte for µ, where it is no UTF-8."""
    try:
        name = field.decode()
    except UnicodeDecodeError:
        name = field.decode("latin-1")
    return name.strip("\"' ")


def is_number(field: bytes) -> bool:
    """Whether a field is a number, or True or False."""
    return NUMBER.fullmatch(field) is not None or field in (b"True", b"False")


def numbers(rows: list[list[bytes]], width: int) -> NDArray[np.float64]:
    """The first rows as numbers, up to one that is no such row; a column that is text becomes 0."""
    values = []
    for row in rows:
        if len(row) != width:
            break
        values.append([_value(field) for field in row])
    return np.array(values, np.float64).reshape(-1, width)


def _value(field: bytes) -> float:
    if field in (b"True", b"False"):
        return float(field == b"True")
    return float(field) if is_number(field) else 0.0


def decimals(field: bytes) -> int:
    """How many decimals a number has that are not zero at its end; 0 for text."""
    if not NUMBER.fullmatch(field):
        return 0
    exponent = Decimal(field.decode()).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def looks_like_text(head: bytes) -> bool:
    """Whether the first bytes of a file are lines of numbers, or of at least two whole ones if the line is long."""
    head = head.removeprefix(BOM)
    first, end, _ = head.partition(b"\n")
    if not end:
        first = first[: max(first.rfind(mark) for mark in b" \t,;")]
    fields = split(first.strip())
    return len(fields) >= (4 if end else 2) and all(is_number(field) for field in fields)
