"""The compiled step of the sensor model: a block of pixels from one time to the next.

Pixels do not know of each other, and all that is random is drawn per pixel or before the blocks are cut: what
comes out is the same however the pixels are split into blocks.
"""

import math
from typing import Any

import numpy as np

from snnkd.events._compile import njit
from snnkd.recordings.sensor_model import SHORTEST_LEAK

TOLERANCE = 1e-6
"""A crossing missed by less than this fraction of a threshold counts.

A step of exactly ``k`` thresholds then gives ``k`` events whatever the last bit of the logarithm is (for
float32 frames too), and a pixel that returns to its first intensity sends as many events down as up.
"""

REACHED = 1 - TOLERANCE

TILE = 2048
"""Pixels that are moved on together: what is between the two loops over them stays in the nearest cache."""


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


@njit(cache=True, nogil=True, error_model="numpy")
def glide(
    level: Any,
    target: Any,
    difference: Any,
    threshold_on: float,
    threshold_off: float,
    spread_on: Any,
    spread_off: Any,
    leak_per_us: float,
    leak_pace: Any,
    interval_us: int,
    piece_us: int,
    moved: Any,
    busy: Any,
) -> None:
    """Set ``moved`` to the difference at the end of a piece without events, and ``busy`` where there will be some.

    Nearly all pixels send nothing in a piece: a loop without branches is done with them in a third of the time. It
    counts from 0, as an index that might be negative keeps the compiler from doing several pixels at once.
    """
    for i in range(level.shape[0]):
        on, off = threshold_on + spread_on[i], threshold_off + spread_off[i]
        leak = leak_per_us * on
        if leak_per_us > 0.0:
            leak = leak * leak_pace[i]
        end = difference[i] + ((target[i] - level[i]) / interval_us + leak) * piece_us
        moved[i] = end
        busy[i] = (end >= on * REACHED) | (end <= -off * REACHED)


@njit(cache=True, nogil=True)
def advance(
    first: int,
    stop: int,
    level: Any,
    target: Any,
    difference: Any,
    last: Any,
    threshold_on: float,
    threshold_off: float,
    spread_on: Any,
    spread_off: Any,
    leak_per_us: float,
    leak_jitter: float,
    leak_rate: Any,
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
    buffer: Any,
) -> Any:
    """Move the pixels ``first..stop`` on by ``piece_us``; return ``(buffer, count)``.

    ``level`` is on its way to ``target``, which it reaches after ``interval_us``, at or after the piece's end; the
    caller moves it. A pixel's thresholds are ``threshold_on + spread_on`` and ``threshold_off + spread_off``. Further
    state of a pixel, updated in place: ``difference``, the level minus the memorised one; ``last``, the time of its
    last event; with a leak ``leak_pace``, its present one as a multiple of ``leak_per_us``, which is about
    ``leak_rate``; with jitter ``leak_state``, the generator of the next. Without them these arrays may be empty.

    The difference moves on a straight line between the noise events of its pixel (sorted by pixel, then time; a
    pointer walks along), so each stretch has crossings of one polarity only, evenly spaced; with jitter the line may
    bend at each crossing. ``buffer`` grows when it is full and is handed back for the next piece. Events come out pixel
    by pixel: the caller sorts them by time.
    """
    moved, busy = np.empty(TILE, np.float64), np.empty(TILE, np.bool_)
    count = 0
    pointer = np.searchsorted(noise_pixel, first)
    for tile in range(first, stop, TILE):
        tile_stop = min(tile + TILE, stop)
        glide(
            level[tile:tile_stop], target[tile:tile_stop], difference[tile:tile_stop], threshold_on, threshold_off,
            spread_on[tile:tile_stop], spread_off[tile:tile_stop], leak_per_us, leak_pace[tile:tile_stop],
            interval_us, piece_us, moved, busy,
        )  # fmt: skip
        for n in range(pointer, np.searchsorted(noise_pixel, tile_stop)):
            busy[noise_pixel[n] - tile] = True
        for i in range(tile, tile_stop):
            if not busy[i - tile]:
                continue
            rise = (target[i] - level[i]) / interval_us
            on, off = threshold_on + spread_on[i], threshold_off + spread_off[i]
            leak = leak_per_us * on
            d = difference[i]
            now = 0
            while True:
                noisy = pointer < noise_pixel.shape[0] and noise_pixel[pointer] == i
                until = noise_offset[pointer] if noisy else piece_us
                earliest = max(now, 1)  # the piece before has had its end
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
                        leak_pace[i] = leak_rate[i] * draw_pace(leak_state, i, leak_jitter)
                        t = start_us + max(math.floor(at + 0.5), earliest)
                        buffer, count = _send(buffer, count, i, width, t, theta > 0, last, refractory_us)
                    d = end
                else:
                    slope = rise
                    if leak_per_us > 0.0:
                        slope += leak * leak_pace[i]
                    end = d + slope * (until - now)
                    theta = on if end > 0 else -off
                    crossings = 0
                    if slope != 0.0 and not -off * REACHED < end < on * REACHED:
                        crossings = math.floor(end / theta + TOLERANCE)
                    for k in range(1, crossings + 1):
                        offset = now + math.floor((k * theta - d) / slope + 0.5)
                        t = start_us + min(max(offset, earliest), until)
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
                        leak_pace[i] = leak_rate[i] * draw_pace(leak_state, i, leak_jitter)
                pointer += 1
            moved[i - tile] = d
        difference[tile:tile_stop] = moved[: tile_stop - tile]
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
