"""What is in the images of the SEE dataset, and the rule that makes events of them.

SEE (Zhang et al., SIGGRAPH 2023) publishes no event stream but JPG images of the events accumulated over 33 ms: the
background is mid-grey (the authors' mean is 0.504), ON events are brighter and OFF events darker, and JPEG has blurred
both. A pixel of grey level ``g`` counts as

    ON  if g − 128 > margin,    OFF  if 128 − g > margin,

and as empty between, which is where JPEG's ringing stays (a few levels). How many levels one event adds is not
published, so the depth is not read as a count: a marked pixel is one event.
"""

import re

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
"""Grey levels from the background that make an event, where nobody says otherwise."""

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
