"""Slower or faster: times of events and frames are stretched by one factor from their common begin.

    t' = t₀ + ⌊(t − t₀)·f + ½⌋,    t₀ the earliest time of events and frames

The factor is drawn uniformly in its logarithm, so that twice as fast is as likely as half as fast. Rounding never
swaps two events. Time is not reversed: that would make an expression's onset its offset.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnkd.events._arguments import check_bounds, check_number
from snnkd.events.array import Events
from snnkd.events.augmentation.base import Augmentation, Range, draw
from snnkd.events.pair import FrameStack, span_us

LONGEST_US = 2**52
"""Span below which float64 holds every stretched µs and its half: 142 years."""


FACTORS = (0.01, 100.0)
"""Factors that time may be stretched by."""


def scale_times(times: NDArray[np.int64], origin_us: int, factor: float) -> NDArray[np.int64]:
    """Times (N,) in µs by the equation in this module's docstring; ``ValueError`` for a factor outside 0.01 to 100."""
    check_number("factor", factor, *FACTORS)
    return origin_us + np.floor((times - origin_us) * factor + 0.5).astype(np.int64)


@dataclass(frozen=True)
class TimeScale(Augmentation):
    """Stretch time by a factor from the range ``factor``; above 1 is slower."""

    factor: Range = (0.8, 1.25)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds("factor", self.factor, *FACTORS)

    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Stretch both by the factor that is drawn."""
        low, high = self.factor
        factor = math.exp(draw(generator, (math.log(low), math.log(high))))
        scaled = events.copy()
        span = span_us(events, frames)
        if span is None:
            return scaled, frames
        first, last = span
        if (last - first) * max(factor, 1) >= LONGEST_US or first + (last - first) * factor >= 2**63:
            raise ValueError(f"times from {first} to {last} µs are too far apart to be scaled: is the clock right?")
        scaled["t"] = scale_times(events["t"], first, factor)
        if frames is not None:
            frames = FrameStack(frames.images, scale_times(frames.timestamps_us, first, factor))
        return scaled, frames
