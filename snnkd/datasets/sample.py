"""What every dataset gives: the sample, the sequence it comes from, and the batch.

A **sample** is a dict made by :func:`make_sample`:

- ``events``  float32 ``(T, 2, H, W)``: event counts per window, channel 0 OFF and 1 ON;
- ``frames``  float32 ``(T, 1, H, W)`` in ``[0, 1]``: the latest frame at or before the end of each window;
- ``label``   int, index into :data:`snnkd.datasets.labels.EMOTIONS`;
- ``index``   int, position in the dataset's ``sequences``.

A **batch** is a dict made by :func:`collate`, time-major: ``events (T, B, 2, H, W)``, ``frames (T, B, 1, H, W)``,
``labels (B,)`` and ``index (B,)`` int64.

Both are the sensor's centred square mapped onto ``(W, H)``, as inference maps it: events by the integer map of
:func:`snnkd.events.bin_events`, so that counts stay whole, and frames by their mean over areas
(:func:`fit_frame`).

A **dataset** (:class:`EyeDataset`) is a map-style dataset with ``sequences``, ``input_size`` (W, H), ``steps`` and
``window_us``. Where a clip starts is drawn from torch's global generator when ``start="random"``: that is the
one a DataLoader seeds in each worker, so seeding torch once fixes every draw.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from snnkd.datasets.checks import check_integers
from snnkd.datasets.labels import EMOTIONS
from snnkd.errors import DatasetError
from snnkd.events import centre_square

STARTS = ("random", "centre", "first", "last")


@dataclass(frozen=True)
class Sequence:
    """One labelled recording; ``length`` is in windows."""

    name: str
    person: str
    emotion: str
    lighting: str
    length: int

    @property
    def label(self) -> int:
        """Index of the emotion in :data:`snnkd.datasets.labels.EMOTIONS`."""
        return EMOTIONS.index(self.emotion)


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


class EyeDataset(Dataset[Sample]):
    """Base of the datasets: which windows make a clip. A subclass sets the attributes and reads the windows.

    A clip has ``steps`` windows, ``stride`` windows apart: windows ``start, start + stride, ...``, so it
    spans ``(steps - 1)·stride + 1`` windows of a sequence.

    ``population`` names the people that ``persons`` are of: equal names of two populations are not one person.
    ``split_config`` holds the keyword arguments (``split_keys``) that divide these sequences the same way again.
    """

    split_keys: ClassVar[tuple[str, ...]]
    population: str
    split_config: dict[str, Any]
    sequences: list[Any]
    input_size: tuple[int, int]
    steps: int
    stride: int
    window_us: int
    start: str

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

    def clip_windows(self, length: int) -> NDArray[np.int64]:
        """Window indices ``(steps,)`` of one clip in a sequence of ``length`` windows, at least ``span``."""
        room = length - self.span
        if self.start == "random":
            first = int(torch.randint(room + 1, ()).item())
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


def collate(samples: list[Sample]) -> Batch:
    """Stack samples into a time-major batch. Raises ``ValueError`` for an empty list or unequal shapes."""
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
