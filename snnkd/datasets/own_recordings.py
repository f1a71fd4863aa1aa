"""The dataset of recordings of one's own that a CSV file lists."""

import os
from collections import Counter
from pathlib import Path

from snnkd.datasets.base import default_start
from snnkd.datasets.manifest import Entry, find_manifest, read_manifest
from snnkd.datasets.recording_base import RecordingDataset, RecordingSequence, attempt, extent_of
from snnkd.datasets.report import Problem, Report, refuse
from snnkd.datasets.split_options import Split
from snnkd.datasets.splits import check_subset
from snnkd.errors import DatasetError
from snnkd.recordings import Recording, open_recording

POPULATION = "own recordings"
"""Of every list: nothing tells whether two lists are of the same people, so equal names are taken for one person."""


class Recordings(RecordingDataset):
    """Clips of recordings that a CSV file lists; :mod:`snnkd.datasets.manifest` says how. The sample is that of
    ``sample.py``.

    **Equal names are one person**, whichever list they are in: a network that was trained on ``anna`` of one list is
    not scored on ``anna`` of another, nor on ``Anna``. Two people need two names.

    Args:
        root: the CSV file, or the folder that holds it as ``recordings.csv``.
        subset: ``"train"``, ``"val"``, ``"test"`` or ``"all"``.
        split, fold, folds, seed, val_share, person_fold: how the persons are divided
            (:mod:`snnkd.datasets.split_options`); ``official`` needs the column ``subset``.
        steps, stride, window_us: a clip has ``steps`` windows of ``window_us``, ``stride`` windows apart.
        size: (W, H) onto which the sensor's centred square is mapped; that square as recorded when left out.
        start: ``"random"`` (from torch's generator), ``"first"``, ``"centre"`` or ``"last"``; the default is
            random for training and centre for the rest.

    Raises :class:`DatasetError` that names the line for all that the list has wrong, and the recording where it is
    shorter than its line says, lacks events, or frames that are not said to be absent. One that is damaged raises
    :class:`snnkd.errors.RecordingError`.
    """

    population = POPULATION
    sequences: list[RecordingSequence]

    def __init__(
        self,
        root: str | os.PathLike[str],
        subset: str = "train",
        *,
        split: str = "person-disjoint",
        fold: int = 0,
        folds: int = 5,
        seed: int = 0,
        val_share: float = 0.1,
        person_fold: int | None = None,
        steps: int = 16,
        stride: int = 1,
        window_us: int = 33_333,
        size: tuple[int, int] | None = None,
        start: str | None = None,
    ) -> None:
        check_subset(subset)
        chosen = Split(split, fold, folds, seed, val_share, person_fold)
        self._set_clip(steps, stride, window_us, default_start(subset, start))
        self.path = find_manifest(root)
        sequences, official, problems, _ = _survey(self.path, window_us)
        refuse(problems, "remove the line")
        self._divide(self.path.parent, sequences, subset, chosen, official)
        self.parts_persons |= chosen.kind == "official"  # a list that has a person in two subsets was refused
        self._set_sensor(size)

    @staticmethod
    def check(root: str | os.PathLike[str], *, window_us: int = 33_333) -> Report:
        """Report everything that is wrong with the list and, as far as opening them tells, its recordings."""
        path = find_manifest(root)
        _, _, problems, counts = _survey(path, window_us)
        return Report("Recordings", str(path), counts, problems)


def _survey(
    path: Path, window_us: int
) -> tuple[list[RecordingSequence], list[str | None], list[Problem], dict[str, int]]:
    """Sequences, their official subsets, what is wrong, and how much there is."""
    entries, problems = read_manifest(path)
    listed = Counter(entry.path for entry in entries)
    opened: dict[Path, tuple[Recording | None, str | None]] = {}
    sequences: list[RecordingSequence] = []
    official: list[str | None] = []
    for entry in entries:
        if entry.path not in opened:
            opened = {entry.path: attempt(lambda path=entry.path: open_recording(path))}  # type: ignore[misc]
        recording, wrong = opened[entry.path]
        if recording is not None:
            sequence, wrong = attempt(
                lambda entry=entry, recording=recording: _sequence(  # type: ignore[misc]
                    path.parent, entry, recording, window_us, alone=listed[entry.path] == 1
                )
            )
        if wrong:
            problems.append(Problem("unusable recording", f"line {entry.line}", f"{path}: line {entry.line}: {wrong}"))
        else:
            sequences.append(sequence)
            official.append(entry.subset)
    counts = {
        "lines": len(entries) + sum(p.kind in ("bad line", "unknown lighting", "missing recording") for p in problems),
        "recordings": len(listed),
        "persons": len({entry.person for entry in entries}),
        "without label": sum(entry.emotion is None for entry in entries),
    }
    return sequences, official, problems, counts


def _sequence(folder: Path, entry: Entry, recording: Recording, window_us: int, alone: bool) -> RecordingSequence:
    extent = extent_of(recording, entry.has_frames, window_us)
    begin = extent.begin_us if entry.whole else extent.origin_us + entry.start_us
    end = extent.end_us if entry.end_us is None else extent.origin_us + entry.end_us
    if begin + window_us < extent.begin_us or end > extent.end_us + window_us:
        had = [f"{(t - extent.origin_us) / 1e6:.3f}" for t in (extent.begin_us, extent.end_us)]
        what = "events and frames" if entry.has_frames else "events"
        raise DatasetError(
            f"{entry.path}: has {what} from {had[0]} to {had[1]} s, the line says "
            f"{(begin - extent.origin_us) / 1e6:.3f} to {(end - extent.origin_us) / 1e6:.3f} s; mend start or end"
        )
    name = os.path.relpath(entry.path, folder).replace(os.sep, "/")
    return RecordingSequence(
        name=name if alone else f"{name}@{(begin - extent.origin_us) / 1e6:g}",
        person=entry.person,
        emotion=entry.emotion,
        lighting=entry.lighting,
        length=max(end - begin, 0) // window_us,
        path=entry.path,
        begin_us=begin,
        has_frames=entry.has_frames,
    )
