"""Events of each pixel, summed up chunk by chunk in memory that the recording's events bound, not its sensor's size.

Up to :data:`DENSE` pixels, more than any camera has, there is a counter for each. A larger sensor is a text file's
largest coordinate, or damage; then only the pixels that fired are kept, as their sorted numbers ``y·W + x`` and counts.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.events.filters import RADIUS, hot_in_counts

DENSE = 1 << 22
"""Pixels of a sensor up to which each has a counter, 32 MB of them."""


class PixelCounts:
    """Counts of a sensor of (W, H)."""

    def __init__(self, sensor_size: tuple[int, int]) -> None:
        self._width, self._height = sensor_size
        pixels = self._width * self._height
        self._dense = np.zeros((self._height, self._width), np.int64) if pixels <= DENSE else None
        self._pixels, self._counts = np.empty(0, np.int64), np.empty(0, np.int64)

    def add(self, events: Events) -> None:
        """Count events (N,), all inside the sensor."""
        from snnkd.recordings._event_kernel import count_pixels

        if self._dense is not None:
            count_pixels(events, self._dense)
            return
        fired, counts = np.unique(events["y"].astype(np.int64) * self._width + events["x"], return_counts=True)
        merged = np.union1d(self._pixels, fired)
        total = np.zeros(len(merged), np.int64)
        total[np.searchsorted(merged, self._pixels)] += self._counts
        total[np.searchsorted(merged, fired)] += counts
        self._pixels, self._counts = merged, total

    @property
    def busiest(self) -> int:
        """Events of the pixel that has the most."""
        return int((self._counts if self._dense is None else self._dense).max(initial=0))

    def hot(self) -> list[list[int]]:
        """``[x, y, events]`` of each hot pixel by :func:`snnkd.events.hot_pixels`'s rule, busiest first."""
        if self._dense is None:
            found = self._hot_of_few()
        else:
            y, x = np.nonzero(hot_in_counts(self._dense))
            found = np.stack([x, y, self._dense[y, x]], axis=1)
        return sorted(found.tolist(), key=lambda pixel: -pixel[2])

    def _hot_of_few(self, factor: float = 10.0) -> NDArray[np.int64]:
        """The rule of ``hot_in_counts`` on the pixels that fired."""
        if not len(self._pixels):
            return np.empty((0, 3), np.int64)
        candidates = np.flatnonzero(self._counts >= factor * np.median(self._counts))
        y, x = np.divmod(self._pixels[candidates], self._width)
        steps = np.arange(-RADIUS, RADIUS + 1)
        across, down = (grid.ravel() for grid in np.meshgrid(steps, steps))
        other = (across != 0) | (down != 0)
        around_x, around_y = x[:, None] + across[other], y[:, None] + down[other]
        inside = (around_x >= 0) & (around_x < self._width) & (around_y >= 0) & (around_y < self._height)
        others = np.where(inside, self._at(around_y * self._width + around_x), -1)
        others = np.sort(others, axis=1)[:, ::-1]
        rank = -(-inside.sum(1) // 8)
        hot = self._counts[candidates] >= factor * others[np.arange(len(candidates)), np.maximum(rank - 1, 0)]
        return np.stack([x, y, self._counts[candidates]], axis=1)[hot]

    def _at(self, pixels: NDArray[Any]) -> NDArray[np.int64]:
        """Counts of pixels by their numbers, 0 where none fired."""
        places = np.minimum(np.searchsorted(self._pixels, pixels), len(self._pixels) - 1)
        return np.where(self._pixels[places] == pixels, self._counts[places], 0)
