"""The compiled loops of the augmentation. Counts are ``(T, B, P)`` uint8, P = 2·H·W; frames ``(T, B, H·W)`` uint8.

Most counts are zero, so loops that look for events read ``words``: the same memory as uint64 where P is a multiple of
8, else as it is. Random numbers come from a counter, hashed (SplitMix64; Steele, Lea and Flood, OOPSLA 2014): each clip
has a stream of its own out of its seed. Every function works on clips ``first`` to ``last`` of the batch.
"""

import math
from typing import Any

import numpy as np

from snnkd.events._compile import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MOST = 255


@njit(cache=True, nogil=True)
def _uniform(stream: Any, number: Any) -> Any:
    """The ``number``-th of a stream's numbers in [0, 1)."""
    z = stream + np.uint64(number) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def move(
    events: Any, frames: Any, inverse: Any, width: int, height: int, moved: Any, seen: Any, first: int, last: int
) -> None:
    """Sample clips at ``inverse`` (B, 2, 3) of their map: counts at the nearest pixel, frames between four."""
    pixels = width * height
    nearest, corner = np.empty(pixels, np.int32), np.empty(pixels, np.int32)
    right, below = np.empty(pixels, np.int32), np.empty(pixels, np.int32)
    to_right, down = np.int32(width > 1), np.int32(width if height > 1 else 0)
    for b in range(first, last):
        m = inverse[b]
        for y in range(height):
            for x in range(width):
                u = m[0, 0] * x + m[0, 1] * y + m[0, 2]
                v = m[1, 0] * x + m[1, 1] * y + m[1, 2]
                i = y * width + x
                column, row = math.floor(u + 0.5), math.floor(v + 0.5)
                inside = column >= 0 and row >= 0 and column < width and row < height
                nearest[i] = np.int32(row * width + column) if inside else -1
                u, v = min(max(u, 0.0), width - 1.0), min(max(v, 0.0), height - 1.0)
                left, top = min(int(u), max(width - 2, 0)), min(int(v), max(height - 2, 0))
                corner[i] = top * width + left
                right[i], below[i] = int((u - left) * 256 + 0.5), int((v - top) * 256 + 0.5)
        for t in range(events.shape[0]):
            for plane in range(2):
                source, target = events[t, b, plane * pixels :], moved[t, b, plane * pixels :]
                for i in range(pixels):
                    k = nearest[i]
                    target[i] = source[k] if k >= 0 else 0
            image, shown = frames[t, b], seen[t, b]
            for i in range(pixels):
                k, p, q = corner[i], right[i], below[i]
                upper = (256 - p) * np.int32(image[k]) + p * np.int32(image[k + to_right])
                lower = (256 - p) * np.int32(image[k + down]) + p * np.int32(image[k + down + to_right])
                shown[i] = ((256 - q) * upper + q * lower + 32768) >> 16


@njit(cache=True, nogil=True)
def scale_time(
    words: Any,
    events: Any,
    frames: Any,
    factors: Any,
    numbers: Any,
    streams: Any,
    scaled: Any,
    seen: Any,
    first: int,
    last: int,
) -> None:
    """Deal the events of ``numbers[b]`` windows, each ``factors[b]`` long now, out to those of ``scaled``."""
    per = events.shape[2] // words.shape[2]
    steps = scaled.shape[0]
    for b in range(first, last):
        factor, drawn = factors[b], 0
        for i in range(steps):
            scaled[i, b, :] = 0
            k = math.floor((i + 1) / factor + 1e-9) - 1
            seen[i, b] = frames[min(max(k, 0), numbers[b] - 1), b]
        for k in range(numbers[b]):
            begin = k * factor
            i, whole = int(begin), (k + 1) * factor <= int(begin) + 1
            if i >= steps:
                break
            for w in range(words.shape[2]):
                if words[k, b, w] == 0:
                    continue
                for p in range(w * per, w * per + per):
                    count = np.int64(events[k, b, p])
                    if whole:
                        scaled[i, b, p] = min(np.int64(scaled[i, b, p]) + count, MOST)
                        continue
                    for _ in range(count):
                        j = int((k + _uniform(streams[b], drawn)) * factor)
                        drawn += 1
                        if j < steps:
                            scaled[j, b, p] = min(np.int64(scaled[j, b, p]) + 1, MOST)


@njit(cache=True, nogil=True)
def drop(
    words: Any, events: Any, boxes: Any, spans: Any, shares: Any, streams: Any, width: int, first: int, last: int
) -> None:
    """Drop events of windows ``spans[b]`` (begin, end), of ``boxes[b]`` (x0, y0, x1, y1), and a share of all."""
    per = events.shape[2] // words.shape[2]
    pixels = events.shape[2] // 2
    for b in range(first, last):
        events[spans[b, 0] : spans[b, 1], b] = 0
        x0, y0, x1, y1 = boxes[b]
        if x1 > x0:
            for t in range(events.shape[0]):
                for plane in range(2):
                    for y in range(y0, y1):
                        begin = plane * pixels + y * width
                        events[t, b, begin + x0 : begin + x1] = 0
        share, drawn = shares[b], 0
        if share <= 0:
            continue
        for t in range(events.shape[0]):
            for w in range(words.shape[2]):
                if words[t, b, w] == 0:
                    continue
                for p in range(w * per, w * per + per):
                    for _ in range(events[t, b, p]):
                        events[t, b, p] -= np.uint8(_uniform(streams[b], drawn) < share)
                        drawn += 1


@njit(cache=True, nogil=True)
def add_noise(events: Any, means: Any, streams: Any, first: int, last: int) -> None:
    """Add a Poisson process of ``means[b]`` events, uniform over windows, polarities and pixels.

    Its points lie on a line through all counts of a clip, exponential distances apart.
    """
    pixels = events.shape[2]
    size = events.shape[0] * pixels
    for b in range(first, last):
        place, drawn = 0.0, 0
        if means[b] <= 0:
            continue
        while True:
            place -= math.log(1.0 - _uniform(streams[b], drawn)) * (size / means[b])
            drawn += 1
            if place >= size:
                break
            i = int(place)
            t, p = i // pixels, i % pixels
            events[t, b, p] = min(np.int64(events[t, b, p]) + 1, MOST)


@njit(cache=True, nogil=True)
def add_hot_pixels(events: Any, places: Any, periods: Any, phases: Any, starts: Any, first: int, last: int) -> None:
    """Add what pixels ``places`` (B, K), -1 for none, send at ``(k + phase)·period``; window t is [start, end)."""
    for b in range(first, last):
        for k in range(places.shape[1]):
            p = places[b, k]
            if p < 0:
                continue
            for t in range(events.shape[0]):
                begin = math.ceil(starts[t, 0] / periods[b, k] - phases[b, k])
                end = math.ceil(starts[t, 1] / periods[b, k] - phases[b, k])
                events[t, b, p] = min(np.int64(events[t, b, p]) + max(end, 0) - max(begin, 0), MOST)


@njit(cache=True, nogil=True)
def divide(values: Any, by: Any, floats: Any) -> None:
    """``floats = values / by``, flat, float32 of uint8."""
    divisor = np.float32(by)
    for i in range(values.shape[0]):
        floats[i] = np.float32(values[i]) / divisor
