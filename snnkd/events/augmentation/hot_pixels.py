"""Hot pixels put in: a few pixels that fire like clockwork whatever they look at.

Each injected pixel has one rate ``f`` and one polarity, and sends at ``⌊first + (k + φ)/f⌋``, k = 0, 1, ..., until the
last time of events and frames; ``φ`` is uniform in [0, 1). Rates are drawn uniformly in their logarithm. It is what
real ones do: of the four in a near-eye recording of a DAVIS346, each kept to one polarity, with half of its intervals
within 1 µs of each other, at mean rates of 82 to 13,532 events a second. Frames stay as they are.
"""

import math
from dataclasses import dataclass

import numpy as np

from snnkd.events._arguments import check_bounds, check_number, check_whole
from snnkd.events.array import Events, empty_events, make_events, order_by_time
from snnkd.events.augmentation.base import Augmentation, Range, draw
from snnkd.events.augmentation.noise import MOST
from snnkd.events.pair import FrameStack, span_us

RATES = (1e-3, 1e6)
"""Rates that a hot pixel may have: from one event in a quarter of an hour to one each µs."""


def hot_pixel_events(
    place: tuple[int, int], first_us: int, last_us: int, rate_hz: float, phase: float, polarity: bool
) -> Events:
    """What one hot pixel at ``place`` (x, y) sends from ``first_us`` to ``last_us``; ``phase`` is in [0, 1).

    Raises ``ValueError`` for a rate outside of 0.001 to 1,000,000 events a second or a phase out of range.
    """
    check_number("rate_hz", rate_hz, *RATES)
    check_number("phase", phase, 0, math.nextafter(1, 0))
    most = (last_us - first_us) * 1e-6 * rate_hz + 1
    if most > MOST:
        raise ValueError(f"{most:.3g} events would be added from {first_us} to {last_us} µs: is the clock right?")
    offsets = np.floor((np.arange(math.ceil(most)) + phase) * (1e6 / rate_hz)).astype(np.int64)
    times = first_us + offsets[offsets <= last_us - first_us]
    x, y = (np.full(len(times), n) for n in place)
    return make_events(x, y, times, np.full(len(times), polarity))


@dataclass(frozen=True)
class HotPixels(Augmentation):
    """Add hot pixels at random places.

    Args:
        pixels: range of their number, both ends included.
        rate_hz: range of the rate of each, events a second.
    """

    pixels: tuple[int, int] = (0, 4)
    rate_hz: Range = (50.0, 5000.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds("pixels", self.pixels, 0, self.sensor_size[0] * self.sensor_size[1])
        for number in self.pixels:
            check_whole(number, "pixels")
        check_bounds("rate_hz", self.rate_hz, *RATES)

    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Add as many as are drawn, each at another pixel."""
        width, height = self.sensor_size
        number = int(generator.integers(*self.pixels, endpoint=True))
        places = generator.choice(width * height, number, replace=False).tolist()
        span = span_us(events, frames)
        if span is None:
            return empty_events(), frames
        low, high = (math.log(rate) for rate in self.rate_hz)
        added = [events]
        for place in places:
            rate, phase, polarity = math.exp(draw(generator, (low, high))), generator.random(), generator.random() < 0.5
            added.append(hot_pixel_events((place % width, place // width), *span, rate, phase, polarity))
        return order_by_time(np.concatenate(added)), frames
