"""What every dataset gives: the sample, the sequence it comes from, and the batch.

A **sample** is a dict made by :func:`make_sample`:

- ``events``  float32 ``(T, 2, H, W)``: event counts per window, channel 0 OFF and 1 ON;
- ``frames``  float32 ``(T, 1, H, W)`` in ``[0, 1]``: the latest frame at or before the end of each window;
- ``label``   int, index into :data:`snnkd.datasets.labels.EMOTIONS`, -1 where the recording has no label;
- ``index``   int, position in the dataset's ``sequences``.

A **batch** is a dict made by :func:`collate`, time-major: ``events (T, B, 2, H, W)``, ``frames (T, B, 1, H, W)``,
``labels (B,)`` and ``index (B,)`` int64.

Both are the sensor's centred square mapped onto ``(W, H)``, as inference maps it: events by the integer map of
:func:`snnkd.events.bin_events`, so that counts stay whole, and frames by their mean over areas
(:func:`fit_frame`).

A **dataset** (:class:`EyeDataset`) is a map-style dataset with ``sequences``, ``input_size`` (W, H), ``steps`` and
``window_us``. Where a clip starts is drawn from torch's global generator when ``start="random"``: that is the
one a DataLoader seeds in each worker, so seeding torch once fixes every draw. Windows are read from the source files
(:meth:`EyeDataset.read`), or from a :class:`snnkd.datasets.cache.ClipCache` once :meth:`EyeDataset.use_cache` was
called; both give the same.
"""

import os
from abc import abstractmethod
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypedDict, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from snnkd.datasets.checks import check_integers
from snnkd.datasets.labels import EMOTIONS
from snnkd.errors import DatasetError
from snnkd.events import centre_square

if TYPE_CHECKING:
    from snnkd.datasets.cache import ClipCache

STARTS = ("random", "centre", "first", "last")


@dataclass(frozen=True)
class Sequence:
    """One recording; ``length`` is in windows, ``emotion`` is None where the recording has no label."""

    name: str
    person: str
    emotion: str | None
    lighting: str
    length: int

    @property
    def label(self) -> int:
        """Index of the emotion in :data:`snnkd.datasets.labels.EMOTIONS`, -1 without one."""
        return -1 if self.emotion is None else EMOTIONS.index(self.emotion)


class Windows(NamedTuple):
    """Windows of one sequence: counts ``(N, 2, H, W)`` uint8, clipped at 255, and frames ``(N, H, W)`` uint8."""

    events: NDArray[np.uint8]
    frames: NDArray[np.uint8]


class Sample(TypedDict):
    """One clip; shapes in the module's docstring."""

    events: torch.Tensor
    frames: torch.Tensor
    label: int
    index: int


class Batch(TypedDict):
    """Clips stacked on axis 1; shapes in the module's docstring."""

    events: torch.Tensor
    frames: torch.Tensor
    labels: torch.Tensor
    index: torch.Tensor


