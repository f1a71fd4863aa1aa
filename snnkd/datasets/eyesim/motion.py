"""Movements that carry no label: blinks, gaze, pupil and the slip of the head-mount.

They make most of the events that a real near-eye camera sends, so a network has to look past them. All are
drawn alike for every emotion.
"""

import numpy as np

from snnkd.datasets.eyesim.expression import Track, minimum_jerk

BLINK_RATE = 0.25
"""Blinks per second; people at rest blink 15 to 20 times a minute (Bentivoglio et al., 1997)."""

SACCADE_RATE = 0.5
MICROSACCADE_RATE = 1.5
JOLT_RATE = 0.2


def wander(times: Track, rng: np.random.Generator) -> Track:
    """Unlabelled movement ``(N, 7)`` over ``times (N,)`` in seconds: the last seven fields of ``State``.

    In order: AU45, gaze x and y, pupil, slip x and y, roll.
    """
    gaze = _gaze(times, rng)
    slip = _slip(times, rng)
    pupil = rng.normal(0.0, 0.10) + 0.05 * drift(times, rng, 0.2, 1.0)
    return np.column_stack([_blinks(times, rng), gaze, np.clip(pupil, -0.4, 0.5), slip])


def _arrivals(times: Track, rate: float, rng: np.random.Generator) -> Track:
    """Times of a Poisson process over the interval, from shortly before it, so that it may start mid-way."""
    begin, end = times[0] - 0.3, times[-1]
    count = rng.poisson(rate * (end - begin))
    return np.sort(rng.uniform(begin, end, count))


def drift(times: Track, rng: np.random.Generator, low_hz: float, high_hz: float) -> Track:
    """Slow noise of unit variance: four sines of random frequency (low..high) and phase."""
    frequency, phase = rng.uniform(low_hz, high_hz, 4), rng.random(4)
    return np.sin(2 * np.pi * (np.outer(times, frequency) + phase)).sum(axis=1) / np.sqrt(2.0)


def _blinks(times: Track, rng: np.random.Generator) -> Track:
    """AU45: a fast close, a short hold and a slower opening; overlapping blinks do not add up."""
    closure = np.zeros_like(times)
    for at in _arrivals(times, BLINK_RATE, rng):
        down, hold, up = rng.uniform(0.07, 0.10), rng.uniform(0.02, 0.05), rng.uniform(0.13, 0.20)
        since = times - at
        shape = minimum_jerk(since / down) * (1.0 - minimum_jerk((since - down - hold) / up))
        closure = np.maximum(closure, rng.uniform(0.85, 1.0) * shape)
    return closure


def _gaze(times: Track, rng: np.random.Generator) -> Track:
    """Gaze ``(N, 2)`` in eye units: fixations joined by saccades of 25-50 ms, microsaccades, and drift."""
    target = rng.normal(0.0, [0.08, 0.04])
    gaze = np.tile(target, (len(times), 1))
    for at in _arrivals(times, SACCADE_RATE, rng):
        jump = np.clip(rng.normal(0.0, [0.14, 0.06]), [-0.28, -0.12], [0.28, 0.12]) - target
        gaze += minimum_jerk((times - at) / rng.uniform(0.025, 0.050))[:, None] * jump
        target = target + jump
    for at in _arrivals(times, MICROSACCADE_RATE, rng):
        jump = rng.normal(0.0, 0.008, 2)
        back = rng.uniform(0.15, 0.4)
        there = minimum_jerk((times - at) / 0.012) - minimum_jerk((times - at - back) / 0.012)
        gaze += there[:, None] * jump
    for axis in range(2):
        gaze[:, axis] += 0.004 * drift(times, rng, 0.5, 3.0)
    return gaze


def _slip(times: Track, rng: np.random.Generator) -> Track:
    """Slip ``(N, 3)``: how the mount sits in this take, its sway, and now and then a jolt to another seat."""
    slip = np.tile(rng.normal(0.0, [0.02, 0.02, 0.02]), (len(times), 1))
    for axis, sway in enumerate((0.004, 0.004, 0.003)):
        slip[:, axis] += sway * drift(times, rng, 0.3, 2.0)
    for at in _arrivals(times, JOLT_RATE, rng):
        jump = rng.normal(0.0, [0.02, 0.02, 0.012])
        slip += minimum_jerk((times - at) / rng.uniform(0.15, 0.4))[:, None] * jump
    return slip
