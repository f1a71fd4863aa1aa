"""What all augmentations share: the pair, the draws, and the promise about their result.

An augmentation is a frozen dataclass, called with an event array or with a pair (:mod:`snnkd.events.pair`). It draws
from a generator: the same state of the generator and the same data give the same result. What comes back has
``EVENT_DTYPE``, inside the sensor, in the order of time; what went in is left as it was.

**Seeds.** A whole number, or several such as ``[seed, epoch, index]``, is mixed with the name of the augmentation's
class: two augmentations with one seed draw apart, while two of the same class with one seed draw alike. A
``np.random.Generator`` is taken as it is, and may be shared. Without any the draws are other ones in each run.

**Copies.** In a data loader each worker would begin with the same copy of the generator and repeat the others' draws,
and so would each process of distributed training. So a generator is set anew before each call, from its own next draws
and what tells the copies apart: in torch's workers the worker's seed, which ``torch.manual_seed`` determines, and in
processes of rank 1 and up the rank. The rank is that of ``torch.distributed`` where it is initialised, else the
environment's ``RANK``, else that of the process which sent the augmentation here, as a parent does to workers that it
spawns. A generator given with the call is taken as it is.
"""

import os
import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from snnkd.events._arguments import check_all_whole, check_sensor
from snnkd.events.array import Events, check_inside, order_by_time
from snnkd.events.pair import Data, FrameStack, join_pair, split_pair

Range = tuple[float, float]
"""``(low, high)`` that a value is drawn from, uniformly; equal ends fix it."""

Seed = np.random.Generator | int | Sequence[int] | None
"""Where draws come from; see this module's docstring."""

withheld: ContextVar[str | None] = ContextVar("withheld", default=None)
"""The callable that a ``Compose`` gives the events of a pair without its frames, while it runs."""


@dataclass(frozen=True)
class Augmentation(ABC):
    """Base of the augmentations; a subclass says in ``apply`` what becomes of events and frames.

    Args:
        sensor_size: (W, H) of the sensor, and of the frames.
        generator: where the draws come from: a generator, a seed, or None for other draws in each run.

    Raises ``ValueError`` for a setting out of range, and when called with an event outside of the sensor, frames of
    another size, or what is not an event array or a pair.
    """

    sensor_size: tuple[int, int]
    generator: Seed = None

    _rank: ClassVar[int | None] = None  # on one that came out of a pickle: where that was made

    def __post_init__(self) -> None:
        object.__setattr__(self, "sensor_size", check_sensor(self.sensor_size))
        object.__setattr__(self, "generator", make_generator(self.generator, type(self).__name__))

    def __call__(self, data: Data, generator: Seed = None) -> Data:
        """Change an event array or a pair, with draws from ``generator`` or from the augmentation's own."""
        name = type(self).__name__
        if (wrapper := withheld.get()) is not None:
            raise ValueError(
                f"{name} inside {wrapper} would change the events of a pair and not its frames: "
                "put it into the Compose itself"
            )
        events, frames = split_pair(data)
        check_inside(events, self.sensor_size)
        if frames is not None and frames.images.shape[1:] != self.sensor_size[::-1]:
            raise ValueError(
                f"frames must have the sensor's size {self.sensor_size} (W, H), got {frames.images.shape[:0:-1]}"
            )
        if generator is None:
            assert isinstance(self.generator, np.random.Generator)
            draws = _apart(self.generator, self._rank)
        else:
            draws = make_generator(generator, name)
        return join_pair(data, *self.apply(order_by_time(events), frames, draws))

    @abstractmethod
    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Return new events, in the order of time, and new frames; leave what is given as it is."""

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker of a data loader knows nothing of its parent's rank.
        return {**self.__dict__, "_rank": _process_rank(self._rank)}


def make_generator(seed: Any, name: str) -> np.random.Generator:
    """The generator that a :data:`Seed` stands for where ``name`` draws from it."""
    if isinstance(seed, np.random.Generator):
        return seed
    if seed is None or isinstance(seed, np.random.BitGenerator | np.random.SeedSequence):
        return np.random.default_rng(seed)
    form = "a np.random.Generator or one or several seeds of 0 and up,"
    words = check_all_whole(seed if isinstance(seed, Sequence | np.ndarray) else (seed,), "generator", form)
    if not words or min(words) < 0:
        raise ValueError(f"generator must be {form} got {seed!r}")
    return np.random.default_rng([*words, zlib.crc32(name.encode())])


def draw(generator: np.random.Generator, bounds: Range) -> float:
    """A value between ``bounds``."""
    return float(generator.uniform(*bounds))


def _apart(generator: np.random.Generator, sent_from: int | None) -> np.random.Generator:
    """The generator, set anew where other processes have a copy of it."""
    data = sys.modules.get("torch.utils.data")  # without it this is no worker of torch's
    worker = data.get_worker_info() if data is not None else None
    words = [] if worker is None else [worker.seed]
    if rank := _process_rank(sent_from):
        words.append(rank)
    if words:
        words = [*generator.integers(2**32, size=4).tolist(), *words]
        generator.bit_generator.state = type(generator.bit_generator)(words).state
    return generator


def _process_rank(sent_from: int | None) -> int | None:
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    rank = os.environ.get("RANK", "")
    return int(rank) if rank.isdecimal() else sent_from
