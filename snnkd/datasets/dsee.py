"""``DSEE``: frames and event images, or recordings, in folders that a mapping file describes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.base import default_start
from snnkd.datasets.dsee_mapping import FILES, Mapping, find_mapping, read_mapping
from snnkd.datasets.dsee_scan import ImageSequence, listed, open_frames, survey
from snnkd.datasets.image_windows import image_reading, images_each, read_image, read_images
from snnkd.datasets.recording_base import RecordingDataset
from snnkd.datasets.report import Report, refuse, warn_of_left_out
from snnkd.datasets.sample import Windows
from snnkd.datasets.split_options import Split
from snnkd.datasets.splits import check_subset
from snnkd.errors import DatasetError
from snnkd.recordings import Recording

SKIP = "leave such sequences out (DSEE(..., skip_broken=True))"


class DSEE(RecordingDataset):
    """Clips of a dataset whose tree a mapping file describes (:mod:`snnkd.datasets.dsee_mapping`).

    DSEE's own tree is not public; nothing here is taken from it. The sample is that of ``sample.py``; event images
    are read as :class:`~snnkd.datasets.SEE` reads them.

    Args:
        root: the folder that holds ``dsee.yaml`` or ``dsee.json``, or that file.
        subset: ``"train"``, ``"val"``, ``"test"`` or ``"all"``.
        split, fold, folds, seed, val_share, person_fold: how the sequences are divided
            (:mod:`snnkd.datasets.split_options`); ``official`` needs ``{subset}`` in the patterns. It is as the
            tree has it: a person in two of its subsets is named by :meth:`check` as a note, as SEE's official split
            shares persons too, and an evaluation on it says how many.
        steps, stride: a clip has ``steps`` windows, ``stride`` windows apart.
        window_us: length of a window, that of the mapping where left out; of event images a whole multiple of that: a
            window then is as many images one after the other, their events summed up to 255, with the last one's frame.
        size: (W, H) of the samples; with ``None`` the centred square of the first event image or the sensor.
        start: ``"random"`` (from torch's generator), ``"first"``, ``"centre"`` or ``"last"``; the default is
            random for training and centre for the rest.
        skip_broken: leave out what does not fit, with one warning that names it, in place of an error at the first.

    Raises :class:`DatasetError` for a mapping that is wrong or matches nothing, for duplicates, pairs that do not fit,
    names that are no emotion or lighting; on reading for a damaged image.
    """

    population = "DSEE"
    sequences: list[Any]

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "person-disjoint",
        fold: int = 0,
        subset: str = "train",
        *,
        steps: int = 4,
        stride: int = 4,
        window_us: int | None = None,
        size: tuple[int, int] | None = (90, 90),
        folds: int = 5,
        seed: int = 0,
        val_share: float = 0.1,
        person_fold: int | None = None,
        start: str | None = None,
        skip_broken: bool = False,
    ) -> None:
        check_subset(subset)
        chosen = Split(split, fold, folds, seed, val_share, person_fold)
        self.mapping = _mapping(root)
        window = self.mapping.window_us if window_us is None else window_us
        self._set_clip(steps, stride, window, default_start(subset, start))
        if self.mapping.kind == "images":
            self.images_each = images_each(window, self.mapping.window_us, self.mapping.path)
        everything, official, problems, _ = survey(self.mapping, window)
        if skip_broken:
            warn_of_left_out(self.mapping.path.parent, problems)
        else:
            refuse(problems, SKIP)
        self._divide(self.mapping.path.parent, everything, subset, chosen, official)
        if self.mapping.kind == "recording":
            self._set_sensor(size)
        else:
            first = (size[1], size[0]) if size else read_image(listed(self.sequences[0].events_at)[0])[0].shape
            self._set_input_size(size, (first[1], first[0]))

    @staticmethod
    def check(root: str | os.PathLike[str]) -> Report:
        """Report everything that does not fit, in place of an error at the first."""
        mapping = _mapping(root)
        _, _, problems, counts = survey(mapping, mapping.window_us)
        return Report("DSEE", str(root), counts, problems)

    def read(self, index: int, windows: NDArray[np.int64]) -> Windows:
        """Read windows ``(N,)`` of a sequence."""
        sequence = self.sequences[index]
        if not isinstance(sequence, ImageSequence):
            return super().read(index, windows)
        events, frames = (listed(folder) for folder in (sequence.events_at, sequence.frames_at))
        each = self.images_each
        wanted = (np.asarray(windows)[:, None] * each + np.arange(each)).ravel().tolist()
        if max(wanted) >= min(len(events), len(frames)):
            raise DatasetError(f"{sequence.events_at}: images are gone since the dataset was opened; open it again")
        chosen = [events[n] for n in wanted], [frames[n] for n in wanted[each - 1 :: each]]
        return read_images(*chosen, self.input_size, self.mapping.margin, each)

    def sources(self, index: int) -> list[Path]:
        """The sequence's folders, or its recording and the folder of its frames."""
        sequence = self.sequences[index]
        if isinstance(sequence, ImageSequence):
            return [sequence.events_at, sequence.frames_at]
        return super().sources(index)

    def reading(self) -> dict[str, Any]:
        """Input size, length of a window, margin, and the version of the decoding."""
        if self.mapping.kind == "recording":
            return super().reading() | {"frame_rate": self.mapping.frame_rate}
        return {"dataset": "DSEE", "window_us": self.window_us, **image_reading(self.input_size, self.mapping.margin)}

    def _recording(self, path: Path) -> Recording:
        if self.mapping.frames_apart is None or not path.is_dir():
            return super()._recording(path)
        return open_frames(self.mapping, path) if self._is_frames(path) else super()._recording(path)

    def _is_frames(self, path: Path) -> bool:
        return any(getattr(sequence, "frames_at", None) == path for sequence in self.sequences)


def _mapping(root: str | os.PathLike[str]) -> Mapping:
    path = find_mapping(root)
    if path is None:
        raise DatasetError(f"{root}: no {FILES[0]} is here; write one that says where events and frames are")
    return read_mapping(path)
