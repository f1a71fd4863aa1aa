"""Augmentations in a row, with any other transform of events between them, and the usual row."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from snnkd.errors import SnnkdWarning
from snnkd.events._arguments import check_sensor
from snnkd.events.augmentation.affine import RandomAffine
from snnkd.events.augmentation.base import Augmentation, Seed, make_generator, withheld
from snnkd.events.augmentation.drop import EventDrop
from snnkd.events.augmentation.flip import HorizontalFlip
from snnkd.events.augmentation.hot_pixels import HotPixels
from snnkd.events.augmentation.noise import Noise
from snnkd.events.augmentation.time_scale import TimeScale
from snnkd.events.transforms import EventBinning, EventFilter, ToBins

Policy = Literal["check", "keep", "drop"]

MOVERS = {
    "CenterCrop",
    "Downsample",
    "EventDownsampling",
    "RandomCrop",
    "RandomFlipLR",
    "RandomFlipUD",
    "RandomTimeReversal",
    "TimeAlignment",
    "TimeSkew",
}
"""Transforms of tonic after which events lie elsewhere, in space or time, than frames that went past."""


@dataclass(frozen=True)
class Compose:
    """Apply transforms one after the other to an event array or a pair.

    What is of this library sees the whole pair, also where it stands in another's ``Compose`` (tonic's, torchvision's)
    that is given as one of the transforms: such a row is taken apart. Any other callable sees the events alone, and
    ``frames`` says what becomes of the pair's frames then:

    - ``check``: they pass by, and what would part them from their events is a ``ValueError``: a transform of tonic
      that moves events in space or time (:data:`MOVERS`), or an augmentation inside the callable. What a function
      of your own does to the events is yours to know.
    - ``keep``: they pass by, whatever the callable does.
    - ``drop``: the pair goes on without frames.

    The last transforms may make something else than events: a tensor of bins, say, and of that a normalised one.

    A generator or seeds given with the call make a sample repeatable by itself, whatever was drawn before:
    ``row((events, frames), [seed, epoch, index])``.

    Unlike tonic's, it goes on where no event is left, so that a last transform still gives its tensor. Each of ours
    also works inside tonic's ``Compose``; there, on a pair, wrap tonic's own in one of these.

    Raises ``ValueError`` when something other than a callable is given, and what the transforms raise; warns where
    ``ToBins`` without a span undoes a ``TimeScale``.
    """

    transforms: tuple[Callable[[Any], Any], ...]
    frames: Policy = "check"

    def __post_init__(self) -> None:
        if self.frames not in get_args(Policy):
            raise ValueError(f"frames must be one of {', '.join(get_args(Policy))}, got {self.frames!r}")
        for transform in self.transforms:
            if not callable(transform):
                raise ValueError(f"transforms must be callables, got {transform!r}")
        object.__setattr__(self, "transforms", tuple(self._open(transform) for transform in self.transforms))
        scaled = False
        for leaf in _leaves(self):
            if scaled and isinstance(leaf, ToBins) and leaf.span_us is None:
                text = "ToBins without span_us undoes the TimeScale before it: give span_us, or use ToWindows"
                warnings.warn(text, SnnkdWarning, stacklevel=3)
            scaled |= isinstance(leaf, TimeScale)

    def __call__(self, data: Any, generator: Seed = None) -> Any:
        """Events, or the pair, as the last transform left it; augmentations draw from ``generator`` if it is given."""
        if generator is not None:
            generator = make_generator(generator, type(self).__name__)  # one for all, not the same for each
        for transform in self.transforms:
            if isinstance(transform, Augmentation | Compose):
                data = transform(data, generator)
            elif isinstance(transform, EventFilter | EventBinning) or not _is_pair(data):
                data = transform(data)
            else:
                data = self._pass_by(transform, *data)
        return data

    def _open(self, transform: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Another's row that holds one of ours as one of these; everything else as it is."""
        ours = (Augmentation, Compose, EventFilter, EventBinning)
        row = type(transform).__name__ == "Compose" and not isinstance(transform, Compose)
        if row and any(isinstance(leaf, ours) for leaf in _leaves(transform)):
            return Compose(tuple(transform.transforms), self.frames)  # type: ignore[attr-defined]
        return transform

    def _pass_by(self, transform: Callable[[Any], Any], events: Any, frames: Any) -> tuple[Any, Any]:
        if frames is None or self.frames != "check":
            return transform(events), None if self.frames == "drop" else frames
        name = getattr(transform, "__name__", type(transform).__name__)
        for leaf in _leaves(transform):
            if type(leaf).__module__.split(".")[0] == "tonic" and type(leaf).__name__ in MOVERS:
                raise ValueError(
                    f"tonic's {type(leaf).__name__} moves the events of a pair and not its frames: use an augmentation "
                    "of snnkd.events.augmentation, or Compose(..., frames='drop')"
                )
        token = withheld.set(name)
        try:
            return transform(events), frames
        finally:
            withheld.reset(token)


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) == 2


def _leaves(transform: Any) -> Iterator[Any]:
    """The transform, or those of the row that it is, to the bottom."""
    inner = getattr(transform, "transforms", None)
    if isinstance(inner, list | tuple):
        for one in inner:
            yield from _leaves(one)
    else:
        yield transform


def standard_augmentation(sensor_size: tuple[int, int], generator: Seed = None, *, flip: bool = False) -> Compose:
    """The usual row for one eye, all from one generator: time scale, affine, drop, noise and hot pixels.

    What comes in later than the affine map is the sensor's own and does not move with the eye. ``flip`` mirrors
    half of the recordings first: for a network that is to see left and right eyes. Time is never reversed.
    """
    shared, sensor = make_generator(generator, "standard_augmentation"), check_sensor(sensor_size)
    first = (HorizontalFlip(sensor, shared),) if flip else ()
    rest = (kind(sensor, shared) for kind in (TimeScale, RandomAffine, EventDrop, Noise, HotPixels))
    return Compose((*first, *rest))
