"""What all augmentations share: the pair, the draws, and the promise about their result.

An augmentation is a frozen dataclass, called with an event array or with a pair (:mod:`snnkd.events.pair`). It draws
from a generator that is given: the same state of the generator and the same data give the same result. What comes
back has ``EVENT_DTYPE``, inside the sensor, in the order of time; what went in is left as it was.

In a data loader each worker would begin with the same copy of the generator and repeat the others' draws. So in
torch's workers a generator is set anew before each call, from its own next draws and the worker's seed, which
``torch.manual_seed`` determines. A generator given with the call is taken as it is.
"""

import operator
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from snnkd.events.array import Events, check_inside, check_size, order_by_time
from snnkd.events.pair import Data, FrameStack, join_pair, split_pair

Range = tuple[float, float]
"""``(low, high)`` that a value is drawn from, uniformly; equal ends fix it."""


@dataclass(frozen=True)
class Augmentation(ABC):
    """Base of the augmentations; a subclass says in ``apply`` what becomes of events and frames.

    Args:
        sensor_size: (W, H) of the sensor, and of the frames.
        generator: where the draws come from; a whole number stands for ``np.random.default_rng`` of it.

    Raises ``ValueError`` for a setting out of range, and when called with an event outside of the sensor, frames of
    another size, or what is not an event array or a pair.
    """

    sensor_size: tuple[int, int]
    generator: np.random.Generator | int

    def __post_init__(self) -> None:
        object.__setattr__(self, "sensor_size", check_size(self.sensor_size, "sensor_size"))
        if not isinstance(self.generator, np.random.Generator):
            object.__setattr__(self, "generator", np.random.default_rng(operator.index(self.generator)))

    def __call__(self, data: Data, generator: np.random.Generator | None = None) -> Data:
        """Change an event array or a pair, with draws from ``generator`` or from the augmentation's own."""
        events, frames = split_pair(data)
        check_inside(events, self.sensor_size)
        if frames is not None and frames.images.shape[1:] != self.sensor_size[::-1]:
            raise ValueError(
                f"frames must have the sensor's size {self.sensor_size} (W, H), got {frames.images.shape[:0:-1]}"
            )
        if generator is None:
            assert isinstance(self.generator, np.random.Generator)
            generator = _own_in_worker(self.generator)
        return join_pair(data, *self.apply(order_by_time(events), frames, generator))

    @abstractmethod
    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Return new events, in the order of time, and new frames; leave what is given as it is."""


def draw(generator: np.random.Generator, bounds: Range) -> float:
    """A value between ``bounds``."""
    return float(generator.uniform(*bounds))


def check_bounds(name: str, bounds: Range, least: float, most: float) -> None:
    """Raise ``ValueError`` unless ``bounds`` is (low, high) within ``least`` to ``most``."""
    low, high = bounds
    if not least <= low <= high <= most:
        raise ValueError(f"{name} must be (low, high) within {least:g} to {most:g}, got {bounds}")


def _own_in_worker(generator: np.random.Generator) -> np.random.Generator:
    data = sys.modules.get("torch.utils.data")  # without it this is no worker of torch's
    worker = data.get_worker_info() if data is not None else None
    if worker is not None:
        words = [*generator.integers(2**32, size=4).tolist(), worker.seed]
        generator.bit_generator.state = type(generator.bit_generator)(words).state
    return generator
