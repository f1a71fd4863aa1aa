"""Noise events: each pixel fires by itself at one low rate, at any time, ON as often as OFF.

Over a span of ``D`` seconds a sensor of ``W·H`` pixels makes ``Poisson(rate·W·H·D)`` noise events, each uniform over
pixels, over the whole µs of the span (both ends included) and over polarities. The span is that of events and frames
together. At equal times the events that were there come first. Frames stay as they are.
"""

from dataclasses import dataclass

import numpy as np

from snnkd.events._arguments import check_bounds, check_number, check_sensor
from snnkd.events.array import EVENT_DTYPE, Events, empty_events, order_by_time
from snnkd.events.augmentation.base import Augmentation, Range, draw
from snnkd.events.pair import FrameStack, span_us

MOST = 100_000_000
"""Events that may be added at once: 1.3 GB, and 4.7 GB while they are put in order. More are a damaged clock's."""

RATES = (0.0, 1e6)
"""Events a second and pixel that noise may have."""


def uniform_noise(
    sensor_size: tuple[int, int], first_us: int, last_us: int, rate_hz: float, generator: np.random.Generator
) -> Events:
    """Noise of ``rate_hz`` events a second and pixel from ``first_us`` to ``last_us``, in the order of time."""
    width, height = check_sensor(sensor_size)
    check_number("rate_hz", rate_hz, 0, 1e9)
    if first_us > last_us:
        raise ValueError(f"first_us must be at or before last_us, got {first_us} and {last_us}")
    events = np.empty(draw_count(rate_hz * width * height, first_us, last_us, generator), EVENT_DTYPE)
    # One column at a time: together they would hold three times the events' memory.
    for name, count in (("x", width), ("y", height)):
        events[name] = generator.integers(count, size=len(events), dtype=np.int16)
    times = generator.integers(first_us, last_us, size=len(events), endpoint=True)
    times.sort()
    events["t"] = times
    events["p"] = generator.integers(2, size=len(events), dtype=np.bool_)
    return events


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
        check_bounds("rate_hz", self.rate_hz, *RATES)

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
