"""Augmentation of training clips: windows that are binned already, events and frames jointly, a batch at once.

The operations, their names and their ranges are those of :mod:`snnkd.events.augmentation`, which works on events before
they are binned; here they see counts ``(T, B, 2, H, W)`` and frames ``(T, B, H, W)``, both uint8. Counts stay whole
numbers, and stop at 255. Time is never reversed: that would make an expression's onset its offset.

**Seeds.** All draws of a clip come from its own seed, which :class:`snnkd.training.clips.EpochShuffle` draws from the
run's seed and the epoch. So they do not depend on the process that reads the clip, on the clips beside it in a batch or
on what was drawn before: a resumed training repeats those of the uninterrupted one, and each rank of a distributed one
has other clips with other seeds.
"""

from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ConfigError
from snnkd.training._clip_work import Seeds, as_words, share_out, streams
from snnkd.training.clip_operations import Bytes, EventDrop, HorizontalFlip, HotPixels, Noise, RandomAffine, TimeScale


@dataclass(frozen=True)
class Augmentation:
    """What is done to training clips, in this order; None leaves an operation out.

    Noise and hot pixels come after the map: they are the sensor's and do not move with the eye.
    """

    flip: HorizontalFlip | None = None
    time_scale: TimeScale | None = field(default_factory=TimeScale)
    affine: RandomAffine | None = field(default_factory=RandomAffine)
    drop: EventDrop | None = field(default_factory=EventDrop)
    noise: Noise | None = field(default_factory=Noise)
    hot_pixels: HotPixels | None = field(default_factory=HotPixels)

    @classmethod
    def mild(cls) -> "Augmentation":
        """Small maps and time scales, nothing dropped or added: for trainings of some thousand steps at most.

        They have not the time to fit what the standard one makes of the clips.
        """
        return cls(affine=RandomAffine(5.0, 0.05, (0.95, 1.05)), drop=None, noise=None, hot_pixels=None)

    @classmethod
    def changed(cls, changes: dict[str, Any]) -> "Augmentation":
        """The standard one with ``changes``: options of an operation by its name here, or None to leave it out.

        Raises :class:`ConfigError` for a name or an option that there is not, or a value out of range.
        """
        kinds = {"flip": HorizontalFlip, "time_scale": TimeScale, "affine": RandomAffine}
        kinds |= {"drop": EventDrop, "noise": Noise, "hot_pixels": HotPixels}
        made: dict[str, Any] = {}
        for name, options in changes.items():
            if name not in kinds:
                raise ConfigError(f"augmentation: there is no {name!r}: there are {', '.join(kinds)}")
            if options is not None and not isinstance(options, dict):
                raise ConfigError(f"augmentation.{name}: must be a mapping of options, or null, got {options!r}")
            known = [each.name for each in fields(kinds[name])]
            for option in options or {}:
                if option not in known:
                    raise ConfigError(f"augmentation.{name}: there is no {option!r}: there are {', '.join(known)}")
            made[name] = None if options is None else kinds[name](**options)
        return cls(**made)

    def apply(self, events: Bytes, frames: Bytes, seeds: Seeds, window_us: int, stride: int = 1) -> tuple[Bytes, Bytes]:
        """Change counts ``(T, B, 2, H, W)`` and frames ``(T, B, H, W)``, which may be overwritten; all but time."""
        from snnkd.training import _augmentation_kernel as kernel

        steps, clips, _, height, width = events.shape
        size = (width, height)
        counts, images = events.reshape(steps, clips, -1), frames.reshape(steps, clips, -1)
        maps = [kind.matrices(seeds, size) for kind in (self.flip, self.affine) if kind is not None]
        if maps:
            inverse = np.stack([_inverse(*both) for both in zip(*maps, strict=True)])
            moved, seen = np.empty_like(counts), np.empty_like(images)
            share_out(clips, partial(kernel.move, counts, images, inverse, width, height, moved, seen))
            counts, images = moved, seen
        if self.drop is not None:
            plans = self.drop.plans(seeds, steps, size)
            share_out(clips, partial(kernel.drop, as_words(counts), counts, *plans, streams(seeds, "drop"), width))
        if self.noise is not None:
            means = self.noise.means(seeds, steps, size, window_us)
            share_out(clips, partial(kernel.add_noise, counts, means, streams(seeds, "noise")))
        if self.hot_pixels is not None and self.hot_pixels.pixels[1]:
            starts = (stride * np.arange(steps)[:, None] + [0, 1]) * float(window_us)
            share_out(clips, partial(kernel.add_hot_pixels, counts, *self.hot_pixels.plans(seeds, size), starts))
        return counts.reshape(steps, clips, 2, height, width), images.reshape(steps, clips, height, width)


def _inverse(*maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse (2, 3) of maps that follow one another."""
    whole = np.eye(3)
    for one in maps:
        whole = np.vstack([one, [0.0, 0.0, 1.0]]) @ whole
    return np.asarray(np.linalg.inv(whole)[:2], np.float64)