class Samples(abc.Sequence[Sample]):
    """The samples of a batch that was read in one piece; each is a view of it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch["labels"])

    @overload
    def __getitem__(self, i: int) -> Sample: ...
    @overload
    def __getitem__(self, i: slice) -> list[Sample]: ...
    def __getitem__(self, i: int | slice) -> Sample | list[Sample]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        return Sample(
            events=self.batch["events"][:, i],
            frames=self.batch["frames"][:, i],
            label=int(self.batch["labels"][i]),
            index=int(self.batch["index"][i]),
        )


class EyeDataset(Dataset[Sample]):
    """Base of the datasets: which windows make a clip. A subclass sets the attributes and reads the windows
    (:meth:`read`, :meth:`sources`, :meth:`reading`).

    A clip has ``steps`` windows, ``stride`` windows apart: windows ``start, start + stride, ...``, so it
    spans ``(steps - 1)·stride + 1`` windows of a sequence.

    ``population`` names the people that ``persons`` are of: equal names of two populations are not one person.
    ``split_config`` holds the keyword arguments (``split_keys``) that divide these sequences the same way again.
    ``has_frames`` is False where some sequence has events alone: its frames are then all zero, and nothing that looks
    at frames may be trained or scored on it (:meth:`check_modality`).
    """

    has_frames: bool = True
    split_keys: ClassVar[tuple[str, ...]]
    root: Path
    population: str
    split_config: dict[str, Any]
    sequences: list[Any]
    input_size: tuple[int, int]
    steps: int
    stride: int
    window_us: int
    start: str
    cache: "ClipCache | None" = None

    @abstractmethod
    def read(self, index: int, windows: NDArray[np.int64]) -> Windows:
        """Read windows ``(N,)`` of a sequence straight from the source files."""

    @abstractmethod
    def sources(self, index: int) -> list[Path]:
        """Every file that :meth:`read` takes this sequence from; a folder stands for all files below it."""

    @abstractmethod
    def reading(self) -> dict[str, Any]:
        """What else :meth:`read` depends on, as plain data: the kind of dataset, the version of its decoding, and every
        setting. Equal files, equal ``sequences`` and an equal ``reading()`` must give equal windows.
        """

    def check_modality(self, modality: str) -> None:
        """Raise :class:`DatasetError` where a network that sees frames would be shown some that are not there."""
        if modality != "events" and not self.has_frames:
            raise DatasetError(
                f"{self.root}: some of its recordings have no frames, which this network looks at; leave those out, "
                "or take a network that sees events"
            )

    def use_cache(
        self,
        folder: str | os.PathLike[str],
        *,
        workers: int = 2,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> Self:
        """Take all windows from a :class:`~snnkd.datasets.cache.ClipCache` below ``folder`` from now on.

        What it lacks of these sequences is read now, by ``workers`` processes; ``progress(done, total)`` counts them.
        The settings of this dataset must not change any more. Raises as ``ClipCache`` does.
        """
        from snnkd.datasets.cache import ClipCache

        self.cache = ClipCache(folder, self, workers=workers, progress=progress)
        return self

    def clip(self, index: int, windows: NDArray[np.int64]) -> Sample:
        """The sample of these windows of a sequence."""
        read = (self.cache or self).read(index % len(self), windows)
        return make_sample(read.events, read.frames, self.sequences[index].label, index % len(self))

    def clips(self, indices: abc.Sequence[int], windows: NDArray[np.int64]) -> Windows:
        """Clips of the sequences ``indices`` (B,), one row of ``windows`` (B, T) each, time-major.

        Returns counts ``(T, B, 2, H, W)`` and frames ``(T, B, H, W)``, uint8.
        """
        if self.cache is not None:
            return Windows(*self.cache.gather([i % len(self) for i in indices], windows))
        read = [self.read(i % len(self), row) for i, row in zip(indices, windows, strict=True)]
        return Windows(np.stack([clip.events for clip in read], 1), np.stack([clip.frames for clip in read], 1))

    def __getitem__(self, index: int) -> Sample:
        return self.clip(index, self.clip_windows(self.sequences[index].length))

    def __getitems__(self, indices: abc.Sequence[int]) -> "Samples":
        """Samples of several sequences, as torch's loaders ask for them; :func:`collate` takes them as they are."""
        windows = np.stack([self.clip_windows(self.sequences[i].length) for i in indices])
        read = self.clips(indices, windows)
        return Samples(
            Batch(
                events=torch.from_numpy(read.events).float(),
                frames=torch.from_numpy(read.frames).float().div_(255.0).unsqueeze(2),
                labels=torch.tensor([self.sequences[i].label for i in indices], dtype=torch.int64),
                index=torch.tensor([i % len(self) for i in indices], dtype=torch.int64),
            )
        )

    def _set_clip(self, steps: int, stride: int, window_us: int, start: str) -> None:
        check_integers(1, steps=steps, stride=stride, window_us=window_us)
        if start not in STARTS:
            raise DatasetError(f"unknown start {start!r}; it must be one of {', '.join(STARTS)}")
        self.steps, self.stride, self.window_us, self.start = steps, stride, window_us, start

    def _set_input_size(self, size: tuple[int, int] | None, sensor: tuple[int, int]) -> None:
        """Set ``input_size`` to ``size``, or to the centred square of a sensor (W, H) as it is."""
        width, height = size or centre_square(sensor)[2:]
        check_integers(1, **{"width of size": width, "height of size": height})
        self.input_size = (int(width), int(height))

    @property
    def span(self) -> int:
        """Number of windows from the first to the last of a clip, both included."""
        return (self.steps - 1) * self.stride + 1

    @property
    def labels(self) -> list[int]:
        """Label of every sequence, in order, without reading any of them."""
        return [sequence.label for sequence in self.sequences]

    @property
    def persons(self) -> list[str]:
        """Persons of the sequences, each once, sorted."""
        return sorted({sequence.person for sequence in self.sequences})

    def clip_windows(self, length: int, place: float | None = None) -> NDArray[np.int64]:
        """Window indices ``(steps,)`` of one clip in a sequence of ``length`` windows, at least ``span``.

        ``place`` in ``[0, 1)`` says where a random clip starts; without it torch's generator does.
        """
        room = length - self.span
        if self.start == "random":
            first = int(torch.randint(room + 1, ()).item()) if place is None else int(place * (room + 1))
        else:
            first = {"first": 0, "centre": room // 2, "last": room}[self.start]
        return first + self.stride * np.arange(self.steps)

    def __len__(self) -> int:
        return len(self.sequences)


def import_cv2() -> Any:
    """Import OpenCV; in a DataLoader's worker without threads of its own, as the workers fill the cores."""
    import cv2

    if get_worker_info() is not None:
        cv2.setNumThreads(0)
    return cv2


def fit_frame(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Map the centred square of a frame ``(H, W)`` onto ``size`` (W, H), each pixel the mean of what falls into it."""
    left, top, side, _ = centre_square((image.shape[1], image.shape[0]))
    square = image[top : top + side, left : left + side]
    return square if size == (side, side) else import_cv2().resize(square, size, interpolation=import_cv2().INTER_AREA)


def make_sample(events: NDArray[Any], frames: NDArray[np.uint8], label: int, index: int) -> Sample:
    """Build a sample from counts ``(T, 2, H, W)`` of any real type and frames ``(T, H, W)`` uint8."""
    return Sample(
        events=torch.from_numpy(events.astype(np.float32)),
        frames=torch.from_numpy(frames.astype(np.float32)).div_(255.0).unsqueeze(1),
        label=label,
        index=index,
    )


def collate(samples: abc.Sequence[Sample]) -> Batch:
    """Stack samples into a time-major batch. Raises ``ValueError`` for an empty list or unequal shapes."""
    if isinstance(samples, Samples) and len(samples):
        return samples.batch
    if not samples:
        raise ValueError("a batch needs at least one sample")
    shapes = {tuple(sample["events"].shape) for sample in samples}
    if len(shapes) > 1:
        raise ValueError(f"samples of different shapes cannot share a batch: {sorted(shapes)}")
    return Batch(
        events=torch.stack([sample["events"] for sample in samples], dim=1),
        frames=torch.stack([sample["frames"] for sample in samples], dim=1),
        labels=torch.tensor([sample["label"] for sample in samples], dtype=torch.int64),
        index=torch.tensor([sample["index"] for sample in samples], dtype=torch.int64),
    )
