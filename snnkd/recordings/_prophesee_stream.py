"""What the readers of Prophesee's streams share: blocks of words into events, and what is told of the rest.

The file is read in blocks (:mod:`snnkd.recordings._file_parts`): a pass holds one block, 2 MB, and one chunk of
events, 7 MB, whatever the size of the file.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError
from snnkd.events.array import EVENT_DTYPE, Events
from snnkd.recordings._column_names import LARGEST
from snnkd.recordings._file_parts import read_blocks
from snnkd.recordings.prophesee_header import Header, HeaderError, read_header
from snnkd.recordings.recording import CHUNK, Recording

BLOCK = 1 << 21
"""Bytes that are read at once."""

Decoder = Callable[[NDArray[Any], int, Events, int, int, int, NDArray[np.int64]], tuple[int, int]]


class PropheseeRecording(Recording):
    """A recording of words behind a header.

    A subclass sets ``word``, the bytes of a word; ``most``, the most events of one; and ``largest``, the longest side
    of a sensor that the format can address; and gives ``_decoder`` and ``_check_header``.

    ``metadata`` has the header's lines and ``sensor_size_from``: what told the size of the sensor. Where that is
    ``"events"``, the size is what the events span, found in a pass over them when it is first asked for, with a
    warning; an event beyond 4095 is damage then.

    Args:
        path: the file.
        sensor_size: (W, H), where the caller knows it better than the header.

    Raises ``ValueError`` for a size that is none, :class:`RecordingError` for the file.
    """

    word: ClassVar[int]
    most: ClassVar[int]
    largest: ClassVar[int] = 2048
    _skip: ClassVar[int] = 0  # bytes between header and words

    def __init__(self, path: str | PathLike[str], *, sensor_size: tuple[int, int] | None = None) -> None:
        super().__init__(path)
        if sensor_size is not None and not all(1 <= n <= self.largest for n in sensor_size):
            raise ValueError(f"sensor_size must be (W, H) with both in 1..{self.largest}, got {sensor_size}")
        self._known_size: tuple[int, int] | None
        try:
            self._header = read_header(self.path)
            self._check_header(self._header)
            if sensor_size is not None:
                self._known_size, source = (int(sensor_size[0]), int(sensor_size[1])), "argument"
            else:
                self._known_size, source = self._header.sensor_size(self.largest)
        except HeaderError as error:
            raise self._error(str(error)) from error
        self._begin = self._header.end + self._skip
        size = self.path.stat().st_size
        self._words, rest = divmod(max(size - self._begin, 0), self.word)
        self._warn_of_rest(rest, f"not a whole word of {self.word} bytes")
        self._fault: tuple[int, int] | None = None
        self.metadata.update(self._header.lines)
        self.metadata["sensor_size_from"] = source

    @property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the sensor, (W, H)."""
        return self._known_size or self._spanned_size

    def _size_at_hand(self) -> tuple[int, int] | None:
        return self._known_size or self.__dict__.get("_spanned_size")

    @abstractmethod
    def _check_header(self, header: Header) -> None:
        """Raise ``HeaderError`` unless the words that follow are this format's."""

    @abstractmethod
    def _decoder(self) -> Decoder:
        """The compiled decoder, of :mod:`snnkd.recordings._evt_kernel`."""

    def _view(self, block: NDArray[np.uint8]) -> NDArray[Any]:
        """The words of a block of bytes, as the decoder takes them."""
        return block.view(f"<u{self.word}")

    def _tell(self, state: NDArray[np.int64], whole: bool) -> None:
        """Warn of what was left out, as soon as its number is certain; ``whole`` at the end of the words."""
        return

    @cached_property
    def _spanned_size(self) -> tuple[int, int]:
        from snnkd.recordings._evt_kernel import largest

        x = y = -1
        side = min(self.largest, LARGEST + 1)
        for chunk in self._decode(side, side):
            x, y = largest(chunk, x, y)
        if x < 0:
            raise self._error("the size of its sensor is unknown: the header does not give it, and there are no events")
        self._warn(
            f"nothing tells the size of its sensor; {x + 1}×{y + 1}, what its events span, was taken (sensor_size)"
        )
        return x + 1, y + 1

    def _read_chunks(self) -> Iterator[Events]:
        return self._decode(*self.sensor_size)

    def decode_growing(self, blocks: Iterator[tuple[int, NDArray[np.uint8]]]) -> Iterator[Events]:
        """Yield the events of whole words as they come, block by block, each with the byte where it begins."""
        if self._known_size is None:
            raise self._error("its header does not tell the size of the sensor, which has to be given: sensor_size")
        views = ((begin, self._view(block)) for begin, block in blocks)
        return self._decode(*self._known_size, blocks=views, eager=True)

    def _decode(
        self,
        width: int,
        height: int,
        blocks: Iterator[tuple[int, NDArray[Any]]] | None = None,
        eager: bool = False,
    ) -> Iterator[Events]:
        """The events, as far as they lie inside such a sensor; ``eager``: all of a block before the next is read."""
        from snnkd.recordings._evt_kernel import FAULT, new_state

        decode, state = self._decoder(), new_state()
        # No larger than what all words could fill, and with room for one more word: the decoder stops before that.
        capacity = (CHUNK if eager else min(CHUNK, self._words * self.most)) + self.most
        index, count, out = 0, 0, np.empty(capacity, EVENT_DTYPE)
        for begin, words in self._blocks() if blocks is None else blocks:
            position = 0
            while position < len(words):
                position, count = decode(words, position, out, count, width, height, state)
                if state[FAULT]:
                    raise self._wrong(index + count, begin + position * self.word, state, width, height)
                if count > capacity - self.most:
                    self._tell(state, False)
                    yield out[:count]
                    index, count, out = index + count, 0, np.empty(capacity, EVENT_DTYPE)
            if eager and count:
                yield out[:count].copy()
                index, count = index + count, 0
        self._tell(state, True)
        # A copy of a few events lets go of the room for many.
        yield out[:count] if 2 * count > capacity else out[:count].copy()

    def _blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """The words block by block, each with the byte where it begins; it holds until the next is asked for."""
        for begin, block in read_blocks(self, self.path, self._begin, self._words * self.word, BLOCK):
            yield begin, self._view(block)

    def _wrong(self, index: int, byte: int, state: NDArray[np.int64], width: int, height: int) -> RecordingError:
        """The error of event ``index``, whose word is at ``byte``."""
        from snnkd.recordings import _evt_kernel as kernel

        self._fault = (index, byte)
        fault, x, y, time = (int(n) for n in state[: kernel.FAULT_TIME + 1])
        if fault == kernel.BACKWARDS:
            return self._backwards(index, time, int(state[kernel.LAST]))
        if fault == kernel.POLARITY:
            return self._error(f"{self._place(index)} has a polarity other than 0 and 1")
        bounds = f"the sensor of {width}×{height}" if self._known_size else f"any sensor of {width}×{height} or less"
        return self._error(f"{self._place(index)} lies at (x, y) = ({x}, {y}), outside {bounds}")

    def _place(self, index: int) -> str:
        if self._fault is not None and self._fault[0] == index:
            return f"event {index} (byte {self._fault[1]})"
        return super()._place(index)


