"""How many events came when, of a stream whose length is not known before its end."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkd.events.array import Events

BINS = 1024
BLOCKS = "▁▂▃▄▅▆▇█"


class Activity:
    """Counts in at most 1024 bins of equal width from the first event on.

    A bin begins as 1 ms; each time the stream outgrows the bins, neighbours are joined and the width doubles, so that
    every event is in exactly one bin and memory stays what it is. :attr:`bin_us` is the width.
    """

    def __init__(self) -> None:
        self.bin_us = 1000
        self._counts = np.zeros(BINS, np.int64)
        self._start: int | None = None
        self._used = 0

    def add(self, events: Events) -> None:
        """Count events, (N,) with times that never decrease, none of them before the first ever added."""
        if not len(events):
            return
        if self._start is None:
            self._start = int(events["t"][0])
        last = int(events["t"][-1]) - self._start
        while last >= BINS * self.bin_us:
            self._counts[: BINS // 2] = self._counts.reshape(-1, 2).sum(1)
            self._counts[BINS // 2 :] = 0
            self.bin_us *= 2
        # Unsigned, where the difference of two times may be beyond the largest int64.
        offsets = events["t"].astype(np.uint64) - np.uint64(self._start % 2**64)
        self._counts += np.bincount((offsets // np.uint64(self.bin_us)).astype(np.int64), minlength=BINS)
        self._used = last // self.bin_us + 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Events of each bin up to the last event's, (B,)."""
        return self._counts[: self._used]


def chart(counts: ArrayLike, columns: int = 60, last: float = 1.0) -> str:
    """Draw counts ``(B,)`` as one line of blocks: the tallest for the busiest stretch, a space for silence.

    Of the last bin only a part may be over: ``last``, above 0. With less than half it is joined to the one before.
    """
    counts = np.asarray(counts)
    widths = np.ones(len(counts))
    widths[-1:] = min(last, 1.0)
    if last < 0.5 and len(counts) > 1:
        counts, widths = np.append(counts[:-2], counts[-2:].sum()), np.append(widths[:-2], widths[-2:].sum())
    columns = min(columns, len(counts))
    if not counts.any():
        return " " * columns
    edges = np.arange(columns + 1) * len(counts) // columns
    rates = np.add.reduceat(counts, edges[:-1]) / np.add.reduceat(widths, edges[:-1])
    heights = np.ceil(rates / rates.max() * len(BLOCKS)).astype(int)
    return "".join(" " if h == 0 else BLOCKS[h - 1] for h in heights)
