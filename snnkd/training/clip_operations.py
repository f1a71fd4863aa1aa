"""The operations of the augmentation of clips, each a frozen dataclass that draws what it does from the clips' seeds.

Names, arguments and ranges are those of :mod:`snnkd.events.augmentation`. What is done with the draws to counts
``(T, B, 2, H, W)`` and frames ``(T, B, H, W)``, both uint8, is in :mod:`snnkd.training._augmentation_kernel`.

All raise :class:`~snnkd.errors.ConfigError`, by name, for a setting out of range.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets import EyeDataset
from snnkd.errors import ConfigError
from snnkd.events.augmentation import affine_matrix
from snnkd.training._clip_work import Seeds, as_words, share_out, streams, uniforms

Range = tuple[float, float]
Bytes = NDArray[np.uint8]
Way = Literal["nothing", "time", "area", "random"]


def _between(draws: NDArray[np.float64], bounds: Range) -> NDArray[np.float64]:
    return bounds[0] + draws * (bounds[1] - bounds[0])


def _check(kind: object, name: str, low: float, high: float) -> None:
    """Raise :class:`ConfigError` unless a field, a number or an ascending pair, lies between ``low`` and ``high``."""
    value = getattr(kind, name)
    ends = value if isinstance(value, tuple | list) else (value, value)
    numbers = len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
    if not numbers or not low <= ends[0] <= ends[1] <= high:
        raise ConfigError(f"augmentation: {type(kind).__name__}.{name} must lie between {low} and {high}, got {value}")


@dataclass(frozen=True)
class RandomAffine:
    """Turn, scale and shift a clip by one map about the middle ``c``: ``u' = c + s·R(φ)·(u − c) + (a·W, b·H)``.

    Each pixel keeps its activity, as for a camera that sits elsewhere: counts are those of the nearest pixel of the
    source, and frames lie between its four. Where the image moves in are no events, and frames repeat their border.

    Args:
        degrees: φ is drawn from ±``degrees``.
        shift: a and b are each drawn from ±``shift``, in parts of width and height.
        scale: s is drawn from this range.
    """

    degrees: float = 15.0
    shift: float = 0.2
    scale: Range = (0.8, 1.2)

    def __post_init__(self) -> None:
        _check(self, "degrees", 0, 180)
        _check(self, "shift", 0, 1)
        _check(self, "scale", 0.01, 100)

    def matrices(self, seeds: Seeds, size: tuple[int, int]) -> NDArray[np.float64]:
        """Maps (B, 2, 3) of images of ``size`` (W, H)."""
        draws = uniforms(seeds, "RandomAffine", 4)
        degrees, scale = _between(draws[:, 0], (-self.degrees, self.degrees)), _between(draws[:, 1], self.scale)
        shifts = _between(draws[:, 2:], (-self.shift, self.shift))
        return np.stack([affine_matrix(size, *given) for given in zip(degrees, scale, map(tuple, shifts), strict=True)])


@dataclass(frozen=True)
class HorizontalFlip:
    """Mirror a clip with ``probability``, ``x' = W − 1 − x``: for a network that is to see left and right eyes."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        _check(self, "probability", 0, 1)

    def matrices(self, seeds: Seeds, size: tuple[int, int]) -> NDArray[np.float64]:
        """Maps (B, 2, 3) of images of ``size`` (W, H)."""
        flipped = uniforms(seeds, "HorizontalFlip", 1)[:, 0] < self.probability
        kept, mirrored = np.eye(2, 3), np.array([[-1.0, 0.0, size[0] - 1.0], [0.0, 1.0, 0.0]])
        return np.where(flipped[:, None, None], mirrored, kept)


@dataclass(frozen=True)
class TimeScale:
    """Slow a clip down by a factor f, drawn uniformly in its logarithm: what took one window takes f of them.

    Of adjoining windows, the clip takes in ``T/f`` windows of the sequence. A window k covers ``[k·f, (k + 1)·f)`` in
    those of the clip; where these are several, each event goes to one of them by chance, in proportion, as its time
    within k is not known. A frame is the latest at or before its window's end. Of windows ``stride`` apart the distance
    becomes ``stride/f``, at least 1 and rounded, and they stay as they are. f is bound by the sequence's length.
    """

    factor: Range = (0.8, 1.25)

    def __post_init__(self) -> None:
        _check(self, "factor", 0.1, 10)

    def factors(self, seeds: Seeds) -> NDArray[np.float64]:
        """A factor for each clip (B,)."""
        low, high = self.factor
        return np.exp(_between(uniforms(seeds, "TimeScale", 1)[:, 0], (math.log(low), math.log(high))))

    def read(
        self, dataset: EyeDataset, indices: Sequence[int], places: NDArray[np.float64], seeds: Seeds
    ) -> tuple[Bytes, Bytes]:
        """Clips of a dataset, slower or faster; ``places`` (B,) in ``[0, 1)`` say where in the sequences they start."""
        lengths = np.array([dataset.sequences[i].length for i in indices], np.int64)
        steps, factors = dataset.steps, self.factors(seeds)
        if dataset.stride > 1 and steps > 1:
            apart = np.clip(dataset.stride / factors, 1.0, (lengths - 1) / (steps - 1))
            offsets = np.rint(apart[:, None] * np.arange(steps)).astype(np.int64)
            firsts = (places * (lengths - offsets[:, -1])).astype(np.int64)
            return dataset.clips(indices, firsts[:, None] + offsets)
        factors = np.maximum(factors, steps / lengths)
        numbers = np.ceil(steps / factors - 1e-9).astype(np.int64)
        firsts = (places * (lengths - numbers + 1)).astype(np.int64)
        windows = firsts[:, None] + np.minimum(np.arange(numbers.max()), numbers[:, None] - 1)
        return scale_time(*dataset.clips(indices, windows), factors, numbers, seeds, steps)


