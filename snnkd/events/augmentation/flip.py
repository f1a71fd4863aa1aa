"""Left and right eye: events and frames are mirrored, ``x' = W − 1 − x``.

A choice of its own, and not among the usual ones: a mirrored left eye is a right eye, which helps only where the
network is to see both.
"""

from dataclasses import dataclass

import numpy as np

from snnkd.events._arguments import check_number
from snnkd.events.array import Events
from snnkd.events.augmentation.base import Augmentation
from snnkd.events.pair import FrameStack


@dataclass(frozen=True)
class HorizontalFlip(Augmentation):
    """Mirror events and frames with ``probability``."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("probability", self.probability, 0, 1)

    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Mirror both, or neither."""
        flipped = events.copy()
        if generator.random() >= self.probability:
            return flipped, frames
        flipped["x"] = self.sensor_size[0] - 1 - events["x"]
        if frames is not None:
            frames = FrameStack(np.ascontiguousarray(frames.images[:, :, ::-1]), frames.timestamps_us)
        return flipped, frames
