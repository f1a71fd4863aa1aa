"""The sensor model fed one frame at a time; the equations are in :mod:`snnkd.recordings.sensor`."""

import math
import operator
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkd.errors import SnnkdWarning
from snnkd.events._threads import run
from snnkd.events._threads import threads as usual_threads
from snnkd.events.array import EVENT_DTYPE, Events, empty_events
from snnkd.recordings.sensor_model import MAX_RATE_HZ, MIN_THRESHOLD, SHORTEST_LEAK, SensorModel

DARK_OFFSET, FULL_SCALE = 20.0, 275.0
"""The bandwidth is in proportion to (I + 20)/275 (v2e): at 0 DN there is some left."""

BLOCK = 1 << 16
"""Pixels for each thread: a DAVIS346 has one, which does over a thousand frames a second.

With two it does a fifth to a third more where nothing else runs, and a fifth less where the cores are busy.
"""

LARGEST_TIME = 1 << 61

MOST_EVENTS = 1 << 20
"""Events, about, of one array that :meth:`EventSimulator.pieces` yields; on a sensor of over 2^17 pixels, 8 a pixel."""


class EventSimulator:
    """The sensor model fed one frame at a time; it remembers each pixel between the frames.

    ``shape`` is (H, W), integers. How a sequence is cut up does not matter: the arrays that ``step`` gives, put
    together, are :func:`simulate_events` of the whole. Nor does the number of ``threads``; when left out it is 2
    on a large sensor, and 1 on a small one and in a worker process. Raises ``TypeError`` for a ``sensor`` that is
    none, ``ValueError`` for an impossible shape or number of threads.
    """

    def __init__(self, sensor: SensorModel, shape: tuple[int, int], *, threads: int | None = None) -> None:
        if not isinstance(sensor, SensorModel):
            raise TypeError(f"sensor must be a SensorModel, such as SensorModel.davis346(), got {sensor!r}")
        height, width = _height_width(shape)
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.sensor = sensor
        self.shape = (height, width)
        pixels = height * width
        # Each kind of randomness draws from a stream of its own: noise on or off leaves the thresholds alone.
        fixed, self._noise, leak = (np.random.default_rng(s) for s in np.random.SeedSequence(sensor.seed).spawn(3))
        self._spread_on, self._spread_off = (
            _spread(threshold, sensor.threshold_spread * fixed.standard_normal(pixels))
            for threshold in (sensor.threshold_on, sensor.threshold_off)
        )
        # float64 scalars, as Python's would be brought down to float32 here.
        theta_on = np.float64(sensor.threshold_on) + self._spread_on
        theta_off = np.float64(sensor.threshold_off) + self._spread_off
        self._events_per_level = max((1 / theta).mean() for theta in (theta_on, theta_off))
        # Not a phase of the leak: pixels about to leak would answer the first motion with an ON event too many.
        self._difference = np.zeros(pixels)
        leaking = pixels if sensor.leak_rate_hz > 0 else 0
        rate = 10.0 ** (sensor.leak_spread_decades * leak.standard_normal(leaking))
        rate = np.minimum(rate, MAX_RATE_HZ / (sensor.leak_rate_hz or 1.0))
        self._leak_rate = rate.astype(np.float32)
        self._jitter = float(sensor.leak_jitter) if leaking else 0.0
        self._leak_state = leak.integers(1 << 64, size=pixels if self._jitter else 0, dtype=np.uint64)
        gap = np.maximum(1 + self._jitter * leak.standard_normal(leaking), SHORTEST_LEAK)
        self._leak_pace = (rate / gap).astype(np.float32)
        self._noise_hz = sensor.shot_noise_hz * pixels + sensor.leak_rate_hz * float(rate.sum())
        self._last = np.full(pixels, np.iinfo(np.int64).min // 2)
        self._level: NDArray[np.float64] | None = None
        self._target = np.zeros(pixels)
        self._table: NDArray[np.float64] | None = None
        self._time = 0
        self._frames = 0
        self._brightest, self._told_of_scale = 0.0, False
        blocks = min(threads or min(usual_threads(), 2, pixels // BLOCK), pixels) or 1
        self._blocks = list(pairwise(pixels * i // blocks for i in range(blocks + 1)))
        self._buffers = [np.empty((stop - first) // 4 + 16, EVENT_DTYPE) for first, stop in self._blocks]

    def step(self, frame: ArrayLike, t_us: int) -> Events:
        """Events after the last frame's time and up to ``t_us``, sorted by time; none for the first frame.

        ``frame``: (H, W), uint8 or any real type, 0..255 DN. ``t_us``: integer µs, later than the last.
        Raises ``ValueError`` for another shape, a value out of range, or a time that does not grow. Warns once, as
        :class:`SnnkdWarning`, of frames of floats that are all within 0..1.
        """
        parts = list(self.pieces(frame, t_us))
        return parts[0] if len(parts) == 1 else np.concatenate([empty_events(), *parts])

    def pieces(self, frame: ArrayLike, t_us: int) -> Iterator[Events]:
        """The events of :meth:`step` in arrays that follow each other, of about a million events at most.

        There is one for all but very long or very busy intervals. The frame is checked and taken at once; the events
        are made as they are asked for. An interval that is left before its last piece is over at the time of the last
        piece that was taken; asking for more of it after another frame is a ``RuntimeError``.
        """
        (image, brightest), time = self._checked(frame), _integer_us(t_us)
        if self._level is not None and time <= self._time:
            raise ValueError(
                f"timestamps must grow strictly: frame {self._frames} is at {time} µs after {self._time} µs"
            )
        self._look_at_scale(brightest)
        self._frames += 1
        if self._level is None:
            self._level, self._time = self._receive(image, 0)[0].copy(), time
            return iter(())
        interval = time - self._time
        target, way = self._receive(image, interval)
        expected = self._noise_hz * 1e-6 * interval + way * 1e-6 * self._events_per_level
        count = min(math.ceil(expected / max(MOST_EVENTS, 8 * len(target))) or 1, interval)
        ends = [self._time + interval * i // count for i in range(1, count + 1)]
        if self.sensor.shot_noise_hz > 0:
            image = image.copy()  # whoever takes the pieces may fill the frame anew before the last
        return self._walk(image, target, ends, self._frames)

    def _walk(self, image: Any, target: NDArray[np.float64], ends: Sequence[int], frames: int) -> Iterator[Events]:
        """Yield the events up to each of the times ``ends``, on the way to ``target`` at the last of them."""
        for end in ends:
            if self._frames != frames or self._level is None:
                raise RuntimeError("another frame has been taken since: this interval is over")
            yield self._advance(image, self._level, target, ends[-1], end)

    def _look_at_scale(self, brightest: float) -> None:
        """Warn once where all frames so far, of two or more, are floats within 0..1."""
        self._brightest = max(self._brightest, brightest)
        if self._frames and 0 < self._brightest <= 1 and not self._told_of_scale:
            self._told_of_scale = True
            warnings.warn(
                f"the frames are floats of at most {self._brightest:g}, expected 0..255; multiply those of 0..1 by 255",
                SnnkdWarning,
                stacklevel=4,
            )

    def _receive(self, image: NDArray[Any], interval: int) -> tuple[NDArray[np.float64], int]:
        """Output of the photoreceptor for ``image``, ``interval`` µs after the last, and how far it moves in all."""
        from snnkd.recordings._photoreceptor_kernel import decays, log_levels, respond, respond_by_table

        knee = float(self.sensor.linear_below)
        law = (knee, math.log(knee) / knee)
        level = self._level
        rate = 2e-6 * math.pi * self.sensor.cutoff_hz * interval / FULL_SCALE
        if level is None or rate == 0:  # the first frame is where the photoreceptor has always been
            rate = math.inf
        levels = (self._target if level is None else level, self._target)
        kernel: Callable[..., Any]
        arguments: tuple[Any, ...]
        if image.dtype == np.uint8:
            if self._table is None:
                self._table = log_levels(np.arange(256.0), *law)
            kernel, arguments = respond_by_table, (self._table, decays(np.arange(256.0), rate, DARK_OFFSET))
        else:
            kernel, arguments = respond, (*law, rate, DARK_OFFSET)
        ways = self._run(kernel, [(image, *arguments, *levels, *block) for block in self._blocks])
        return self._target, sum(ways)

    def _run(self, kernel: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
        """Results of a kernel for each block of pixels, side by side."""
        return run([partial(kernel, *arguments) for arguments in calls], min(len(calls), os.cpu_count() or 1))

    def _advance(
        self, image: NDArray[Any], level: NDArray[np.float64], target: NDArray[np.float64], arrival: int, end: int
    ) -> Events:
        """Move on to ``end``, on the way from ``level`` now to ``target`` at the time ``arrival``."""
        from snnkd.recordings._sensor_kernel import advance

        piece, interval = end - self._time, arrival - self._time
        sensor = self.sensor
        thetas = (float(sensor.threshold_on), float(sensor.threshold_off), self._spread_on, self._spread_off)
        leak = (sensor.leak_rate_hz * 1e-6, self._jitter, self._leak_rate, self._leak_pace, self._leak_state)
        clock = (self._time, self.shape[1], interval, piece, int(sensor.refractory_us))
        pixels = (level, target, self._difference, self._last, *thetas, *leak, *clock, *self._shot_noise(image, piece))
        blocks = zip(self._blocks, self._buffers, strict=True)
        results = self._run(advance, [(*block, *pixels, buffer) for block, buffer in blocks])
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

    def _checked(self, frame: ArrayLike) -> tuple[NDArray[Any], float]:
        """Return the pixels of a frame, (H·W,) uint8, float32 or float64, and the brightest, 255 for integers."""
        image = np.asarray(frame)
        if image.shape != self.shape:
            raise ValueError(f"frame {self._frames} has shape {image.shape}, expected (H, W) = {self.shape}")
        if image.dtype.kind not in "uif":
            raise ValueError(f"frame {self._frames} has type {image.dtype}, expected uint8 or a real number")
        brightest, floats = 255.0, image.dtype.kind == "f"
        if image.dtype not in (np.uint8, np.float32, np.float64):
            image = image.astype(np.float64)
        if image.dtype != np.uint8:
            low, high = image.min(), image.max()
            if not (low >= 0 and high <= 255):  # written so that NaN fails too
                raise ValueError(f"frame {self._frames} has values in {low}..{high}, expected 0..255")
            if floats:
                brightest = float(high)
        # Any other layout of memory would have the kernels compiled anew.
        return np.require(image, requirements=["C", "ALIGNED", "WRITEABLE"]).ravel(), brightest

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
        # Thinning: drawn everywhere at the dark rate, kept with the rate's fall towards bright, here the end's.
        keep = rng.random(count) < 1 - 0.75 * image.ravel()[pixel].astype(np.float64) / 255
        pixel, offset, on = pixel[keep], offset[keep], on[keep]
        order = np.lexsort((offset, pixel))
        return pixel[order], offset[order], on[order]


def _spread(threshold: float, spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """What a pixel's threshold is above ``threshold``, so that it is at least ``MIN_THRESHOLD``.

    In float32, which is half the memory, and memory is what the kernel waits for.
    """
    most = float(np.finfo(np.float32).max)
    found = np.clip(spread, max(MIN_THRESHOLD - float(threshold), -most), most).astype(np.float32)
    return np.nextafter(found, np.float32(np.inf), where=np.float64(threshold) + found < MIN_THRESHOLD, out=found)


def _height_width(shape: tuple[int, int]) -> tuple[int, int]:
    limit = np.iinfo(np.int16).max + 1
    try:
        height, width = (operator.index(n) for n in shape)
    except (TypeError, ValueError):
        height = width = 0
    if not (0 < height <= limit and 0 < width <= limit):
        raise ValueError(f"shape must be (H, W), two integers in 1..{limit}, got {shape!r}")
    return height, width


def _integer_us(t_us: int) -> int:
    if isinstance(t_us, bool) or not isinstance(t_us, int | np.integer):
        raise ValueError(f"a timestamp must be an integer of µs, got {t_us!r}")
    if not -LARGEST_TIME <= t_us <= LARGEST_TIME:
        raise ValueError(f"a timestamp must lie within ±2^61 µs, got {t_us}")
    return int(t_us)
