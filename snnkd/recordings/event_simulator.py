"""The sensor model fed one frame at a time; the equations are in :mod:`snnkd.recordings.sensor`."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkd.events._threads import threads as usual_threads
from snnkd.events.array import EVENT_DTYPE, Events, empty_events
from snnkd.recordings._sensor_threads import run
from snnkd.recordings.sensor_model import MIN_THRESHOLD, SHORTEST_LEAK, SensorModel

DARK_OFFSET, FULL_SCALE = 20.0, 275.0
"""The bandwidth is in proportion to (I + 20)/275 (v2e): at 0 DN there is some left."""

BLOCK = 1 << 15
"""Pixels below which waking a second thread costs more than it brings."""

LARGEST_TIME = 1 << 61

MOST_EVENTS = 1 << 20
"""Events, about, of one array that :meth:`EventSimulator.pieces` yields; on a sensor of over 2^17 pixels, 8 a pixel."""


class EventSimulator:
    """The sensor model fed one frame at a time; it remembers each pixel between the frames.

    ``shape`` is (H, W). How a sequence is cut up does not matter: the arrays that ``step`` gives, put
    together, are :func:`simulate_events` of the whole. Nor does the number of ``threads``; when left out it is 2
    on a large sensor, and 1 on a small one and in a worker process.
    """

    def __init__(self, sensor: SensorModel, shape: tuple[int, int], *, threads: int | None = None) -> None:
        height, width = (int(n) for n in shape)
        limit = np.iinfo(np.int16).max + 1
        if not (0 < height <= limit and 0 < width <= limit):
            raise ValueError(f"shape must be (H, W) with both in 1..{limit}, got {tuple(shape)}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.sensor = sensor
        self.shape = (height, width)
        pixels = height * width
        # Each kind of randomness draws from a stream of its own: noise on or off leaves the thresholds alone.
        fixed, self._noise, leak = (np.random.default_rng(s) for s in np.random.SeedSequence(sensor.seed).spawn(3))
        spread = sensor.threshold_spread * fixed.standard_normal((2, pixels))
        self._theta_on = np.maximum(sensor.threshold_on + spread[0], MIN_THRESHOLD)
        self._theta_off = np.maximum(sensor.threshold_off + spread[1], MIN_THRESHOLD)
        self._events_per_level = max((1 / theta).mean() for theta in (self._theta_on, self._theta_off))
        phase = fixed.random(pixels) if sensor.leak_rate_hz > 0 else np.zeros(pixels)
        self._difference = phase * self._theta_on
        self._jitter = float(sensor.leak_jitter) if sensor.leak_rate_hz > 0 else 0.0
        self._leak_state = leak.integers(1 << 64, size=pixels if self._jitter else 0, dtype=np.uint64)
        self._leak_pace = 1 / np.maximum(1 + self._jitter * leak.standard_normal(len(self._leak_state)), SHORTEST_LEAK)
        self._last = np.full(pixels, np.iinfo(np.int64).min // 2)
        self._level: NDArray[np.float64] | None = None
        self._target, self._moved, self._busy = np.zeros(pixels), np.empty(pixels), np.empty(pixels, np.bool_)
        self._table: NDArray[np.float64] | None = None
        self._time = 0
        self._frames = 0
        blocks = min(threads or min(usual_threads(), 2, pixels // BLOCK), pixels) or 1
        self._blocks = list(pairwise(pixels * i // blocks for i in range(blocks + 1)))
        self._buffers = [np.empty((stop - first) // 4 + 16, EVENT_DTYPE) for first, stop in self._blocks]

    def step(self, frame: ArrayLike, t_us: int) -> Events:
        """Events after the last frame's time and up to ``t_us``, sorted by time; none for the first frame.

        ``frame``: (H, W), uint8 or any real type, 0..255 DN. ``t_us``: integer µs, later than the last.
        Raises ``ValueError`` for another shape, a value out of range, or a time that does not grow.
        """
        parts = list(self.pieces(frame, t_us))
        return parts[0] if len(parts) == 1 else np.concatenate([empty_events(), *parts])

    def pieces(self, frame: ArrayLike, t_us: int) -> Iterator[Events]:
        """Yield the events of :meth:`step` in arrays that follow each other, of about a million events at most.

        There is one for all but very long or very busy intervals. An interval that is left before its last piece
        is over at the time of the last piece that was taken; asking for more of it after another frame is a
        ``RuntimeError``.
        """
        image, time = self._checked(frame), _integer_us(t_us)
        if self._level is None:
            self._level = self._receive(image, 0)[0].copy()
            self._time, self._frames = time, 1
            return
        if time <= self._time:
            raise ValueError(
                f"timestamps must grow strictly: frame {self._frames} is at {time} µs after {self._time} µs"
            )
        interval = time - self._time
        target, way = self._receive(image, interval)
        self._frames += 1
        own = (self.sensor.shot_noise_hz + self.sensor.leak_rate_hz) * 1e-6 * interval * len(target)
        expected = own + way * 1e-6 * self._events_per_level
        count = min(math.ceil(expected / max(MOST_EVENTS, 8 * len(target))) or 1, interval)
        start, frames = self._time, self._frames
        for i in range(1, count + 1):
            if self._frames != frames:
                raise RuntimeError("another frame has been taken since: this interval is over")
            yield self._advance(image, self._level, target, time, start + interval * i // count)

    def _receive(self, image: NDArray[Any], interval: int) -> tuple[NDArray[np.float64], int]:
        """Output of the photoreceptor for ``image``, ``interval`` µs after the last, and how far it moves in all."""
        from snnkd.recordings._sensor_kernel import log_levels, respond, respond_exactly

        linear_below = float(self.sensor.linear_below)
        level = self._level
        rate = 2e-6 * math.pi * self.sensor.cutoff_hz * interval / FULL_SCALE
        if level is None:  # the first frame is where the photoreceptor has always been
            level, rate = self._target, 0.0
        calls: list[tuple[Any, tuple[Any, ...]]]
        if image.dtype == np.uint8:
            if self._table is None:
                self._table = log_levels(np.arange(256.0), linear_below)
            decays = np.exp(-rate * (np.arange(256.0) + DARK_OFFSET)) if rate > 0 else np.zeros(256)
            tables = (self._table, decays)
            calls = [(respond, (image, *tables, level, self._target, *block)) for block in self._blocks]
        else:
            law = (linear_below, rate, DARK_OFFSET)
            calls = [(respond_exactly, (image, *law, level, self._target, *block)) for block in self._blocks]
        return self._target, sum(run(calls))

    def _advance(
        self, image: NDArray[Any], level: NDArray[np.float64], target: NDArray[np.float64], arrival: int, end: int
    ) -> Events:
        """Move on to ``end``, on the way from ``level`` now to ``target`` at the time ``arrival``."""
        from snnkd.recordings._sensor_kernel import advance

        piece, interval = end - self._time, arrival - self._time
        state = (self._difference, self._last, self._theta_on, self._theta_off)
        leak = (self.sensor.leak_rate_hz * 1e-6, self._jitter, self._leak_pace, self._leak_state)
        clock = (self._time, self.shape[1], interval, piece, int(self.sensor.refractory_us))
        noise = self._shot_noise(image, piece)
        results = run(
            [
                (advance, (*block, level, target, *state, *leak, *clock, *noise, self._moved, self._busy, buffer))
                for block, buffer in zip(self._blocks, self._buffers, strict=True)
            ]
        )
        self._difference, self._moved = self._moved, self._difference
        if end == arrival:
            self._level, self._target = target, level
        else:
            level += (target - level) * (piece / interval)
        self._buffers = [buffer for buffer, _ in results]
        found = np.concatenate([buffer[:count] for buffer, count in results])
        # A key of 16 bits gets NumPy's radix sort. It is stable, so equal times stay in pixel order.
        key = (found["t"] - self._time).astype(np.uint16 if piece < 1 << 16 else np.int64)
        self._time = end
        return found[np.argsort(key, kind="stable")]

    def _checked(self, frame: ArrayLike) -> NDArray[Any]:
        """Return the pixels of a frame, (H·W,) uint8 or float64."""
        image = np.asarray(frame)
        if image.shape != self.shape:
            raise ValueError(f"frame {self._frames} has shape {image.shape}, expected (H, W) = {self.shape}")
        if image.dtype == np.uint8:
            return np.ascontiguousarray(image).ravel()
        if image.dtype.kind not in "iuf":
            raise ValueError(f"frame {self._frames} has type {image.dtype}, expected uint8 or a real number")
        values = image.astype(np.float64).ravel()
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 255):  # written so that NaN fails too
            raise ValueError(f"frame {self._frames} has values in {low}..{high}, expected 0..255")
        return values

    def _shot_noise(
        self, image: NDArray[np.generic], interval: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Noise events of one interval, by pixel and then time: pixel, offset in 1..interval µs, polarity."""
        rng, pixels = self._noise, self._difference.size
        expected = self.sensor.shot_noise_hz * 1e-6 * interval * pixels
        count = int(rng.poisson(expected)) if expected > 0 else 0
        pixel = rng.integers(pixels, size=count)
        offset = rng.integers(1, interval + 1, size=count)
        on = rng.random(count) < 0.5
        # Thinning: drawn everywhere at the dark rate, kept with the rate's fall towards bright.
        keep = rng.random(count) < 1 - 0.75 * image.ravel()[pixel].astype(np.float64) / 255
        pixel, offset, on = pixel[keep], offset[keep], on[keep]
        order = np.lexsort((offset, pixel))
        return pixel[order], offset[order], on[order]


def _integer_us(t_us: int) -> int:
    if isinstance(t_us, bool) or not isinstance(t_us, int | np.integer):
        raise ValueError(f"a timestamp must be an integer of µs, got {t_us!r}")
    if not -LARGEST_TIME <= t_us <= LARGEST_TIME:
        raise ValueError(f"a timestamp must lie within ±2^61 µs, got {t_us}")
    return int(t_us)
