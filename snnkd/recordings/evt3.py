"""EVT3: what Prophesee's newer cameras write, 16-bit words behind a header (:mod:`.prophesee_header`).

The upper 4 bits of a word, little-endian, say what it is:

====  =========================================================================================
type  the other 12 bits
====  =========================================================================================
0     row: y in bits 0..10, for the events that follow
2     event: x in bits 0..10, polarity in bit 11 (1 is ON)
3     base of vectors: x and polarity, as in an event
4     vector: bit i is an event at base + i, i < 12; then the base moves on by 12
5     the same with 8 pixels
6     time low: bits 0..11 of the time in µs
8     time high: bits 12..23 of the time
A     external trigger
E     others; 7 and F carry 4 and 12 bits more of the word before
====  =========================================================================================

An event has the time, row and polarity that were last given. The rules where the format leaves something open:

- Time high begins anew after 2^24 µs, 16.8 s. It did when it falls by at least 15/16 of its range; a smaller fall
  is time that runs backwards.
- The camera repeats time high every 16 µs. One that repeats the last says nothing new; another one sets time low to
  0 until its word comes, as Prophesee's decoder has it.
- Time low grows between the words of one source, but the words of triggers and counters have their own, so one
  may be lower than that before it under the same time high. That alone is no error and no overflow. An *event* that
  it would put before the event that precedes it is left out, with a warning that counts them: what its time was
  cannot be known.
- Events before the first time high, the first row, or of a vector before the first base are left out with a
  warning, too. Type 1 is the row of something that is no event of contrast: so are the events up to the next row.
- Words of other types are skipped. After a whole pass ``metadata`` counts them: ``trigger_words``,
  ``other_words`` (E, 7, F) and ``unknown_words``.

Sources: Prophesee's documentation of the EVT 3.0 format; OpenEB's decoder (``evt3_decoder.h``).
"""

from typing import ClassVar

from snnkd.recordings._prophesee_stream import Decoder, EvtRecording, has_encoding
from snnkd.recordings.registry import register_format


class Evt3Recording(EvtRecording):
    """An EVT3 RAW file."""

    format = "EVT3"
    encoding = "3.0"
    word = 2
    most = 12
    _other: ClassVar[tuple[int, ...]] = (0xE, 0xF, 0x7)

    def _decoder(self) -> Decoder:
        from snnkd.recordings._evt3_kernel import decode_evt3

        return decode_evt3


register_format(
    "EVT3",
    Evt3Recording,
    recognises=lambda path, head: has_encoding(path, head, "3.0"),
    extensions=(".raw",),
)
