"""Sensor model: what an event camera would have sent for a sequence of intensity frames.

The level of a pixel is the lin-log of its intensity ``I`` in DN (0..255), with ``I0 = linear_below``:

    L(I) = ln(I)                 for I > I0
    L(I) = I · ln(I0) / I0       for I <= I0

so it is continuous, and dark pixels do not fire at every unit of noise. The photoreceptor follows it as a low-pass
of first order whose bandwidth falls with the light. Over an interval ``T`` between two frames its output ``V`` goes to

    V(T) = L + (V(0) − L) · exp(−T/τ),   τ = 1 / (2π · cutoff_hz · (I + 20)/275)

with ``I`` and ``L`` those of the frame at the interval's end; ``cutoff_hz = 0`` is without limit, V = L. Between two
frames ``V`` moves on a straight line: each pixel fades from one frame to the next, and nothing moves across pixels as
in the frames that v2e puts between them with SuperSloMo. Where an edge goes on by more than a pixel or two from frame
to frame, it leaves events where it was and where it comes to, and none on its way: record or render faster, or
interpolate the video first.

A pixel keeps a memorised level ``M``, at first ``V`` of the first frame, and fires

    ON   when V − M reaches  θ_on,  then M += θ_on
    OFF  when V − M reaches −θ_off, then M −= θ_off

as often as the line crosses, each time at its own microsecond. On top of that come, each off when zero:

- threshold spread: θ_on and θ_off of a pixel are drawn once from N(θ, spread²), at least 0.01;
- refractory period: a crossing less than ``refractory_us`` after the pixel's last event moves ``M`` and sends
  nothing (ESIM's rule; no pixel sends two events closer than that);
- leak: ``M`` sinks by ``θ_on · r`` per second, which in a still scene makes ON events at the rate ``r``, drawn once
  for each pixel as ``leak_rate_hz · 10^N(0, leak_spread_decades²)``, at most a million. The first comes about ``1/r``
  after the first frame; that each pixel has its own rate is what keeps them from firing together. With jitter the
  sinking is drawn anew after each event of the pixel, so that the interval to the next is ``N(1, leak_jitter²) / r``,
  at least a tenth of its mean;
- shot noise: events of either polarity from a Poisson process of rate ``shot_noise_hz · (1 − 0.75·I/255)``
  per pixel (a bright pixel has a quarter of the dark rate), where ``I`` is that of the frame at the interval's end for
  all of the interval; such an event, unless the refractory period keeps it back, resets the pixel, ``M = V``.

Events of an interval lie after its first frame's time, by 1 µs at least, and up to its last's.

Sources: v2e (Hu, Liu, Delbruck, CVPRW 2021, and its code) for lin-log, bandwidth, spread, leak and shot noise; ESIM
(Rebecq, Gehrig, Scaramuzza, CoRL 2018) for the interpolated crossings and the refractory period.

With the noise off, a pixel sends as many events in an interval as v2e's equations say. What is done differently:

- times: v2e cuts an interval into as many equal steps as its busiest pixel has events, and gives the k-th event of
  each pixel the time of the k-th step, which moves the times of all others towards the interval's start;
- bandwidth: v2e takes an Euler step, V += min(T/τ, 1) · (L − V), which is the exponential for T ≪ τ and has no lag at
  all from T = τ on (on 30 Hz frames: whenever the pixel's bandwidth is above 4.8 Hz);
- refractory period: v2e leaves ``M`` where it is at a suppressed event, so that the pixel fires later;
- leak: v2e draws its jitter anew with each frame, so that it averages out where frames are many;
- shot noise: v2e takes (I + 20)/275 in place of I/255, divides by the pixel's own threshold, allows one event per
  interval and gives it the time of the interval's end.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnkd.events.array import Events
from snnkd.recordings.event_simulator import EventSimulator
from snnkd.recordings.sensor_model import SensorModel

__all__ = ["EventSimulator", "SensorModel", "simulate_events"]


def simulate_events(
    frames: NDArray[np.generic] | Iterable[ArrayLike],
    timestamps_us: Sequence[int] | NDArray[np.integer],
    sensor: SensorModel | None = None,
) -> Events:
    """Events that ``sensor`` sends for a sequence of frames, sorted by time.

    Args:
        frames: (N, H, W), or any iterable of N frames (H, W), which is read one at a time; 0..255 DN.
        timestamps_us: (N,) integers, µs, strictly growing.
        sensor: parameters, ``SensorModel()``, a DAVIS346, when left out; the equations are in this module's docstring.

    Returns the events after the first frame and up to the last; none for a single frame.
    Raises ``ValueError`` for no frame, a frame or a time that does not fit, or unequal counts, ``TypeError`` for a
    ``sensor`` that is none. Warns, as :class:`SnnkdWarning`, of frames of floats that are all within 0..1.
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
            simulator = EventSimulator(SensorModel() if sensor is None else sensor, (image.shape[0], image.shape[1]))
        parts.append(simulator.step(image, times[count]))
        count += 1
    if count != len(times) or not parts:
        raise ValueError(f"there are {count} frames and {len(times)} timestamps, expected one for each")
    return np.concatenate(parts)
