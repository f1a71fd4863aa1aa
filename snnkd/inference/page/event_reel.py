"""The events of a recording as short images, in as many bytes as a page can hold.

Time is cut into bins and the sensor into blocks of ``scale × scale`` pixels. A cell, one block in one bin, keeps how
many OFF and ON events fell into it, each up to :data:`MOST`. Cells are gathered in chunks of :data:`BINS` bins, which
the player reads one by one. A chunk is the deflated list of its cells that are not empty, in the order of
``bin · w · h + y · w + x``: first the low bytes of the steps from cell to cell, then their high bytes, then
``ON · 4 + OFF``. A step above 65,535 goes over empty cells on the way.

The reel is filled in one pass. When it outgrows its budget, neighbouring bins or neighbouring blocks are joined
everywhere and the pass goes on at that size. ``min(MOST, a + b)`` is associative, so the cells are those that a pass
at the last size would have given.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from snnkd.events import Events
from snnkd.inference.page.packing import size_as_text, text_of

MOST = 3
"""Where a cell's count of a polarity stops"""
BINS = 64
"""Bins of a chunk"""
FINEST_US = 10_000
"""Length of a bin at first"""
WIDEST = 360
"""The longer side of the images at most"""
FARTHEST = 65_535


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells that are not empty: their numbers in a chunk, growing, and their counts."""

    index: NDArray[np.int64]
    off: NDArray[np.int64]
    on: NDArray[np.int64]


class EventReel:
    """Takes the events of a recording in the order of time; :meth:`content` is what the page holds.

    Args:
        sensor_size: (W, H).
        origin_us: time at which the first bin begins.
        budget: characters that all chunks may take.
    """

    def __init__(self, sensor_size: tuple[int, int], origin_us: int, budget: int) -> None:
        self.sensor_size = sensor_size
        self.scale = max(1, -(-max(sensor_size) // WIDEST))
        self.bin_us = FINEST_US
        self._origin = origin_us
        self._budget = budget
        self._chunks: list[bytes] = []
        self._used = 0
        self._open: list[Cells] = []  # of the chunk that is being filled

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the images."""
        width, height = self.sensor_size
        return -(-width // self.scale), -(-height // self.scale)

    def add(self, events: Events) -> None:
        """Add events, (N,), none before an earlier one or before the origin."""
        while len(events):
            begin = self._origin + len(self._chunks) * BINS * self.bin_us
            here = int(np.searchsorted(events["t"], begin + BINS * self.bin_us))
            if here:
                self._open.append(self._cells(events[:here], begin))
                events = events[here:]
            if len(events):  # some lie beyond this chunk
                self._close()

    def content(self) -> dict[str, object]:
        """Close the reel: sizes, and a chunk a text, the empty text where nothing happened."""
        if self._open:
            self._close()
        width, height = self.size
        return {
            "width": width,
            "height": height,
            "scale": self.scale,
            "bin_us": self.bin_us,
            "bins": BINS,
            "chunks": [text_of(chunk) for chunk in self._chunks],
        }

    def _close(self) -> None:
        self._keep(joined(self._open))
        self._open = []
        while self._used > self._budget and self._coarsen():
            pass

    def _keep(self, cells: Cells) -> None:
        chunk = encode(cells)
        self._chunks.append(chunk)
        self._used += size_as_text(len(chunk))

    def _taken(self) -> Iterator[Cells]:
        """Take all chunks out, to be put back joined; one is read at a time, since cells are far larger than chunks."""
        chunks, self._chunks, self._used = self._chunks, [], 0
        return (decode(chunk) for chunk in chunks)

    def _coarsen(self) -> bool:
        """Join bins up to 40 ms, then blocks down to 180 pixels, then bins to 160 ms, blocks to 90, then bins."""
        side = max(self.size)
        if self.bin_us < 40_000 or (side <= 180 and self.bin_us < 160_000) or side <= 90:
            return self._join_bins() or self._join_blocks()
        return self._join_blocks() or self._join_bins()

    def _join_bins(self) -> bool:
        if len(self._chunks) < 2:
            return False
        cells = self._taken()
        area = self.size[0] * self.size[1]
        self.bin_us *= 2
        for first in cells:
            pair = [in_joined_bins(first, area, 0), *(in_joined_bins(each, area, 1) for each in islice(cells, 1))]
            if len(pair) == 2:
                self._keep(joined(pair))
            else:
                self._open = pair  # its second half is still to come
        return True

    def _join_blocks(self) -> bool:
        before = self.size
        if max(before) < 2:
            return False
        self.scale *= 2
        for cells in self._taken():
            self._keep(joined([in_joined_blocks(cells, before, self.size)]))
        return True

    def _cells(self, events: Events, begin: int) -> Cells:
        width, height = self.size
        bins = (events["t"] - begin) // self.bin_us
        index = (bins * height + events["y"] // self.scale) * width + events["x"] // self.scale
        on = events["p"].astype(np.int64)
        return joined([Cells(index, 1 - on, on)])


def joined(parts: list[Cells]) -> Cells:
    """Add up cells of the same number, up to :data:`MOST`."""
    if not parts:
        return Cells(*(np.zeros(0, np.int64) for _ in range(3)))
    index, place = np.unique(np.concatenate([part.index for part in parts]), return_inverse=True)
    counts = (
        np.bincount(place, np.concatenate([getattr(part, name) for part in parts]), len(index)).astype(np.int64)
        for name in ("off", "on")
    )
    return Cells(index, *(np.minimum(count, MOST) for count in counts))


def in_joined_bins(cells: Cells, area: int, half: int) -> Cells:
    """Number a chunk's cells as those of the first or second half of a chunk with bins twice as long."""
    bins, place = np.divmod(cells.index, area)
    return Cells((bins // 2 + half * BINS // 2) * area + place, cells.off, cells.on)


def in_joined_blocks(cells: Cells, before: tuple[int, int], after: tuple[int, int]) -> Cells:
    """Number cells as those of blocks twice as wide and as high."""
    rows, x = np.divmod(cells.index, before[0])
    bins, y = np.divmod(rows, before[1])
    return Cells((bins * after[1] + y // 2) * after[0] + x // 2, cells.off, cells.on)


def encode(cells: Cells) -> bytes:
    """Return a chunk's bytes; nothing where no cell is."""
    if not len(cells.index):
        return b""
    steps = np.diff(cells.index, prepend=0)
    leaps = (steps - 1).clip(0) // FARTHEST  # empty cells to go over
    place = np.arange(len(steps)) + np.cumsum(leaps)
    step = np.full(int(place[-1]) + 1, FARTHEST, np.int64)
    step[place] = steps - leaps * FARTHEST
    code = np.zeros(len(step), np.uint8)
    code[place] = cells.on * (MOST + 1) + cells.off
    return zlib.compress(np.concatenate([step & 255, step >> 8, code]).astype(np.uint8).tobytes(), 6)


def decode(chunk: bytes) -> Cells:
    """Return the cells of a chunk: the inverse of :func:`encode`."""
    if not chunk:
        return joined([])
    low, high, code = np.frombuffer(zlib.decompress(chunk), np.uint8).astype(np.int64).reshape(3, -1)
    index = np.cumsum(low + (high << 8))
    kept = code > 0
    return Cells(index[kept], code[kept] % (MOST + 1), code[kept] // (MOST + 1))
