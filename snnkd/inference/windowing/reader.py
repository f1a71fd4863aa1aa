"""Events in chunks of any length to windows as a network sees them, without holding more than a block of either."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError
from snnkd.events.array import Events
from snnkd.inference.windowing.kernel import HOT, OUTSIDE, fill_windows
from snnkd.inference.windowing.region import Crop
from snnkd.recordings._windows import MOST_SILENCE

BLOCK = 32
"""Windows of a block"""


class Block(NamedTuple):
    """Consecutive windows."""

    start_us: NDArray[np.int64]
    """``(T,)``"""
    bins: NDArray[np.uint16]
    """``(T, 2, H, W)`` counts, OFF and ON"""
    arrived: NDArray[np.int64]
    """``(T,)`` events of the whole sensor"""
    events: NDArray[np.int64]
    """``(T,)`` of them, those that the network is given"""
    active: NDArray[np.int64]
    """``(T,)`` pixels of the region that fired at least once"""


class WindowReader:
    """Cuts a stream into windows.

    Args:
        sensor_size: (W, H).
        region: (x0, y0, w, h) on the sensor that the network sees.
        size: (W, H) of its input; the region's pixels are mapped onto it as by :func:`snnkd.events.bin_events`.
        start_us: where the first window begins.
        step_us: from one window to the next.
        window_us: how much of a step is counted.
        hot: mask (H, W) of pixels that are left out.
        block: windows that come out together; 1 gives each as soon as it is over.
    """

    def __init__(
        self,
        sensor_size: tuple[int, int],
        region: Crop,
        size: tuple[int, int],
        start_us: int,
        step_us: int,
        window_us: int,
        hot: NDArray[np.bool_] | None = None,
        block: int = BLOCK,
    ) -> None:
        self.block = block
        width, height = self.sensor_size = sensor_size
        self.size, self.step_us, self.window_us = size, step_us, window_us
        self._pixels = np.full((height * width, 2), OUTSIDE, np.int32)
        self._pixels[:, 1] = np.iinfo(np.int32).min
        places = self._pixels[:, 0].reshape(height, width)
        x, y, w, h = region
        columns, rows = np.arange(w) * size[0] // w, np.arange(h) * size[1] // h
        places[y : y + h, x : x + w] = rows[:, None] * size[0] + columns
        if hot is not None:
            places[hot] = HOT
        self.region, self.hot_events = region, 0
        self.pixels_seen = int((places >= 0).sum())
        self.start_us = self._block_us = start_us
        self._last_us = start_us
        self._newest_us: int | None = None  # time of the last event
        self._slot = 0
        self._fresh()

    def _fresh(self) -> None:
        self._bins = np.zeros((self.block, 2 * self.size[0] * self.size[1]), np.uint16)
        self._tallies = np.zeros((self.block, 4), np.int64)

    def feed(self, events: Events) -> Iterator[Block]:
        """Take events that follow those before; yield the blocks that they fill.

        Raises:
            ValueError: an event outside the sensor, or before the one that precedes it.
            RecordingError: time jumps over more than :data:`MOST_SILENCE` windows.
        """
        if not len(events):
            return
        if int(events["t"][0]) < self._last_us:
            raise ValueError(f"time runs backwards: {int(events['t'][0])} µs after {self._last_us} µs")
        begin = 0
        while True:
            begin, slot = fill_windows(
                events,
                begin,
                self._pixels,
                self.sensor_size,
                self._block_us,
                self.step_us,
                self.window_us,
                self._slot,
                self.size[0] * self.size[1],
                self._bins,
                self._tallies,
            )
            if begin < 0:
                event = events[-begin - 1]
                size = "{}×{}".format(*self.sensor_size)
                raise ValueError(f"event ({event['x']}, {event['y']}) lies outside the sensor of {size}")
            if slot - self._slot > MOST_SILENCE:
                time = int(events["t"][begin])
                raise RecordingError(
                    f"time jumps: an event is at {time} µs after {self._last_us} µs, more than {MOST_SILENCE} windows "
                    f"of {self.step_us} µs; repair or cut the recording there"
                )
            if slot < self.block:
                self._slot = slot
                break
            yield self._take(self.block)
            self._slot = slot - self.block
            while self._slot >= self.block:  # silence
                yield self._take(self.block)
                self._slot -= self.block
        self._last_us = self._newest_us = int(events["t"][-1])

    def until(self, time_us: int) -> Iterator[Block]:
        """Yield the windows that end at or before ``time_us``; no event before it is to come."""
        done = (time_us - self._block_us) // self.step_us
        while done > 0:
            number = min(done, self.block)
            open_slot = self._slot
            rest, tallies = self._bins[number:], self._tallies[number:]
            yield self._take(number)
            if number < self.block and open_slot >= number:
                self._bins[: self.block - number], self._tallies[: self.block - number] = rest, tallies
            self._slot = max(open_slot - number, 0)
            done -= number
        self._last_us = max(self._last_us, time_us)

    def finish(self) -> Iterator[Block]:
        """Yield what is left, up to the window of the last event; nothing where that was given already."""
        if self._newest_us is not None and self._newest_us >= self._block_us:
            yield self._take(self._slot + 1)

    def _take(self, number: int) -> Block:
        starts = self._block_us + self.step_us * np.arange(number, dtype=np.int64)
        bins, tallies = self._bins[:number], self._tallies[:number]
        self._block_us += number * self.step_us
        self.hot_events += int(tallies[:, 3].sum())
        self._fresh()
        width, height = self.size
        return Block(starts, bins.reshape(number, 2, height, width), tallies[:, 0], tallies[:, 1], tallies[:, 2])