@dataclass(frozen=True)
class EventDrop:
    """Drop events in one of several ways, each as likely (Gu et al., IJCAI 2021): see ``snnkd.events.augmentation``.

    Args:
        ways: of ``nothing``; ``time``, the events of some adjoining windows; ``area``, those of a box; and ``random``,
            each event with one probability.
        time: range of the share of windows, rounded.
        area: range of the share of each side of the box in the image's.
        random: range of the probability.
    """

    ways: tuple[Way, ...] = get_args(Way)
    time: Range = (0.1, 0.9)
    area: Range = (0.05, 0.25)
    random: Range = (0.1, 0.9)

    def __post_init__(self) -> None:
        if not isinstance(self.ways, tuple | list) or not self.ways or not all(w in get_args(Way) for w in self.ways):
            raise ConfigError(
                f"augmentation: EventDrop.ways must be some of {', '.join(get_args(Way))}, got {self.ways}"
            )
        for name in ("time", "area", "random"):
            _check(self, name, 0, 1)

    def plans(self, seeds: Seeds, steps: int, size: tuple[int, int]) -> tuple[Any, Any, Any]:
        """For each clip, a box (x0, y0, x1, y1), windows (begin, end) and a share to drop; empty and 0 for none."""
        draws = uniforms(seeds, "EventDrop", 5)
        way = np.array(self.ways)[(draws[:, 0] * len(self.ways)).astype(int)]
        spans, boxes = np.zeros((len(seeds), 2), np.int64), np.zeros((len(seeds), 4), np.int64)
        length = np.rint(_between(draws[:, 1], self.time) * steps).astype(int)
        spans[:, 0] = draws[:, 2] * (steps - length + 1)
        spans[:, 1] = spans[:, 0] + length
        side = np.rint(_between(draws[:, 1], self.area)[:, None] * np.array(size)).astype(int)
        boxes[:, :2] = draws[:, 2:4] * (np.array(size) - side + 1)
        boxes[:, 2:] = boxes[:, :2] + side
        spans[way != "time"], boxes[way != "area"] = 0, 0
        return boxes, spans, np.where(way == "random", _between(draws[:, 1], self.random), 0.0)


@dataclass(frozen=True)
class Noise:
    """Add noise: a Poisson process of one rate, uniform over time, pixels and polarities.

    Args:
        rate_hz: range of the rate, in events a second and pixel of the clip.
    """

    rate_hz: Range = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check(self, "rate_hz", 0, 1000)

    def means(self, seeds: Seeds, steps: int, size: tuple[int, int], window_us: int) -> NDArray[np.float64]:
        """Expected number of events in each clip (B,)."""
        rate = _between(uniforms(seeds, "Noise", 1)[:, 0], self.rate_hz)
        return rate * (size[0] * size[1] * steps * window_us * 1e-6)


@dataclass(frozen=True)
class HotPixels:
    """Add pixels that fire like clockwork, each at one rate f and polarity: at ``(k + φ)/f``, φ uniform in [0, 1).

    Args:
        pixels: range of their number, both ends included.
        rate_hz: range of the rate, in events a second; drawn uniformly in its logarithm.
    """

    pixels: tuple[int, int] = (0, 4)
    rate_hz: Range = (50.0, 5000.0)

    def __post_init__(self) -> None:
        _check(self, "pixels", 0, 1000)
        _check(self, "rate_hz", 1e-3, 1e6)

    def plans(self, seeds: Seeds, size: tuple[int, int]) -> tuple[Any, Any, Any]:
        """For each clip and up to ``pixels[1]`` of them: place among the 2·H·W counts or -1, period in µs, phase."""
        most = self.pixels[1]
        draws = uniforms(seeds, "HotPixels", 1 + 3 * most)
        number = self.pixels[0] + (draws[:, 0] * (most - self.pixels[0] + 1)).astype(int)
        places, rates, phases = draws[:, 1:].reshape(len(seeds), 3, most).transpose(1, 0, 2)
        chosen = (places * (2 * size[0] * size[1])).astype(np.int64)
        chosen[np.arange(most) >= number[:, None]] = -1
        low, high = (math.log(rate) for rate in self.rate_hz)
        return chosen, 1e6 / np.exp(_between(rates, (low, high))), np.ascontiguousarray(phases)


def scale_time(
    events: Bytes,
    frames: Bytes,
    factors: NDArray[np.float64],
    numbers: NDArray[np.int64],
    seeds: Seeds,
    steps: int,
) -> tuple[Bytes, Bytes]:
    """Make clips of ``steps`` windows of the first ``numbers`` (B,) ones, as :class:`TimeScale` has it."""
    from snnkd.training import _augmentation_kernel as kernel

    given, clips, _, height, width = events.shape
    counts, images = events.reshape(given, clips, -1), frames.reshape(given, clips, -1)
    scaled = np.empty((steps, clips, counts.shape[2]), np.uint8)
    seen = np.empty((steps, clips, images.shape[2]), np.uint8)
    dealt = streams(seeds, "scale_time")
    share_out(
        clips, partial(kernel.scale_time, as_words(counts), counts, images, factors, numbers, dealt, scaled, seen)
    )
    return scaled.reshape(steps, clips, 2, height, width), seen.reshape(steps, clips, height, width)
