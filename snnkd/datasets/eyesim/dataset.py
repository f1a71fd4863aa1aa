"""``EyeSim``: the synthetic recordings as a dataset of clips."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.eyesim.generation import read_manifest
from snnkd.datasets.eyesim.sequence import Settings
from snnkd.datasets.labels import EMOTIONS, emotion_index, lighting_name
from snnkd.datasets.sample import EyeDataset, Sample, Sequence, fit_frame, make_sample
from snnkd.datasets.splits import person_subset
from snnkd.errors import DatasetError
from snnkd.events import bin_events, centre_square
from snnkd.recordings import open_recording


class _Decoded(NamedTuple):
    """A whole recording, windowed: counts ``(N, 2, H, W)`` and frames ``(N, H, W)``, both uint8."""

    events: NDArray[np.uint8]
    frames: NDArray[np.uint8]


class EyeSim(EyeDataset):
    """Clips from a data set made by :func:`snnkd.datasets.eyesim.generate`; the sample is that of
    ``sample.py``.

    Args:
        root: folder with ``eyesim.json``.
        subset: ``"train"``, ``"val"``, ``"test"`` or ``"all"`` of a person-disjoint split.
        steps, stride, window_us: a clip has ``steps`` windows of ``window_us``, ``stride`` windows apart.
        size: (W, H) onto which the sensor's centred square is mapped; that square as recorded when left out.
        fold, folds, seed: fold ``fold`` of ``folds`` is tested; ``seed`` deals the persons.
        start: ``"random"`` (from torch's generator), ``"first"``, ``"centre"`` or ``"last"`` place of the
            clip; the default is random for training and centre for the rest. Clips start on the recording's
            window grid.
        cache_bytes: recordings are kept in memory after they were first read, as uint8 (counts above 255 are
            clipped), until these many bytes are used; later ones are read anew each time. Each worker process
            of a DataLoader has a cache of its own; 0 turns it off.

    Raises :class:`DatasetError` for a folder that is no whole data set, a subset or fold that is not there, a
    clip longer than the recordings, and on reading, for a recording that is missing, without frames or shorter
    than the manifest says; one that is damaged raises :class:`snnkd.errors.RecordingError`.
    """

    split_keys = ("fold", "folds", "seed")

    def __init__(
        self,
        root: str | os.PathLike[str],
        subset: str = "train",
        *,
        steps: int = 16,
        stride: int = 1,
        window_us: int = 33_333,
        size: tuple[int, int] | None = None,
        fold: int = 0,
        folds: int = 5,
        seed: int = 0,
        start: str | None = None,
        cache_bytes: int = 1 << 30,
    ) -> None:
        self._set_clip(steps, stride, window_us, start or ("random" if subset == "train" else "centre"))
        self.root = Path(root)
        manifest = read_manifest(self.root)
        promised = manifest["settings"]
        duration = Settings(duration_s=promised["duration_s"], frame_rate=promised["frame_rate"]).length_us
        if duration // window_us < self.span:
            raise DatasetError(
                f"{self.root}: recordings last {duration} µs, a clip of {steps} windows of {window_us} µs "
                f"with stride {stride} needs {self.span * window_us}; lower steps, stride or window_us"
            )
        self._set_input_size(size, (promised["size"][0], promised["size"][1]))
        self.population = f"EyeSim seed {promised['seed']}"
        self.split_config = {"fold": fold, "folds": folds, "seed": seed}
        everyone = [
            Sequence(
                name=entry["file"],
                person=entry["person"],
                emotion=EMOTIONS[emotion_index(entry["emotion"])],
                lighting=lighting_name(entry["lighting"]),
                length=duration // window_us,
            )
            for entry in manifest["sequences"]
        ]
        kept = person_subset([s.person for s in everyone], subset, **self.split_config)
        self.sequences = [everyone[i] for i in kept]
        self.cache_bytes = cache_bytes
        self._cache: dict[int, _Decoded] = {}
        self._cached = 0

    def __getitem__(self, index: int) -> Sample:
        sequence = self.sequences[index]
        windows = self.clip_windows(sequence.length)
        decoded = self._decoded(index)
        return make_sample(decoded.events[windows], decoded.frames[windows], sequence.label, index % len(self))

    def _decoded(self, index: int) -> _Decoded:
        index %= len(self)
        if index in self._cache:
            return self._cache[index]
        decoded = self._decode(self.sequences[index])
        size = decoded.events.nbytes + decoded.frames.nbytes
        if self._cached + size <= self.cache_bytes:
            self._cache[index] = decoded
            self._cached += size
        return decoded

    def _decode(self, sequence: Sequence) -> _Decoded:
        path = self.root / sequence.name
        if not path.is_file():
            raise DatasetError(f"{path}: recording of the manifest is missing; generate the data set again to fill in")
        recording = open_recording(path)
        if recording.frames is None or not recording.frames.images.size:
            raise DatasetError(f"{path}: recording has no frames; delete it and generate the data set again")
        times = recording.frames.timestamps_us
        begin, needed = int(times[0]), sequence.length * self.window_us
        if int(times[-1]) - begin < needed:
            raise DatasetError(
                f"{path}: recording lasts {int(times[-1]) - begin} µs, less than the {needed} µs by the manifest; "
                "delete it and generate the data set again"
            )
        counts = bin_events(
            recording.events,
            recording.sensor_size,
            begin,
            self.window_us,
            sequence.length,
            size=self.input_size,
            crop=centre_square(recording.sensor_size),
        )
        ends = begin + self.window_us * np.arange(1, sequence.length + 1)
        latest = np.searchsorted(times, ends, side="right") - 1
        frames = np.stack([fit_frame(recording.frames.images[i], self.input_size) for i in latest])
        return _Decoded(np.minimum(counts, 255).astype(np.uint8), frames)

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker gets the plan and not the pictures: it reads what it needs.
        return self.__dict__ | {"_cache": {}, "_cached": 0}
