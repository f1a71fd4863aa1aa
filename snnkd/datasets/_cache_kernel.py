"""The compiled loops of the clip cache: windows to tokens, and tokens to a batch.

Tokens of one window say which of its ``2·H·W`` counts are not zero, in their order, each by its distance ``gap`` from
the place after the last one. Most counts are small and lie close together, which makes one byte of most:

    ``gap·4 + count``                       gap 0..63, count 1..3;
    ``(gap >> 8)·4``, ``gap & 255``, count  gap 0..16,383, count 0..255; a count of 0 only bridges a wide gap.
"""

from typing import Any

import numpy as np

from snnkd.events._compile import njit

NEAR, SMALL, FAR = 64, 3, 16_383


@njit(cache=True, nogil=True)
def encode(counts: Any, tokens: Any) -> int:
    """Write the tokens of one window's ``counts``, flat uint8; ``tokens`` has room for 3 bytes each. Return bytes."""
    size, last = 0, 0
    for i in range(counts.shape[0]):
        count = counts[i]
        if count == 0:
            continue
        gap = i - last
        while gap > FAR:
            tokens[size], tokens[size + 1], tokens[size + 2] = (FAR >> 8) << 2, FAR & 255, 0
            size, gap = size + 3, gap - FAR
        if gap < NEAR and count <= SMALL:
            tokens[size] = (gap << 2) | count
            size += 1
        else:
            tokens[size], tokens[size + 1], tokens[size + 2] = (gap >> 8) << 2, gap & 255, count
            size += 3
        last = i + 1
    return size


@njit(cache=True, nogil=True)
def _decode(data: Any, position: int, end: int, counts: Any) -> None:
    """Fill one window's ``counts``, flat, from its tokens in ``data[position:end]``."""
    counts[:] = 0
    place, size = np.int64(0), counts.shape[0]
    while position < end:
        token = np.int64(data[position])
        count = token & 3
        if count:
            place += token >> 2
            position += 1
        else:
            place += np.int64(((token >> 2) << 8) | np.int64(data[position + 1]))
            count = np.int64(data[position + 2])
            position += 3
        if place >= size:
            return
        counts[place] = count
        if count:
            place += 1


@njit(cache=True, nogil=True)
def gather(data: Any, words: Any, places: Any, windows: Any, events: Any, frames: Any, first: int, last: int) -> None:
    """Fill clips ``first`` to ``last`` of a batch.

    ``data`` is the cache's file as bytes and ``words`` as uint32. ``places`` (B, 4) says of each clip's sequence where
    in ``words`` the starts of its tokens and the numbers of its frames are, and where in ``data`` tokens and frames
    begin; ``windows`` (T, B) which windows are wanted. ``events`` is (T, B, 2·H·W), ``frames`` (T, B, H·W), uint8.
    """
    pixels = frames.shape[2]
    for b in range(first, last):
        starts, numbers, tokens, images = places[b, 0], places[b, 1], places[b, 2], places[b, 3]
        for t in range(windows.shape[0]):
            w = windows[t, b]
            _decode(data, tokens + words[starts + w], tokens + words[starts + w + 1], events[t, b])
            image = images + np.int64(words[numbers + w]) * pixels
            frames[t, b] = data[image : image + pixels]
