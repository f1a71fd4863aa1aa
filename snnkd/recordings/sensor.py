"""Sensor model: what an event camera would have sent for a sequence of intensity frames.

The level of a pixel is the lin-log of its intensity ``I`` in DN (0..255), with ``I0 = linear_below``:

    L(I) = ln(I)                 for I > I0
    L(I) = I · ln(I0) / I0       for I <= I0

so it is continuous, and dark pixels do not fire at every unit of noise. Between two frames ``L`` moves on a
straight line. A pixel keeps a memorised level ``M`` and fires

    ON   when L − M reaches  θ_on,  then M += θ_on
    OFF  when L − M reaches −θ_off, then M −= θ_off

as often as the line crosses, each time at its own microsecond. On top of that come, each off when zero:

- threshold spread: θ_on and θ_off of a pixel are drawn once from N(θ, spread²), at least 0.01;
- refractory period: a crossing less than ``refractory_us`` after the pixel's last event moves ``M`` and sends
  nothing (ESIM's rule; no pixel sends two events closer than that);
- leak: ``M`` sinks by ``θ_on · leak_rate_hz`` per second, which in a still scene makes ON events at that
  rate; each pixel starts at its own phase, so that they do not all fire together;
- shot noise: events of either polarity from a Poisson process of rate ``shot_noise_hz · (1 − 0.75·I/255)``
  per pixel (a bright pixel has a quarter of the dark rate); such an event resets the pixel, ``M = L``.

Sources: v2e (Hu, Liu, Delbruck, CVPRW 2021) for lin-log, spread, leak and shot noise; ESIM (Rebecq, Gehrig,
Scaramuzza, CoRL 2018) for the interpolated crossings and the refractory period. The photoreceptor's bandwidth
is not modelled.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkd.events.array import EVENT_DTYPE, Events, empty_events

MIN_THRESHOLD = 0.01
"""Lower end of a pixel's own threshold: below it, spread would make pixels that fire without end."""


