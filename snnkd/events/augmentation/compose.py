"""Augmentations in a row, with any other transform of events between them, and the usual row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnkd.events.augmentation.affine import RandomAffine
from snnkd.events.augmentation.base import Augmentation
from snnkd.events.augmentation.drop import EventDrop
from snnkd.events.augmentation.flip import HorizontalFlip
from snnkd.events.augmentation.hot_pixels import HotPixels
from snnkd.events.augmentation.noise import Noise
from snnkd.events.augmentation.time_scale import TimeScale
from snnkd.events.pair import Data, join_pair, split_pair


@dataclass(frozen=True)
class Compose:
    """Apply transforms one after the other to an event array or a pair.

    An augmentation of this package sees the whole pair. Any other callable, such as a filter of
    :mod:`snnkd.events.transforms` or a transform of tonic, sees the events alone, and the frames pass by: one that
    moves events in space or time belongs on an array without frames. The last may make something else than events.

    A generator given with the call makes a sample repeatable by itself, whatever was drawn before:
    ``row((events, frames), np.random.default_rng([seed, epoch, index]))``.

    Unlike tonic's, it goes on where no event is left, so that a last transform still gives its tensor. Each of ours
    also works inside tonic's ``Compose``; there, on a pair, wrap tonic's own in one of these.

    Raises ``ValueError`` when something other than a callable is given, and what the transforms raise.
    """

    transforms: tuple[Callable[[Any], Any], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(self.transforms))
        for transform in self.transforms:
            if not callable(transform):
                raise ValueError(f"transforms must be callables, got {transform!r}")

    def __call__(self, data: Data, generator: np.random.Generator | None = None) -> Any:
        """Events, or the pair, as the last transform left it; augmentations draw from ``generator`` if it is given."""
        for transform in self.transforms:
            if isinstance(transform, Augmentation | Compose):
                data = transform(data, generator)
            elif isinstance(data, np.ndarray):
                data = transform(data)
            else:
                events, frames = split_pair(data)
                data = join_pair(data, transform(events), frames)
        return data


def standard_augmentation(
    sensor_size: tuple[int, int], generator: np.random.Generator | int, *, flip: bool = False
) -> Compose:
    """The usual row for one eye, all from one generator: time scale, affine, drop, noise and hot pixels.

    What comes in later than the affine map is the sensor's own and does not move with the eye. ``flip`` mirrors
    half of the recordings first: for a network that is to see left and right eyes. Time is never reversed.
    """
    shared = np.random.default_rng(generator)
    first = (HorizontalFlip(sensor_size, shared),) if flip else ()
    rest = (kind(sensor_size, shared) for kind in (TimeScale, RandomAffine, EventDrop, Noise, HotPixels))
    return Compose((*first, *rest))
