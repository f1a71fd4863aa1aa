"""Parameters of the sensor model, and the sensors that they have been fitted to."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

MIN_THRESHOLD = 0.01
"""Lower end of a pixel's own threshold: below it, spread would make pixels that fire without end."""

MAX_RATE_HZ = 1e6
"""Upper end of the rates: one event per µs, the step of the clock."""

MAX_JITTER = 0.5
"""Upper end of the leak's jitter: with more, intervals would be cut at their floor so often that the rate shifts."""

MAX_LEAK_SPREAD = 1.0
"""Upper end of the leak's spread, in decades: pixels would differ a thousandfold and more."""

MAX_REFRACTORY_US = 1 << 60

SHORTEST_LEAK = 0.1
"""Least time between two leak events of a pixel, as a part of the mean."""


@dataclass(frozen=True)
class SensorModel:
    """Parameters of the sensor model; the equations are in :mod:`snnkd.recordings.sensor`.

    What is left out is a DAVIS346's: ``SensorModel()`` is ``SensorModel.davis346()``.

    Attributes:
        threshold_on: contrast threshold of ON events, in log units, at least 0.01.
        threshold_off: contrast threshold of OFF events, in log units, at least 0.01.
        threshold_spread: standard deviation of both over the pixels, in log units.
        linear_below: intensity in DN up to which the level is linear, more than 1.
        refractory_us: shortest time between two events of a pixel, in µs.
        leak_rate_hz: leak events per second of the median pixel, at most a million.
        leak_jitter: standard deviation of the time between two leak events, as a part of that time, at most 0.5.
        shot_noise_hz: shot noise events per pixel and second in the dark, at most a million.
        cutoff_hz: bandwidth (-3 dB) of the photoreceptor at 255 DN; 0 is without limit.
        leak_spread_decades: standard deviation of the decimal logarithm of the leak rate over the pixels, at most 1.
        seed: of everything random here; the same seed gives the same sensor and the same noise.

    Raises ``ValueError`` that names the field which is out of range.
    """

    threshold_on: float = 0.31
    threshold_off: float = 0.34
    threshold_spread: float = 0.03
    linear_below: float = 20.0
    refractory_us: int = 67
    leak_rate_hz: float = 0.02
    shot_noise_hz: float = 0.05
    seed: int = 0
    leak_jitter: float = 0.0
    cutoff_hz: float = 0.0
    leak_spread_decades: float = 0.1

    def __post_init__(self) -> None:
        for name, low, high in [
            ("threshold_on", MIN_THRESHOLD, math.inf),
            ("threshold_off", MIN_THRESHOLD, math.inf),
            ("threshold_spread", 0.0, math.inf),
            ("leak_rate_hz", 0.0, MAX_RATE_HZ),
            ("leak_jitter", 0.0, MAX_JITTER),
            ("shot_noise_hz", 0.0, MAX_RATE_HZ),
            ("cutoff_hz", 0.0, math.inf),
            ("leak_spread_decades", 0.0, MAX_LEAK_SPREAD),
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
    def noiseless(cls, threshold: float = 0.3, **changes: Any) -> "SensorModel":
        """The ideal sensor: one threshold for all pixels and polarities, no leak, no noise, no dead time, no lag.

        ``changes``, here and below: fields that are to have another value.
        """
        ideal = cls(
            threshold_on=threshold, threshold_off=threshold, threshold_spread=0.0, refractory_us=0, cutoff_hz=0.0,
            leak_rate_hz=0.0, leak_jitter=0.0, leak_spread_decades=0.0, shot_noise_hz=0.0,
        )  # fmt: skip
        return replace(ideal, **changes)

    @classmethod
    def clean(cls, seed: int = 0, **changes: Any) -> "SensorModel":
        """v2e's preset of that name (``set_dvs_params`` in its ``emulator.py``): threshold spread alone."""
        return replace(cls.noiseless(0.2, threshold_spread=0.02, seed=seed), **changes)

    @classmethod
    def noisy(cls, seed: int = 0, **changes: Any) -> "SensorModel":
        """v2e's preset of that name (``set_dvs_params`` in its ``emulator.py``): a sensor in the dark."""
        noise = {"leak_rate_hz": 0.1, "leak_jitter": 0.1, "leak_spread_decades": 0.1, "shot_noise_hz": 5.0}
        dark = cls.noiseless(0.2, threshold_spread=0.05, cutoff_hz=30.0, seed=seed, **noise)
        return replace(dark, **changes)

    @classmethod
    def davis346(cls, seed: int = 0, **changes: Any) -> "SensorModel":
        """A DAVIS346, for frames of any source: the default of every field.

        With a knee of 20 DN, which is v2e's, these are the thresholds that make as many events as the camera of
        :meth:`davis346_near_eye` sent: 259,644 against 259,579, 52% of them ON in both; of those of the first 80 ms
        46% against 41%. v2e's own are 0.2. The refractory period is the interval at which that camera's hottest pixels
        fire. The noise rates are those of a sensor in good light, and not fitted: pixels of that camera whose frames
        stayed within 8 DN sent 0.012 ON events a second and 0.0005 OFF. Frames at 25 Hz do not tell the bandwidth of
        a lit pixel, so it is without limit.
        """
        return replace(cls(seed=seed), **changes)

    @classmethod
    def davis346_near_eye(cls, seed: int = 0, **changes: Any) -> "SensorModel":
        """A DAVIS346 close to an eye, for the frames that such a camera itself gives (8-bit greyscale, as EVBEYE's).

        Fitted by ``scripts/fit_sensor_model.py`` to 1.2 s of an EVBEYE recording (user 9, left eye) without its four
        hot pixels: 259,447 events against 259,579, 52% of them ON in both, 44% against 41% in the first 80 ms; the
        correlation of the rates is 0.995, that of the places 0.910, against 0.992 and 0.742 of :meth:`davis346`
        (:func:`~snnkd.recordings.sensor_fit.compare_events`).

        These are not the contrast thresholds of the sensor, which are less than half as high: its frames are not in
        proportion to the light, and the high knee with the high thresholds makes up for that. On frames that are,
        it would miss most of what moves in the light, which is why :meth:`davis346` is not like this.
        """
        near_eye = cls.davis346(seed, threshold_on=0.63, threshold_off=0.69, linear_below=90.0)
        return replace(near_eye, **changes)
