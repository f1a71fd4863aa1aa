"""``SEE``: the Single-eye Event-based Emotion dataset (Zhang et al., SIGGRAPH 2023) as a dataset of clips.

**Events from images.** SEE publishes events as JPG images accumulated over 33 ms; which of their pixels are ON and OFF
events is told by the rule of :mod:`snnkd.recordings.see_images`. Each marked pixel counts as one event, and
:func:`snnkd.events.bin_events` maps the image's centred square onto ``size``, as it does for recordings: the
value is the number of event pixels of the published image that fall into the output pixel, a whole number, and
at the published size it is 0 or 1.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.checks import check_integers
from snnkd.datasets.sample import EyeDataset, Sample, Sequence, fit_frame, import_cv2, make_sample
from snnkd.datasets.see_layout import (
    ANNOTATIONS,
    Annotation,
    SequenceName,
    count_images,
    list_folders,
    read_annotations,
)
from snnkd.datasets.splits import check_fold, check_subset, hold_out, person_folds
from snnkd.errors import DatasetError, SnnkdWarning
from snnkd.events import bin_events, centre_square
from snnkd.recordings._image_file import read_grey
from snnkd.recordings.see_images import LARGEST, MARGIN, WINDOW_US, event_pixels

SPLITS = ("official", "subject-disjoint")
SKIP = "leave such sequences out (SEE(..., skip_broken=True))"


@dataclass(frozen=True)
class SEESequence(Sequence):
    """A sequence of SEE: what its name says, official subset, folders, and the first image of its segment."""

    details: SequenceName
    official: str
    events_at: Path
    frames_at: Path
    first: int


class SEE(EyeDataset):
    """Clips of SEE in its published layout (:mod:`snnkd.datasets.see_layout`); the sample is that of
    ``sample.py``.

    Args:
        root: folder with ``emotion.json``, ``event`` and ``frame``.
        split: ``"official"`` is the authors' split, in which most test persons also have training sequences;
            ``"subject-disjoint"`` deals the persons into ``folds`` and tests on fold ``fold``.
        subset: ``"train"``, ``"val"``, ``"test"`` or ``"all"``. The validation set is lent by training
            persons, who are then in no training sequence.
        steps, stride: a clip has ``steps`` images, ``stride`` images apart; 4 and 4 is the authors' E4_S3.
        size: (W, H) of the samples; with ``None`` the centred square of the images as published.
        folds, seed: number of folds, and the seed that deals the persons.
        val_share: share of the training sequences that become the validation set; 0 for training on all of
            them, as the authors do.
        start: ``"random"`` (from torch's generator), ``"first"``, ``"centre"`` or ``"last"``; the default is
            random for training and centre for the rest.
        margin: grey levels from the background that make an event.
        skip_broken: leave out sequences that have no annotation, no folder, unequal counts or a name or
            segment that does not fit, with one warning, in place of an error at the first.

    Raises :class:`DatasetError` that names the path or entry: on construction for all that the layout
    promises, on reading for an image that is missing or unreadable.
    """

    split_keys = ("split", "fold", "folds", "seed", "val_share")
    population = "SEE"

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "official",
        fold: int = 0,
        subset: str = "train",
        *,
        steps: int = 4,
        stride: int = 4,
        size: tuple[int, int] | None = (90, 90),
        folds: int = 5,
        seed: int = 0,
        val_share: float = 0.1,
        start: str | None = None,
        margin: int = MARGIN,
        skip_broken: bool = False,
    ) -> None:
        check_subset(subset)
        if split not in SPLITS:
            raise DatasetError(f"unknown split {split!r}; it must be one of {', '.join(SPLITS)}")
        if not 0 <= margin < 127:
            raise DatasetError(f"margin is {margin}; it must be in 0..126 grey levels")
        check_fold(fold, folds)
        check_integers(0, seed=seed)
        self._set_clip(steps, stride, WINDOW_US, start or ("random" if subset == "train" else "centre"))
        self.root, self.split, self.subset, self.margin = Path(root), split, subset, margin
        everything = _scan(self.root, skip_broken)
        self.split_config = {"split": split, "fold": fold, "folds": folds, "seed": seed, "val_share": val_share}
        self.sequences: list[SEESequence] = _select(everything, subset, **self.split_config)
        if not self.sequences:
            raise DatasetError(f"{self.root}: no sequence is in subset {subset!r} of the {split} split")
        self._refuse_short()
        sensor = size or self._image(self.sequences[0].events_at, self.sequences[0].first).shape[::-1]
        self._set_input_size(size, (sensor[0], sensor[1]))

    def _refuse_short(self) -> None:
        short = [s for s in self.sequences if s.length < self.span]
        if short:
            shortest = min(s.length for s in short)
            room = (shortest - 1) // (self.steps - 1) if self.steps > 1 else 0
            remedy = f"set stride to {room} or less" if room else f"set steps to {shortest} or less and stride to 1"
            raise DatasetError(
                f"{self.root}: {len(short)} of {len(self.sequences)} sequences are shorter than the "
                f"{self.span} images that {self.steps} steps with stride {self.stride} span "
                f"(the shortest has {shortest}); {remedy}"
            )

    def __getitem__(self, index: int) -> Sample:
        sequence = self.sequences[index]
        numbers = sequence.first + self.clip_windows(sequence.length)
        events = np.stack([self._events(self._image(sequence.events_at, n)) for n in numbers])
        frames = np.stack([fit_frame(self._image(sequence.frames_at, n), self.input_size) for n in numbers])
        return make_sample(events, frames, sequence.label, index % len(self))

    def _events(self, image: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Event pixels ``(2, H, W)`` of one accumulated image."""
        events, sensor = event_pixels(image, self.margin), (image.shape[1], image.shape[0])
        return bin_events(events, sensor, 0, 1, 1, size=self.input_size, crop=centre_square(sensor))[0]

    @staticmethod
    def _image(folder: Path, number: int) -> NDArray[np.uint8]:
        """Grey image ``(H, W)`` of a sequence's folder."""
        import_cv2()
        path = folder / f"{number:05d}.jpg"
        try:
            image = read_grey(path)
        except ValueError as error:
            raise DatasetError(f"{path}: not a whole JPG image: it {error}; fetch the sequence again") from error
        if max(image.shape) > LARGEST:
            raise DatasetError(f"{path}: is larger than {LARGEST} pixels a side; fetch the sequence again")
        return image


def _scan(root: Path, skip_broken: bool) -> list[SEESequence]:
    """All sequences of the dataset, sorted by number and name, checked against each other."""
    annotations = read_annotations(root)
    events, frames = list_folders(root, "event"), list_folders(root, "frame")
    found: list[SEESequence] = []
    broken: list[DatasetError] = []
    for name in sorted({*annotations, *events, *frames}):
        try:
            found.append(_sequence(root, name, annotations.get(name), events.get(name), frames.get(name)))
        except DatasetError as error:
            if not skip_broken:
                raise
            broken.append(error)
    if broken:
        warnings.warn(f"{len(broken)} sequence(s) left out, the first: {broken[0]}", SnnkdWarning, stacklevel=4)
    return sorted(found, key=lambda s: (s.details.number, s.name))


def _sequence(
    root: Path, name: str, annotation: Annotation | None, events: Path | None, frames: Path | None
) -> SEESequence:
    """Put together what name, annotation and folders say of one sequence, or say what does not fit."""
    if annotation is None:
        raise DatasetError(f"{events or frames}: the sequence has no entry in emotion.json; remove it or {SKIP}")
    if events is None or frames is None:
        kind = "event" if events is None else "frame"
        raise DatasetError(f"{root / kind}: no folder for sequence {name!r} of emotion.json; fetch it or {SKIP}")
    details = SequenceName.parse(name)
    if details.emotion != annotation.emotion:
        raise DatasetError(f"{root / ANNOTATIONS}: entry {name!r} is labelled {annotation.emotion}; mend it or {SKIP}")
    counts = count_images(events), count_images(frames)
    if counts[0] != counts[1]:
        raise DatasetError(
            f"{events}: {counts[0]} event images but {counts[1]} frames in {frames}; fetch it again or {SKIP}"
        )
    if annotation.end > counts[0]:
        raise DatasetError(
            f"{root / ANNOTATIONS}: entry {name!r} has segment [{annotation.first}, {annotation.end}) but "
            f"the sequence has {counts[0]} images; mend it or {SKIP}"
        )
    return SEESequence(
        name=name,
        person=details.person,
        emotion=annotation.emotion,
        lighting=details.lighting,
        length=annotation.end - annotation.first,
        details=details,
        official=annotation.subset,
        events_at=events,
        frames_at=frames,
        first=annotation.first,
    )


def _select(
    everything: list[SEESequence],
    subset: str,
    *,
    split: str,
    fold: int,
    folds: int,
    seed: int,
    val_share: float,
) -> list[SEESequence]:
    """Sequences of one subset; test first, then the validation set out of the training persons."""
    if subset == "all":
        return everything
    if split == "official":
        test = [s for s in everything if s.official == "testing"]
        training = [s for s in everything if s.official == "training"]
    else:
        tested = person_folds([s.person for s in everything], folds, seed)[fold]
        test = [s for s in everything if s.person in tested]
        training = [s for s in everything if s.person not in tested]
    if subset == "test":
        return test
    lent = hold_out([s.person for s in training], val_share, seed)
    return [s for s in training if (s.person in lent) == (subset == "val")]
