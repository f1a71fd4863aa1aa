"""EVT2 and EVT2.1: words of 32 and 64 bits behind a header (:mod:`.prophesee_header`).

The upper 4 bits of an EVT2 word, little-endian, say what it is:

====  =========================================================================================
type  the other 28 bits
====  =========================================================================================
0, 1  event, OFF or ON: bits 0..5 of the time in µs in bits 22..27, x in bits 11..21, y in bits 0..10
8     time high: bits 6..33 of the time
A     external trigger
E     others; F carries more of the word before
====  =========================================================================================

An EVT2.1 word is an EVT2 word with 32 bits more: bit i of them is an event at x + i. The half with the type is the
upper one in ``little`` files, whose words are little-endian as a whole (GenX320), and comes first in ``legacy`` ones
(IMX636 and before). Where neither header nor camera tells which, the words do: in the wrong order half of them are of
types that do not exist.

Time high begins anew after 2^34 µs, 4.8 hours. It did when it falls by at least 15/16 of its range; a smaller fall is
time that runs backwards. Events before the first time high are left out with a warning. Words of other types are
skipped. After a whole pass ``metadata`` counts them: ``trigger_words``, ``other_words`` and ``unknown_words``.

Sources: Prophesee's documentation of the EVT 2.0 and 2.1 formats; OpenEB (``evt21_event_types.h``).
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings._prophesee_stream import Decoder, EvtRecording, has_encoding
from snnkd.recordings.prophesee_header import Header
from snnkd.recordings.registry import register_format

TYPES = (0x0, 0x1, 0x8, 0xA, 0xE, 0xF)
SEEN = 4096
"""Words that are looked at to tell their order."""


class Evt2Recording(EvtRecording):
    """An EVT2 RAW file."""

    format = "EVT2"
    encoding = "2.0"
    word = 4
    most = 1

    def _decoder(self) -> Decoder:
        from snnkd.recordings._evt_kernel import decode_evt2

        return decode_evt2


class Evt21Recording(EvtRecording):
    """An EVT2.1 RAW file; ``metadata["endianness"]`` is the order of its words, ``little`` or ``legacy``."""

    format = "EVT2.1"
    encoding = "2.1"
    word = 8
    most = 32

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._order = self._told_order or self._order_of_words()
        self.metadata["endianness"] = self._order

    def _check_header(self, header: Header) -> None:
        super()._check_header(header)
        self._told_order = header.endianness

    def _decoder(self) -> Decoder:
        from snnkd.recordings._evt_kernel import decode_evt21

        return decode_evt21

    def _view(self, block: NDArray[np.uint8]) -> NDArray[Any]:
        halves = block.view("<u4").reshape(-1, 2)
        return halves if self._order == "legacy" else halves[:, ::-1]

    def _order_of_words(self) -> str:
        """The order in which fewer of the first words are of a type that does not exist."""
        with self.path.open("rb") as file:
            file.seek(self._begin)
            head = file.read(SEEN * self.word)
        types = np.frombuffer(head[: len(head) // 8 * 8], "<u4").reshape(-1, 2) >> 28
        legacy, little = (int(np.isin(types[:, half], TYPES, invert=True).sum()) for half in (0, 1))
        return "legacy" if legacy < little else "little"


register_format(
    "EVT2",
    Evt2Recording,
    recognises=lambda path, head: has_encoding(path, head, "2.0"),
    extensions=(".raw",),
)
register_format(
    "EVT2.1",
    Evt21Recording,
    recognises=lambda path, head: has_encoding(path, head, "2.1"),
    extensions=(".raw",),
)
