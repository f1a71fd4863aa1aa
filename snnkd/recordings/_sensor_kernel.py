"""The compiled step of the sensor model: a block of pixels from one time to the next.

Pixels do not know of each other, and all that is random is drawn per pixel or before the blocks are cut: what
comes out is the same however the pixels are split into blocks.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from snnkd.recordings.sensor_model import SHORTEST_LEAK

TOLERANCE = 1e-6
"""A crossing missed by less than this fraction of a threshold counts.

A step of exactly ``k`` thresholds then gives ``k`` events whatever the last bit of the logarithm is (for
float32 frames too), and a pixel that returns to its first intensity sends as many events down as up.
"""

REACHED = 1 - TOLERANCE


@njit(cache=True, nogil=True)
def log_levels(intensity: Any, linear_below: float) -> Any:
    """Lin-log level of each intensity, ``(N,)`` float64; the equation is in ``snnkd.recordings.sensor``."""
    slope = math.log(linear_below) / linear_below
    out = np.empty(intensity.shape[0], np.float64)
    for i in range(intensity.shape[0]):
        value = intensity[i]
        out[i] = value * slope if value <= linear_below else math.log(value)
    return out


@njit(cache=True, nogil=True)
def respond(image: Any, levels: Any, decays: Any, level: Any, target: Any, first: int, stop: int) -> int:
    """Set ``target``, the photoreceptor's output at the end of the interval, for the pixels ``first..stop``.

    ``levels`` and ``decays`` have an entry for each intensity of a uint8 ``image``. Returns how far the levels
    move in all, in millionths: an integer, so that blocks add up to the same sum however they are cut.
    """
    way = 0
    for i in range(first, stop):
        value = image[i]
        target[i] = levels[value] - (levels[value] - level[i]) * decays[value]
        way += int(abs(target[i] - level[i]) * 1e6)
    return way


@njit(cache=True, nogil=True)
def respond_exactly(
    image: Any, linear_below: float, rate: float, offset: float, level: Any, target: Any, first: int, stop: int
) -> int:
    """:func:`respond` for an ``image`` of float64; a pixel's decay is ``exp(-rate · (I + offset))``."""
    slope = math.log(linear_below) / linear_below
    way = 0
    for i in range(first, stop):
        value = image[i]
        new = value * slope if value <= linear_below else math.log(value)
        if rate > 0:
            new -= (new - level[i]) * math.exp(-rate * (value + offset))
        target[i] = new
        way += int(abs(new - level[i]) * 1e6)
    return way


@njit(cache=True, nogil=True)
def draw_pace(state: Any, i: int, jitter: float) -> float:
    """Draw pixel ``i``'s next leak as a multiple of the mean, 1 / N(1, jitter²), from its own generator.

    The generator is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), the normal variate Box and Muller's.
    """
    first, second = 0.0, 0.0
    for k in range(2):
        state[i] += np.uint64(0x9E3779B97F4A7C15)
        word = state[i]
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        word = word ^ (word >> np.uint64(31))
        uniform = (np.float64(word >> np.uint64(11)) + 0.5) * 2.0**-53
        if k == 0:
            first = uniform
        else:
            second = uniform
    normal = math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)
    return 1.0 / max(1.0 + jitter * normal, SHORTEST_LEAK)


@njit(cache=True, nogil=True)
def glide(
    first: int,
    stop: int,
    level: Any,
    target: Any,
    difference: Any,
    theta_on: Any,
    theta_off: Any,
    leak_per_us: float,
    leak_jitter: float,
    leak_pace: Any,
    interval_us: int,
    piece_us: int,
    moved: Any,
    busy: Any,
) -> None:
    """Set ``moved`` to the difference at the end of a piece without events, and ``busy`` where there will be some.

    Nearly all pixels send nothing in a piece: a loop without branches is done with them in a third of the time.
    """
    for i in range(first, stop):
        leak = leak_per_us * theta_on[i]
        if leak_jitter > 0.0:
            leak = leak * leak_pace[i]
        end = difference[i] + ((target[i] - level[i]) / interval_us + leak) * piece_us
        moved[i] = end
        busy[i] = (end >= theta_on[i] * REACHED) | (end <= -theta_off[i] * REACHED)


