"""Fitting the sensor model to a camera that gave both frames and events of the same scene, and saying how well.

A threshold acts on the number of events of its polarity almost alone, and the number falls when it rises. So both are
found together by repeating

    θ ← θ · (events made / real events of its polarity)^0.7

until both numbers agree to 0.5%, or 25 times: then the nearest are taken, if they agree to 5%. The numbers say nothing
of the intensity up to which a pixel's response is linear (``linear_below``): when there are several to choose from,
the one whose events lie where the real ones do is taken, by the spatial correlation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.events.filters import pixel_counts
from snnkd.recordings.recording import Frames
from snnkd.recordings.sensor import simulate_events
from snnkd.recordings.sensor_model import MIN_THRESHOLD, SensorModel

STEPS, DAMPING, FADING = 25, 0.7, 0.9
CLOSE, ENOUGH = 0.005, 0.05
CLIP_PERCENTILE = 99.0
LARGEST_THRESHOLD = 10.0
"""Largest threshold that is tried; the whole range of intensities spans less than that."""


@dataclass(frozen=True)
class Agreement:
    """How well made events agree with real ones.

    Attributes:
        real: number of real events.
        made: number of events that the sensor model made.
        real_on: part of the real events that is ON.
        made_on: the same of the made ones.
        rate_correlation: correlation of the numbers of events between one frame and the next.
        spatial_correlation: correlation of the numbers of events of the pixels, where both are clipped at their
            own 99th percentile, so that a few very busy pixels do not decide it.

    A correlation is NaN where one side does not vary at all.
    """

    real: int
    made: int
    real_on: float
    made_on: float
    rate_correlation: float
    spatial_correlation: float


def compare_events(
    real: Events, made: Events, timestamps_us: NDArray[np.int64], sensor_size: tuple[int, int]
) -> Agreement:
    """Compare the events of ``real`` and ``made`` after the first of the frame times and up to the last.

    ``timestamps_us``: (N,), at least 2. ``sensor_size`` is (W, H). Raises ``ValueError`` for an event outside of it.
    """
    both = [_between(events, timestamps_us) for events in (real, made)]
    # histogram's intervals hold their start, ours their end.
    rates = [np.histogram(events["t"] - 1, timestamps_us)[0] for events in both]
    places = [pixel_counts(events, sensor_size).ravel() for events in both]
    clipped = [np.minimum(counts, np.percentile(counts, CLIP_PERCENTILE)) for counts in places]
    real_on, made_on = (float(events["p"].mean()) if len(events) else float("nan") for events in both)
    return Agreement(len(both[0]), len(both[1]), real_on, made_on, _correlation(*rates), _correlation(*clipped))


def fit_sensor(
    frames: Frames,
    events: Events,
    base: SensorModel | None = None,
    *,
    linear_below: Sequence[float] | NDArray[np.floating] = (),
) -> SensorModel:
    """Return ``base`` with the thresholds that make as many events of each polarity as the camera sent.

    Args:
        frames: at least two, with times that grow strictly.
        events: the camera's, of the same pixels and clock, best without those of hot pixels; those outside the
            frames' time are left out.
        base: all other parameters, ``SensorModel()``, a DAVIS346, when left out.
        linear_below: the values to choose from; that of ``base`` is kept when left out.

    Raises ``ValueError`` where there are less than two frames, no events of one polarity while they run, or no
    thresholds that make so many.
    """
    if len(frames) < 2:
        raise ValueError(f"a fit needs at least two frames, got {len(frames)}")
    base = SensorModel() if base is None else base
    times = frames.timestamps_us
    size = (frames.images.shape[2], frames.images.shape[1])
    real = _between(events, times)
    best, best_score = None, -np.inf
    for knee in linear_below if len(linear_below) else [base.linear_below]:
        fitted, made = _fit_thresholds(frames, real, replace(base, linear_below=float(knee)))
        score = compare_events(real, made, times, size).spatial_correlation
        if best is None or score > best_score:
            best, best_score = fitted, score
    assert best is not None  # there is at least one knee
    return best


def _fit_thresholds(frames: Frames, real: Events, sensor: SensorModel) -> tuple[SensorModel, Events]:
    on = int(real["p"].sum())
    wanted = np.array([on, len(real) - on], np.float64)
    if not wanted.all():
        raise ValueError(f"a fit needs ON and OFF events while the frames run, got {on} and {len(real) - on}")
    thresholds = np.array([sensor.threshold_on, sensor.threshold_off])
    best, best_error = sensor, np.inf
    best_made = real[:0]
    for step in range(STEPS):
        sensor = replace(sensor, threshold_on=float(thresholds[0]), threshold_off=float(thresholds[1]))
        made = simulate_events(frames.images, frames.timestamps_us, sensor)
        on = int(made["p"].sum())
        ratio = np.array([on, len(made) - on]) / wanted
        error = float(np.abs(ratio - 1).max())
        if error < best_error:
            best, best_made, best_error = sensor, made, error
        if error <= CLOSE:
            break
        # Without spread all pixels of one intensity fire at one threshold: the numbers jump, and smaller steps help.
        damping = DAMPING * FADING**step
        thresholds = np.clip(thresholds * np.maximum(ratio, 0.01) ** damping, MIN_THRESHOLD, LARGEST_THRESHOLD)
    if best_error > max(ENOUGH, 1.5 / wanted.min()):
        on, off = int(best_made["p"].sum()), int((~best_made["p"]).sum())
        raise ValueError(
            f"no thresholds make {int(wanted[0])} ON and {int(wanted[1])} OFF events: the nearest, "
            f"{best.threshold_on:.3g} and {best.threshold_off:.3g}, make {on} and {off}; change the noise"
        )
    return best, best_made


def _between(events: Events, times: NDArray[np.int64]) -> Events:
    return events[(events["t"] > times[0]) & (events["t"] <= times[-1])]


def _correlation(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])
