"""What is in the images of the SEE dataset, and the rule that makes events of them.

SEE (Zhang et al., SIGGRAPH 2023) publishes no event stream but JPG images of the events accumulated over 33 ms: the
background is mid-grey (the authors' mean is 0.504), ON events are brighter and OFF events darker, and JPEG has blurred
both. A pixel of grey level ``g`` counts as

    ON  if g − 128 > margin,    OFF  if 128 − g > margin,

and as empty between. How many levels one event adds is not published, so the depth is not read as a count: a marked
pixel is one event.

The margin has to keep out JPEG's ringing, whose size the file tells: rounding the 64 coefficients of a block to
multiples of ``q_i`` leaves an error with ``σ² = Σ q_i² / (12 · 64)`` in each pixel. So the margin is 12 levels, which
is 3 σ at libjpeg's quality 90, and where the file is coarser

    max(12, min(3 σ, 0.3 · the image's largest deviation from 128)),

where the second term leaves something of images whose events are faint. ``tests/datasets/test_see_jpeg.py`` says how
many events are found, and how many of those found are true, at which quality and depth.
"""

import re
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import EVENT_DTYPE, Events, make_events

ANNOTATIONS = "emotion.json"
"""File of the labels and the official split, at the data set's root."""

WINDOW_US = 33_333
"""Time that one event image covers, and between two frames, in µs."""

BACKGROUND = 128
"""Grey level of a pixel without events: the authors' mean of 0.504 in 8 bits, rounded down."""

MARGIN = 12
"""Grey levels from the background that make an event at least, where nobody says otherwise."""

RINGING, PART = 3.0, 0.3
"""Standard deviations of JPEG's error that the margin keeps out, and the part of the largest deviation it may take."""

LARGEST = int(np.iinfo(EVENT_DTYPE["x"]).max)
"""Pixels on a side of an image, as many as an event can tell apart."""

NAME = re.compile(
    r"(?P<number>\d+)_(?P<person>[^_]+)_(?P<sex>man|woman)_(?P<age>\d+)_(?P<degree>.+)"
    r"_(?P<lighting>[^_]+)_(?P<emotion>[^_]+)_(?P<length>\d+)_(?:take)?(?P<take>\d+)"
)
"""A sequence's name, for example ``1_001_man_24_Master_normal_angry_45_take000``."""


def event_pixels(image: NDArray[np.uint8], margin: int = MARGIN, time_us: int = 0) -> Events:
    """One event for each marked pixel of an event image (H, W), row by row, all at ``time_us``."""
    deviation = image.astype(np.int16) - BACKGROUND
    y, x = np.nonzero(np.abs(deviation) > margin)
    return make_events(x, y, np.full(len(x), time_us), deviation[y, x] > 0)


def margin_of(data: bytes, image: NDArray[np.uint8], margin: int = MARGIN) -> int:
    """Margin for an event image (H, W), the content of whose file is ``data``; never below ``margin``."""
    ringing = RINGING * _error(_quantisation(data))
    if ringing <= margin:  # all files of a fair quality
        return margin
    deviation = max(int(image.max()) - BACKGROUND, BACKGROUND - int(image.min()))
    return max(margin, int(min(ringing, PART * deviation)))


def _quantisation(data: bytes) -> bytes:
    """The first table of 64 steps of a JPG, the luminance's; nothing where there is none, or of 16 bits."""
    position = 2 if data[:2] == b"\xff\xd8" else len(data)
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xDB:
            return data[position + 5 : position + 69] if data[position + 4] < 16 else b""
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return b""


@lru_cache(maxsize=64)
def _error(steps: bytes) -> float:
    """Standard deviation, in grey levels, of what rounding to these steps leaves in a pixel."""
    return sqrt(sum(step * step for step in steps) / (12 * 64))