class EvtRecording(PropheseeRecording):
    """A RAW file; a subclass sets ``encoding``, its version in the header."""

    encoding: ClassVar[str]
    _other: ClassVar[tuple[int, ...]] = (0xE, 0xF)
    """Types of words that belong to neither event, time nor trigger."""

    def _check_header(self, header: Header) -> None:
        if header.encoding is None:
            raise HeaderError("its header does not tell the encoding: it has neither evt nor format")
        if header.encoding != self.encoding:
            raise HeaderError(f"its encoding is {header.encoding}, snnkd reads {', '.join(ENCODINGS)}")

    def _tell(self, state: NDArray[np.int64], whole: bool) -> None:
        from snnkd.recordings import _evt_kernel as kernel

        reasons = {
            kernel.UNTIMED: "before the first time-high word no time is known",
            kernel.UNPLACED: "no word before gives their row, or the base of their vector",
            kernel.STALE: "a stale time-low word puts them before the event that precedes them",
        }
        for index, reason in reasons.items():
            count = int(state[index])
            if count and (whole or (index == kernel.UNTIMED and state[kernel.HIGH] >= 0)):
                self._warn(f"{'1 event was' if count == 1 else f'{count} events were'} left out: {reason}")
        if whole:
            kinds = state[kernel.KINDS :]
            trigger, other = int(kinds[0xA]), int(kinds[list(self._other)].sum())
            self.metadata["trigger_words"], self.metadata["other_words"] = trigger, other
            self.metadata["unknown_words"] = int(kinds.sum()) - trigger - other


ENCODINGS = ("2.0", "2.1", "3.0")


def has_encoding(path: Path, head: bytes, encoding: str) -> bool:
    """Whether a file that begins with ``head`` has a header that names this encoding."""
    if not head.startswith(b"% "):
        return False
    try:
        return read_header(path).encoding == encoding
    except HeaderError:
        return False
