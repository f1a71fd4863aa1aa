"""The compiled step of the sensor model: all pixels from one frame to the next."""

import math
from typing import Any

import numpy as np
from numba import njit

TOLERANCE = 1e-6
"""A crossing missed by less than this fraction of a threshold counts.

A step of exactly ``k`` thresholds then gives ``k`` events whatever the last bit of the logarithm is (for
float32 frames too), and a pixel that returns to its first intensity sends as many events down as up.
"""


@njit(cache=True)
def log_levels(intensity: Any, linear_below: float) -> Any:
    """Lin-log level of each intensity, ``(N,)`` float64; the equation is in ``SensorModel``."""
    slope = math.log(linear_below) / linear_below
    out = np.empty(intensity.shape[0], np.float64)
    for i in range(intensity.shape[0]):
        value = intensity[i]
        out[i] = value * slope if value <= linear_below else math.log(value)
    return out


@njit(cache=True)
def advance(
    level: Any,
    level_next: Any,
    difference: Any,
    last: Any,
    theta_on: Any,
    theta_off: Any,
    leak_per_us: float,
    start_us: int,
    width: int,
    interval_us: int,
    refractory_us: int,
    noise_pixel: Any,
    noise_offset: Any,
    noise_on: Any,
    buffer: Any,
) -> Any:
    """Move every pixel over one interval; return ``(buffer, count)`` and update the state in place.

    State, one value a pixel: ``level``; ``difference``, the level minus the memorised one; ``last``, the
    time of the last event. ``difference`` moves on a straight line between the noise events of its pixel
    (sorted by pixel, then time; a pointer walks along), so each stretch has crossings of one polarity only,
    evenly spaced. ``buffer`` grows when it is full and is handed back for the next interval. Events come out
    pixel by pixel: the caller sorts them by time.
    """
    count = 0
    pointer = 0
    for i in range(level.shape[0]):
        slope = (level_next[i] - level[i]) / interval_us + leak_per_us * theta_on[i]
        level[i] = level_next[i]
        d = difference[i]
        on, off = theta_on[i], theta_off[i]
        now = 0
        while True:
            noisy = pointer < noise_pixel.shape[0] and noise_pixel[pointer] == i
            until = noise_offset[pointer] if noisy else interval_us
            end = d + slope * (until - now)
            theta = on if end > 0 else -off
            crossings = 0
            if slope != 0.0 and end / theta >= 1 - TOLERANCE:
                crossings = math.floor(end / theta + TOLERANCE)
            if count + crossings + 1 > buffer.shape[0]:
                larger = np.empty(2 * (count + crossings + 1), buffer.dtype)
                larger[:count] = buffer[:count]
                buffer = larger
            for k in range(1, crossings + 1):
                offset = now + math.floor((k * theta - d) / slope + 0.5)
                t = start_us + min(max(offset, now), until)
                if t - last[i] >= refractory_us:
                    buffer[count]["x"] = i % width
                    buffer[count]["y"] = i // width
                    buffer[count]["t"] = t
                    buffer[count]["p"] = theta > 0
                    count += 1
                    last[i] = t
            d = end - crossings * theta
            now = until
            if not noisy:
                break
            t = start_us + until
            if t - last[i] >= refractory_us:
                buffer[count]["x"] = i % width
                buffer[count]["y"] = i // width
                buffer[count]["t"] = t
                buffer[count]["p"] = noise_on[pointer]
                count += 1
                last[i] = t
                d = 0.0
            pointer += 1
        difference[i] = d
    return buffer, count
