"""Parameters of the sensor model, and the sensors that they have been fitted to."""

import math
from dataclasses import dataclass

import numpy as np

MIN_THRESHOLD = 0.01
"""Lower end of a pixel's own threshold: below it, spread would make pixels that fire without end."""

MAX_RATE_HZ = 1e6
"""Upper end of the rates: one event per µs, the step of the clock."""

MAX_JITTER = 0.5
"""Upper end of the leak's jitter: with more, intervals would be cut at their floor so often that the rate shifts."""

MAX_REFRACTORY_US = 1 << 60

SHORTEST_LEAK = 0.1
"""Least time between two leak events of a pixel, as a part of the mean."""


@dataclass(frozen=True)
class SensorModel:
    """Parameters of the sensor model; the equations are in :mod:`snnkd.recordings.sensor`.

    Attributes:
        threshold_on: contrast threshold of ON events, in log units, at least 0.01.
        threshold_off: contrast threshold of OFF events, in log units, at least 0.01.
        threshold_spread: standard deviation of both over the pixels, in log units.
        linear_below: intensity in DN up to which the level is linear, more than 1.
        refractory_us: shortest time between two events of a pixel, in µs.
        leak_rate_hz: leak events per pixel and second, at most a million.
        leak_jitter: standard deviation of the time between two leak events, as a part of that time, at most 0.5.
        shot_noise_hz: shot noise events per pixel and second in the dark, at most a million.
        cutoff_hz: bandwidth (-3 dB) of the photoreceptor at 255 DN; 0 is without limit.
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
    leak_jitter: float = 0.0
    cutoff_hz: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in [
            ("threshold_on", MIN_THRESHOLD, math.inf),
            ("threshold_off", MIN_THRESHOLD, math.inf),
            ("threshold_spread", 0.0, math.inf),
            ("leak_rate_hz", 0.0, MAX_RATE_HZ),
            ("leak_jitter", 0.0, MAX_JITTER),
            ("shot_noise_hz", 0.0, MAX_RATE_HZ),
            ("cutoff_hz", 0.0, math.inf),
        ]:
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                end = f" and at most {high:g}" if math.isfinite(high) else ""
                raise ValueError(f"{name} must be a finite number of at least {low:g}{end}, got {value!r}")
        if not (math.isfinite(self.linear_below) and self.linear_below > 1):
            raise ValueError(f"linear_below must be a finite number above 1, got {self.linear_below!r}")
        for name in ("refractory_us", "seed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise ValueError(f"{name} must be an integer of at least 0, got {value!r}")
        if self.refractory_us > MAX_REFRACTORY_US:
            raise ValueError(f"refractory_us must be at most 2^60, got {self.refractory_us!r}")

    @classmethod
    def noiseless(cls, threshold: float = 0.3) -> "SensorModel":
        """The ideal sensor: one threshold for all pixels and polarities, no leak, no noise, no dead time, no lag."""
        return cls(threshold, threshold, threshold_spread=0.0, leak_rate_hz=0.0, shot_noise_hz=0.0)

    @classmethod
    def davis346(cls, seed: int = 0) -> "SensorModel":
        """A DAVIS346 that looks at an eye.

        Fitted to 1.2 s of an EVBEYE recording (user 9, left eye) without its four hot pixels: 263,549 events,
        53% of them ON, against 259,579 real ones, 52% ON. The refractory period is the interval at which its
        hottest pixels fire; the noise rates are those of its pixels that see no motion. Frames at 25 Hz do not
        tell the bandwidth of a lit pixel, so it is without limit here.
        """
        return cls(0.34, 0.32, refractory_us=67, seed=seed)
