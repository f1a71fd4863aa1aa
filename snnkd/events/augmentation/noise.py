"""Noise events: each pixel fires by itself at one low rate, at any time, ON as often as OFF.

Over a span of ``D`` seconds a sensor of ``W·H`` pixels makes ``Poisson(rate·W·H·D)`` noise events, each uniform over
pixels, over the whole µs of the span (both ends included) and over polarities. The span is that of events and frames
together. At equal times the events that were there come first. Frames stay as they are.
"""

from dataclasses import dataclass

import numpy as np

from snnkd.events.array import Events, empty_events, make_events, order_by_time
from snnkd.events.augmentation.base import Augmentation, Range, check_bounds, draw
from snnkd.events.pair import FrameStack, span_us

MOST = 100_000_000
"""Events that may be added at once: 1.3 GB. A span that asks for more has a damaged clock."""


def uniform_noise(
    sensor_size: tuple[int, int], first_us: int, last_us: int, rate_hz: float, generator: np.random.Generator
) -> Events:
    """Noise of ``rate_hz`` events a second and pixel from ``first_us`` to ``last_us``, in the order of time."""
    width, height = sensor_size
    count = draw_count(rate_hz * width * height, first_us, last_us, generator)
    return make_events(
        generator.integers(width, size=count),
        generator.integers(height, size=count),
        np.sort(generator.integers(first_us, last_us, size=count, endpoint=True)),
        generator.integers(2, size=count),
    )


def draw_count(rate_hz: float, first_us: int, last_us: int, generator: np.random.Generator) -> int:
    """How many events of ``rate_hz`` fall into a span; ``ValueError`` for more than :data:`MOST`."""
    mean = rate_hz * (last_us - first_us) * 1e-6
    if mean > MOST:
        raise ValueError(f"{mean:.3g} events would be added from {first_us} to {last_us} µs: is the clock right?")
    return int(generator.poisson(mean))


@dataclass(frozen=True)
class Noise(Augmentation):
    """Add uniform noise; ``rate_hz`` is the range of its rate, in events a second and pixel."""

    rate_hz: Range = (0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds("rate_hz", self.rate_hz, 0, 1e6)

    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Add noise at the rate that is drawn."""
        rate = draw(generator, self.rate_hz)
        span = span_us(events, frames)
        if span is None:
            return empty_events(), frames
        noise = uniform_noise(self.sensor_size, *span, rate, generator)
        return order_by_time(np.concatenate([events, noise])), frames
