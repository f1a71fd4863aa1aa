"""``EyeSim``: the synthetic recordings as a dataset of clips."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.base import default_start
from snnkd.datasets.eyesim.manifest import read_manifest
from snnkd.datasets.eyesim.settings import Settings
from snnkd.datasets.labels import EMOTIONS, emotion_index, lighting_name
from snnkd.datasets.recording_base import RecordingDataset, RecordingSequence
from snnkd.datasets.sample import Windows
from snnkd.datasets.split_options import Split
from snnkd.errors import DatasetError


class EyeSim(RecordingDataset):
    """Clips from a data set made by :func:`snnkd.datasets.eyesim.generate`; the sample is that of
    ``sample.py``.

    Args:
        root: folder with ``eyesim.json``.
        subset: ``"train"``, ``"val"``, ``"test"`` or ``"all"``.
        steps, stride, window_us: a clip has ``steps`` windows of ``window_us``, ``stride`` windows apart.
        size: (W, H) onto which the sensor's centred square is mapped; that square as recorded when left out.
        split, fold, folds, seed, val_share, person_fold: how it is divided, see
            :mod:`snnkd.datasets.split_options`; there is no official split.
        start: ``"random"`` (from torch's generator), ``"first"``, ``"centre"`` or ``"last"`` place of the
            clip; the default is random for training and centre for the rest. Clips start on the recording's
            window grid.

    Counts above 255 in a pixel and window are clipped there. A recording is decoded from its begin each time a clip of
    it is read: :meth:`use_cache` saves that.

    Raises :class:`DatasetError` for a folder that is no whole data set, a subset or fold that is not there, a
    clip longer than the recordings, and on reading, for a recording that is missing, without frames or shorter
    than the manifest says; one that is damaged raises :class:`snnkd.errors.RecordingError`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        subset: str = "train",
        *,
        steps: int = 16,
        stride: int = 1,
        window_us: int = 33_333,
        size: tuple[int, int] | None = None,
        split: str = "person-disjoint",
        fold: int = 0,
        folds: int = 5,
        seed: int = 0,
        val_share: float = 0.1,
        person_fold: int | None = None,
        start: str | None = None,
    ) -> None:
        self._set_clip(steps, stride, window_us, default_start(subset, start))
        manifest = read_manifest(Path(root))
        promised = manifest["settings"]
        duration = Settings(duration_s=promised["duration_s"], frame_rate=promised["frame_rate"]).length_us
        self._set_input_size(size, (promised["size"][0], promised["size"][1]))
        self.population = f"EyeSim seed {promised['seed']}"
        everyone = [
            RecordingSequence(
                name=entry["file"],
                person=entry["person"],
                emotion=EMOTIONS[emotion_index(entry["emotion"])],
                lighting=lighting_name(entry["lighting"]),
                length=duration // window_us,
                path=Path(root) / entry["file"],
                begin_us=0,
            )
            for entry in manifest["sequences"]
        ]
        options = Split(split, fold, folds, seed, val_share, person_fold)
        self._divide(Path(root), everyone, subset, options, [None] * len(everyone))

    def read(self, index: int, windows: NDArray[np.int64]) -> Windows:
        """Windows ``(N,)`` of a recording."""
        sequence = self.sequences[index]
        remedy = "generate the data set again"
        if not sequence.path.is_file():
            raise DatasetError(f"{sequence.path}: recording of the manifest is missing; {remedy} to fill in")
        times = self._recording(sequence.path).frame_times_us
        if not len(times):
            raise DatasetError(f"{sequence.path}: recording has no frames; delete it and {remedy}")
        needed = sequence.length * self.window_us
        if int(times[-1]) < needed:
            raise DatasetError(
                f"{sequence.path}: recording lasts {int(times[-1])} µs, less than the {needed} µs by the manifest; "
                f"delete it and {remedy}"
            )
        return super().read(index, windows)
