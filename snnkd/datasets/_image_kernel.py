"""Compiled loops over one image: counting marked pixels, and the mean of a square's areas.

Both go down the image first, adding rows into one line that stays in the cache (the compiler makes vector code of it),
and across that line once for each row of the output.
"""

from typing import Any

import numpy as np

from snnkd.events._compile import njit


@njit(cache=True, nogil=True)
def _add_marked(row: Any, low: Any, high: Any, off: Any, on: Any) -> None:
    for x in range(row.shape[0]):
        off[x] += np.uint16(row[x] < low)
        on[x] += np.uint16(row[x] > high)


@njit(cache=True, nogil=True)
def count_marked(image: Any, background: int, margin: int, left: int, top: int, side: int, out: Any) -> None:
    """Count the pixels of the square that are more than ``margin`` from ``background`` into ``out`` (2, H, W) uint8.

    A pixel ``(x, y)`` of the square goes to ``(x·W // side, y·H // side)``, darker ones to channel 0 and brighter
    ones to channel 1; a count stops at 255.
    """
    height, width = out.shape[1], out.shape[2]
    low, high = np.int16(background - margin), np.int16(background + margin)
    places = np.empty(side, np.int32)
    for x in range(side):
        places[x] = x * width // side
    lines = np.zeros((2, side), np.uint16)
    total = np.zeros(width, np.int32)
    out[:] = 0
    y = 0
    while y < side:
        target = y * height // side
        lines[:] = 0
        while y < side and y * height // side == target:
            _add_marked(image[top + y, left : left + side], low, high, lines[0], lines[1])
            y += 1
        for channel in range(2):
            line, counts = lines[channel], out[channel, target]
            total[:] = 0
            for x in range(side):
                total[places[x]] += line[x]
            for j in range(width):
                counts[j] = min(total[j], 255)


@njit(cache=True, nogil=True)
def shares(side: int, parts: int) -> Any:
    """How ``side`` pixels lie in ``parts`` equal areas: the first of each, and the share of it and its followers.

    Area ``j`` covers ``[j·side/parts, (j + 1)·side/parts)``; a pixel that it covers in part has a part of the
    weight ``parts/side`` of a whole one. Returns ``first`` (parts,) and ``weights`` (parts, most), which end in zeros.
    """
    first = np.empty(parts, np.int32)
    weights = np.zeros((parts, side // parts + 2), np.float32)
    for j in range(parts):
        begin, end = j * side, (j + 1) * side  # in parts-ths of a pixel: whole numbers
        first[j] = begin // parts
        for k in range(weights.shape[1]):
            x = first[j] + k
            covered = min(end, (x + 1) * parts) - max(begin, x * parts)
            if covered > 0:
                weights[j, k] = covered / side
    return first, weights


@njit(cache=True, nogil=True)
def _add_row(row: Any, share: Any, line: Any) -> None:
    for x in range(row.shape[0]):
        line[x] += share * np.float32(row[x])


@njit(cache=True, nogil=True)
def area_mean(
    image: Any, left: int, top: int, side: int, row_first: Any, row_weights: Any, first: Any, weights: Any, out: Any
) -> None:
    """Mean of the square over the area of each pixel of ``out`` (H, W) uint8, with what :func:`shares` gave for
    rows and columns. Half levels are rounded up.
    """
    height, width = out.shape
    most = weights.shape[1]
    line = np.zeros(side + most, np.float32)  # beyond the square are zeros, which areas at its end may touch
    for i in range(height):
        line[:side] = np.float32(0.0)
        for k in range(row_weights.shape[1]):
            if row_weights[i, k] > 0:
                y = top + row_first[i] + k
                _add_row(image[y, left : left + side], row_weights[i, k], line[:side])
        for j in range(width):
            total = np.float32(0.5)
            begin = first[j]
            for k in range(most):
                total += weights[j, k] * line[begin + k]
            out[i, j] = np.uint8(min(total, np.float32(255.0)))
