"""Arrays and plain data as text that a page can hold."""

import base64
import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(array: NDArray[Any]) -> str:
    """Return an array as base64 of its deflated little-endian bytes; what is empty gives the empty text."""
    if not array.size:
        return ""
    flat = np.ascontiguousarray(array.reshape(-1), array.dtype.newbyteorder("<"))
    return text_of(zlib.compress(flat.tobytes(), 6))


def text_of(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def size_as_text(number: int) -> int:
    """How many characters ``number`` bytes take as base64."""
    return -(-number // 3) * 4


def embedded_json(data: Any) -> str:
    r"""Return data as JSON that can stand between ``<script type="application/json">`` and its end.

    ``<``, ``>`` and ``&`` are escaped as ``\u003c`` and so on, so no text in it can end the element or open a comment.
    Everything past ASCII is escaped too, lone surrogates of file names that are no UTF-8 included.

    Raises ``ValueError`` for numbers that are not finite, which JSON has not.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
