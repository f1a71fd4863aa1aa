"""DAT: decoded events of Prophesee's, records of 8 bytes behind a header (:mod:`.prophesee_header`).

After the header come two bytes, the type of the events (0x00 or 0x0C: contrast) and the size of a record (8), then
the records, two little-endian uint32 each:

=====  =======  =================================
word   bits     meaning
=====  =======  =================================
0      0..31    time in µs
1      0..13    column
1      14..27   row
1      28..31   polarity, 0 OFF or 1 ON
=====  =======  =================================

This is version 2, which a header without a version is taken for. The time begins anew after 2^32 µs, 71.6 minutes: it
did when it falls by at least 15/16 of that; a smaller fall is time that runs backwards. Files of external triggers
(type 0x0E) or of exposure measurements hold no events of contrast and are refused.

Source: Prophesee's documentation of the DAT format.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings._prophesee_stream import Decoder, PropheseeRecording
from snnkd.recordings.prophesee_header import Header, HeaderError, read_header
from snnkd.recordings.registry import register_format

TYPES = (0x00, 0x0C)
TRIGGERS = 0x0E


class DatRecording(PropheseeRecording):
    """A DAT file."""

    format = "DAT"
    word = 8
    most = 1
    largest = 1 << 14
    _skip = 2

    def _check_header(self, header: Header) -> None:
        if header.encoding is not None and not header.is_dat:
            raise HeaderError(f"its header is not that of a DAT file: it names the encoding {header.encoding}")
        version = header.get("version") or "2"
        if version not in ("2", "2.0"):
            raise HeaderError(f"is of version {version}, snnkd reads version 2")
        content = header.get("data") or ""
        if content.startswith("file containing EM"):
            raise HeaderError("holds exposure measurements, no events of contrast")
        if len(header.data) < 2:
            raise HeaderError(f"cut at byte {header.end + len(header.data)}, before the type and size of its events")
        kind, size = header.data[:2]
        if kind == TRIGGERS:
            raise HeaderError("holds external triggers, no events of contrast")
        if kind not in TYPES or size != self.word:
            raise HeaderError(
                f"the bytes at {header.end} call for events of type {kind:#04x} and {size} bytes, "
                f"expected type 0x00 or 0x0c and {self.word} bytes"
            )

    def _decoder(self) -> Decoder:
        from snnkd.recordings._evt_kernel import decode_dat

        return decode_dat

    def _view(self, block: NDArray[np.uint8]) -> NDArray[Any]:
        return block.view("<u4").reshape(-1, 2)


def _recognises(path: Path, head: bytes) -> bool:
    if not head.startswith(b"% "):
        return False
    try:
        return read_header(path).is_dat
    except HeaderError:
        return False


register_format("DAT", DatRecording, recognises=_recognises, extensions=(".dat",))