@njit(cache=True, nogil=True)
def advance(
    first: int,
    stop: int,
    level: Any,
    target: Any,
    difference: Any,
    last: Any,
    theta_on: Any,
    theta_off: Any,
    leak_per_us: float,
    leak_jitter: float,
    leak_pace: Any,
    leak_state: Any,
    start_us: int,
    width: int,
    interval_us: int,
    piece_us: int,
    refractory_us: int,
    noise_pixel: Any,
    noise_offset: Any,
    noise_on: Any,
    moved: Any,
    busy: Any,
    buffer: Any,
) -> Any:
    """Move the pixels ``first..stop`` on by ``piece_us``; return ``(buffer, count)``.

    ``level`` is on its way to ``target``, which it reaches after ``interval_us``, at or after the piece's end; the
    caller moves it. ``difference`` is the level minus the memorised one, and ``moved`` is set to what it is at the
    piece's end. Further state of a pixel, updated in place: ``last``, the time of its last event; with jitter
    ``leak_pace``, its present leak as a multiple of the mean, and ``leak_state``, the generator of the next.

    The difference moves on a straight line between the noise events of its pixel (sorted by pixel, then time; a
    pointer walks along), so each stretch has crossings of one polarity only, evenly spaced; with jitter the line may
    bend at each crossing. ``busy`` is room for a mark a pixel. ``buffer`` grows when it is full and is handed back for
    the next piece. Events come out pixel by pixel: the caller sorts them by time.
    """
    glide(
        first, stop, level, target, difference, theta_on, theta_off, leak_per_us, leak_jitter, leak_pace,
        interval_us, piece_us, moved, busy,
    )  # fmt: skip
    count = 0
    pointer = np.searchsorted(noise_pixel, first)
    for n in range(pointer, np.searchsorted(noise_pixel, stop)):
        busy[noise_pixel[n]] = True
    for i in range(first, stop):
        if not busy[i]:
            continue
        rise = (target[i] - level[i]) / interval_us
        on, off = theta_on[i], theta_off[i]
        leak = leak_per_us * on
        d = difference[i]
        now = 0
        while True:
            noisy = pointer < noise_pixel.shape[0] and noise_pixel[pointer] == i
            until = noise_offset[pointer] if noisy else piece_us
            if leak_jitter > 0.0:
                at = float(now)
                while True:
                    slope = rise + leak * leak_pace[i]
                    end = d + slope * (until - at)
                    if slope == 0.0 or -off * REACHED < end < on * REACHED:
                        break
                    theta = on if end > 0 else -off
                    at = min(max(at + (theta - d) / slope, at), float(until))
                    d = 0.0
                    leak_pace[i] = draw_pace(leak_state, i, leak_jitter)
                    buffer, count = _send(
                        buffer, count, i, width, start_us + math.floor(at + 0.5), theta > 0, last, refractory_us
                    )
                d = end
            else:
                slope = rise + leak
                end = d + slope * (until - now)
                theta = on if end > 0 else -off
                crossings = 0
                if slope != 0.0 and not -off * REACHED < end < on * REACHED:
                    crossings = math.floor(end / theta + TOLERANCE)
                for k in range(1, crossings + 1):
                    offset = now + math.floor((k * theta - d) / slope + 0.5)
                    t = start_us + min(max(offset, now), until)
                    buffer, count = _send(buffer, count, i, width, t, theta > 0, last, refractory_us)
                d = end - crossings * theta
            now = until
            if not noisy:
                break
            before = count
            buffer, count = _send(buffer, count, i, width, start_us + until, noise_on[pointer], last, refractory_us)
            if count > before:
                d = 0.0
                if leak_jitter > 0.0:
                    leak_pace[i] = draw_pace(leak_state, i, leak_jitter)
            pointer += 1
        moved[i] = d
    return buffer, count


@njit(cache=True, nogil=True)
def _send(buffer: Any, count: int, i: int, width: int, t: int, on: bool, last: Any, refractory_us: int) -> Any:
    """Send one event of pixel ``i``, unless it is still refractory."""
    if t - last[i] < refractory_us:
        return buffer, count
    if count == buffer.shape[0]:
        larger = np.empty(2 * count, buffer.dtype)
        larger[:count] = buffer
        buffer = larger
    buffer[count]["x"] = i % width
    buffer[count]["y"] = i // width
    buffer[count]["t"] = t
    buffer[count]["p"] = on
    last[i] = t
    return buffer, count + 1