@dataclass(frozen=True)
class SensorModel:
    """Parameters of the sensor model; the equations are in :mod:`snnkd.recordings.sensor`.

    Attributes:
        threshold_on: contrast threshold of ON events, in log units, at least 0.01.
        threshold_off: contrast threshold of OFF events, in log units, at least 0.01.
        threshold_spread: standard deviation of both over the pixels, in log units.
        linear_below: intensity in DN up to which the level is linear, more than 1.
        refractory_us: shortest time between two events of a pixel, in µs.
        leak_rate_hz: leak events per pixel and second.
        shot_noise_hz: shot noise events per pixel and second in the dark.
        seed: of everything random here; the same seed gives the same sensor and the same noise.

    Raises ``ValueError`` that names the field which is out of range.
    """

    threshold_on: float = 0.3
    threshold_off: float = 0.3
    threshold_spread: float = 0.03
    linear_below: float = 20.0
    refractory_us: int = 0
    leak_rate_hz: float = 0.02
    shot_noise_hz: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in [
            ("threshold_on", MIN_THRESHOLD),
            ("threshold_off", MIN_THRESHOLD),
            ("threshold_spread", 0.0),
            ("leak_rate_hz", 0.0),
            ("shot_noise_hz", 0.0),
        ]:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= low):
                raise ValueError(f"{name} must be a finite number of at least {low:g}, got {value!r}")
        if not (math.isfinite(self.linear_below) and self.linear_below > 1):
            raise ValueError(f"linear_below must be a finite number above 1, got {self.linear_below!r}")
        for name in ("refractory_us", "seed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise ValueError(f"{name} must be an integer of at least 0, got {value!r}")

    @classmethod
    def noiseless(cls, threshold: float = 0.3) -> "SensorModel":
        """The ideal sensor: one threshold for all pixels and polarities, no leak, no noise, no dead time."""
        return cls(threshold, threshold, threshold_spread=0.0, leak_rate_hz=0.0, shot_noise_hz=0.0)

    @classmethod
    def davis346(cls, seed: int = 0) -> "SensorModel":
        """A DAVIS346 that looks at an eye.

        Fitted to 1.2 s of an EVBEYE recording (user 9, left eye) without its four hot pixels: 263,549 events,
        53% of them ON, against 259,579 real ones, 52% ON. The refractory period is the interval at which its
        hottest pixels fire; the noise rates are those of its pixels that see no motion.
        """
        return cls(0.34, 0.32, refractory_us=67, seed=seed)


class EventSimulator:
    """The sensor model fed one frame at a time; it remembers each pixel between the frames.

    ``shape`` is (H, W). How a sequence is cut up does not matter: the arrays that ``step`` gives, put
    together, are :func:`simulate_events` of the whole.
    """

    def __init__(self, sensor: SensorModel, shape: tuple[int, int]) -> None:
        height, width = (int(n) for n in shape)
        limit = np.iinfo(np.int16).max + 1
        if not (0 < height <= limit and 0 < width <= limit):
            raise ValueError(f"shape must be (H, W) with both in 1..{limit}, got {tuple(shape)}")
        self.sensor = sensor
        self.shape = (height, width)
        pixels = height * width
        # Sensor and noise draw from streams of their own: noise on or off leaves the thresholds alone.
        fixed, self._noise = (np.random.default_rng(s) for s in np.random.SeedSequence(sensor.seed).spawn(2))
        spread = sensor.threshold_spread * fixed.standard_normal((2, pixels))
        self._theta_on = np.maximum(sensor.threshold_on + spread[0], MIN_THRESHOLD)
        self._theta_off = np.maximum(sensor.threshold_off + spread[1], MIN_THRESHOLD)
        phase = fixed.random(pixels) if sensor.leak_rate_hz > 0 else np.zeros(pixels)
        self._difference = phase * self._theta_on
        self._last = np.full(pixels, np.iinfo(np.int64).min // 2)
        self._level: NDArray[np.float64] | None = None
        self._table: NDArray[np.float64] | None = None
        self._time = 0
        self._frames = 0
        self._buffer = np.empty(pixels // 4 + 16, EVENT_DTYPE)

    def step(self, frame: ArrayLike, t_us: int) -> Events:
        """Events after the last frame's time and up to ``t_us``, sorted by time; none for the first frame.

        ``frame``: (H, W), uint8 or any real type, 0..255 DN. ``t_us``: integer µs, later than the last.
        Raises ``ValueError`` for another shape, a value out of range, or a time that does not grow.
        """
        from snnkd.recordings._sensor_kernel import advance

        image = np.asarray(frame)
        time = _integer_us(t_us)
        if self._level is not None and time <= self._time:
            raise ValueError(
                f"timestamps must grow strictly: frame {self._frames} is at {time} µs after {self._time} µs"
            )
        level = self._levels(image)
        events = empty_events()
        if self._level is not None:
            interval = time - self._time
            self._buffer, count = advance(
                self._level,
                level,
                self._difference,
                self._last,
                self._theta_on,
                self._theta_off,
                self.sensor.leak_rate_hz * 1e-6,
                self._time,
                self.shape[1],
                interval,
                int(self.sensor.refractory_us),
                *self._shot_noise(image, interval),
                self._buffer,
            )
            found = self._buffer[:count]
            # A key of 16 bits gets NumPy's radix sort. It is stable, so equal times stay in pixel order.
            key = (found["t"] - self._time).astype(np.uint16 if interval < 1 << 16 else np.int64)
            events = found[np.argsort(key, kind="stable")]
        else:
            self._level = level
        self._time = time
        self._frames += 1
        return events

    def _levels(self, image: NDArray[np.generic]) -> NDArray[np.float64]:
        """Lin-log levels (H·W,) of a frame that has been checked."""
        from snnkd.recordings._sensor_kernel import log_levels

        if image.shape != self.shape:
            raise ValueError(f"frame {self._frames} has shape {image.shape}, expected (H, W) = {self.shape}")
        linear_below = float(self.sensor.linear_below)
        if image.dtype == np.uint8:
            if self._table is None:
                self._table = log_levels(np.arange(256.0), linear_below)
            return self._table[image.ravel()]
        if image.dtype.kind not in "iuf":
            raise ValueError(f"frame {self._frames} has type {image.dtype}, expected uint8 or a real number")
        values = image.astype(np.float64).ravel()
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 255):  # written so that NaN fails too
            raise ValueError(f"frame {self._frames} has values in {low}..{high}, expected 0..255")
        return log_levels(values, linear_below)

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


def simulate_events(
    frames: NDArray[np.generic] | Iterable[ArrayLike],
    timestamps_us: Sequence[int] | NDArray[np.integer],
    sensor: SensorModel | None = None,
) -> Events:
    """Events that ``sensor`` sends for a sequence of frames, sorted by time.

    Args:
        frames: (N, H, W), or any iterable of N frames (H, W), which is read one at a time; 0..255 DN.
        timestamps_us: (N,) integers, µs, strictly growing.
        sensor: parameters, ``SensorModel()`` when left out; the equations are in this module's docstring.

    Returns the events after the first frame and up to the last; none for a single frame.
    Raises ``ValueError`` for no frame, a frame or a time that does not fit, or unequal counts.
    """
    times = np.asarray(timestamps_us)
    if times.ndim != 1 or (times.dtype.kind not in "iu" and times.size):
        raise ValueError(f"timestamps_us must be integers (N,), got {times.dtype} {times.shape}")
    simulator: EventSimulator | None = None
    parts: list[Events] = []
    count = 0
    for frame in frames:
        image = np.asarray(frame)
        if count >= len(times):
            raise ValueError(f"there are more frames than the {len(times)} timestamps")
        if simulator is None:
            if image.ndim != 2:
                raise ValueError(f"frames must be (N, H, W), got a frame of shape {image.shape}")
            simulator = EventSimulator(sensor or SensorModel(), (image.shape[0], image.shape[1]))
        parts.append(simulator.step(image, times[count]))
        count += 1
    if count != len(times) or not parts:
        raise ValueError(f"there are {count} frames and {len(times)} timestamps, expected one for each")
    return np.concatenate(parts)


def _integer_us(t_us: int) -> int:
    if isinstance(t_us, bool) or not isinstance(t_us, int | np.integer):
        raise ValueError(f"a timestamp must be an integer of µs, got {t_us!r}")
    return int(t_us)
