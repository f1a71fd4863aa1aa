"""``SEE``: the Single-eye Event-based Emotion dataset (Zhang et al., SIGGRAPH 2023) as a dataset of clips.

**Events from images.** SEE publishes events as JPG images accumulated over 33 ms; which of their pixels are ON and OFF
events is told by the rule of :mod:`snnkd.recordings.see_images`. Each marked pixel counts as one event, and the
image's centred square is mapped onto ``size`` as it is for recordings: the value is the number of event pixels of the
published image that fall into the output pixel, a whole number, and at the published size it is 0 or 1.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.base import SplitDataset, default_start
from snnkd.datasets.image_windows import image_reading, images_each, read_image, read_images
from snnkd.datasets.report import Problem, Report, refuse, warn_of_left_out
from snnkd.datasets.sample import Windows, import_cv2
from snnkd.datasets.see_layout import SUBSETS, WINDOW_US
from snnkd.datasets.see_scan import SEESequence, scan
from snnkd.datasets.split_options import Split
from snnkd.datasets.splits import check_subset
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import MARGIN

SKIP = "leave such sequences out (SEE(..., skip_broken=True))"


class SEE(SplitDataset):
    """Clips of SEE in its published layout (:mod:`snnkd.datasets.see_layout`); the sample is that of
    ``sample.py``.

    Args:
        root: folder with ``emotion.json``, ``event`` and ``frame``.
        split: ``"official"`` is the authors' split, in which most test persons also have training sequences;
            ``"person-disjoint"`` (or ``"subject-disjoint"``) deals the persons into ``folds`` that are alike in
            emotions and lightings, and tests on fold ``fold``; ``"leave-one-lighting-out"`` tests on lighting
            ``fold``, 0..3, whose persons are in training under the other lightings unless ``person_fold`` is given
            (:mod:`snnkd.datasets.split_options`).
        subset: ``"train"``, ``"val"``, ``"test"`` or ``"all"``. The validation set is lent by training
            persons, who are then in no training sequence.
        steps, stride: a clip has ``steps`` windows, ``stride`` windows apart; 4 and 4 is the authors' E4_S3.
        window_us: 33,333, one image, or a whole multiple of it: a window then is so many images, one after the other
            from the segment's first on, their events summed up to 255, with the last one's frame. What is left of the
            segment at its end is in none.
        size: (W, H) of the samples; with ``None`` the centred square of the images as published.
        folds, seed: number of folds, and the seed that deals the persons.
        val_share: share of the training sequences that become the validation set; 0 for training on all of
            them, as the authors do.
        person_fold: of ``leave-one-lighting-out``: test only these persons, and keep them out of training.
        start: ``"random"`` (from torch's generator), ``"first"``, ``"centre"`` or ``"last"``; the default is
            random for training and centre for the rest.
        margin: grey levels from the background that make an event at least.
        skip_broken: leave out sequences that have no annotation, no folder, missing images, unequal counts or a
            name or segment that does not fit, with one warning that names them, in place of an error at the first.

    Raises :class:`DatasetError` that names the path or entry: on construction for all that the layout
    promises, on reading for an image that is unreadable. :meth:`check` tells all that is wrong at once.
    """

    sequences: list[SEESequence]

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "official",
        fold: int = 0,
        subset: str = "train",
        *,
        steps: int = 4,
        stride: int = 4,
        window_us: int = WINDOW_US,
        size: tuple[int, int] | None = (90, 90),
        folds: int = 5,
        seed: int = 0,
        val_share: float = 0.1,
        person_fold: int | None = None,
        start: str | None = None,
        margin: int = MARGIN,
        skip_broken: bool = False,
    ) -> None:
        check_subset(subset)
        check_margin(margin)
        chosen = Split(split, fold, folds, seed, val_share, person_fold)
        self._set_clip(steps, stride, window_us, default_start(subset, start))
        self.images_each = images_each(window_us, WINDOW_US, root)
        self.margin = margin
        found = scan(Path(root))
        self.population = found.population
        if skip_broken:
            warn_of_left_out(Path(root), found.problems)
        else:
            refuse(found.problems, SKIP)
        everything = [replace(s, length=s.length // self.images_each) for s in found.sequences]
        self._divide(Path(root), everything, subset, chosen, [SUBSETS[s.official] for s in everything])
        height, width = (size[1], size[0]) if size else self._first_image().shape
        self._set_input_size(size, (width, height))

    @staticmethod
    def check(
        root: str | os.PathLike[str],
        *,
        images: bool = False,
        steps: int = 4,
        stride: int = 4,
        workers: int | None = None,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> Report:
        """Report everything that is wrong with a copy, in place of an error at the first.

        With ``images`` every image is decoded too, by ``workers`` threads, and each that is damaged or of another
        size than its sequence's first is named, and event images whose background is not mid-grey are noted; and so
        are sequences too short for a clip of ``steps`` images, ``stride`` images apart.
        ``progress`` is told images done and their number. Raises :class:`DatasetError` where there is no
        ``emotion.json``, ``event`` or ``frame`` at all.
        """
        from snnkd.datasets.see_images_check import check_images

        found = scan(Path(root))
        report = Report("SEE", str(root), found.counts, found.problems)
        span = (steps - 1) * stride + 1
        report.problems += [
            Problem(
                "shorter than a clip",
                s.name,
                f"{s.events_at}: its segment has {s.length} images, {steps} steps with stride {stride} span {span}; "
                "lower the stride or the steps",
                note=True,
            )
            for s in found.sequences
            if s.length < span
        ]
        if images:
            report.problems += check_images(Path(root), workers, progress)
        return report

    def read(self, index: int, windows: NDArray[np.int64]) -> Windows:
        """Read windows ``(N,)`` of a sequence from its images."""
        sequence, each = self.sequences[index], self.images_each
        numbers = sequence.first + np.asarray(windows)[:, None] * each + np.arange(each)
        names = [f"{n:05d}.jpg" for n in numbers.ravel().tolist()]
        events = [sequence.events_at / name for name in names]
        frames = [sequence.frames_at / name for name in names[each - 1 :: each]]
        return read_images(events, frames, self.input_size, self.margin, each)

    def sources(self, index: int) -> list[Path]:
        """The sequence's two folders."""
        return [self.sequences[index].events_at, self.sequences[index].frames_at]

    def reading(self) -> dict[str, Any]:
        """Input size, length of a window, margin and the version of the decoding."""
        return {"dataset": "SEE", "window_us": self.window_us, **image_reading(self.input_size, self.margin)}

    def _first_image(self) -> NDArray[np.uint8]:
        import_cv2()
        first = self.sequences[0]
        return read_image(first.events_at / f"{first.first:05d}.jpg")[0]


def check_margin(margin: Any) -> None:
    """Raise :class:`DatasetError` for a margin that is none."""
    if isinstance(margin, bool) or not isinstance(margin, int) or not 0 <= margin < 127:
        raise DatasetError(f"margin is {margin!r}; it must be in 0..126 grey levels")
