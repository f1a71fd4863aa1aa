"""``EVBEYE``: near-eye recordings without emotion labels (Angelopoulos et al., arXiv 2004.03577), for label-free
distillation.

::

    <root>/<user>/<eye>/events.aerdat
    <root>/<user>/<eye>/frames/Index_Row_Col_Stimulus_TimestampUs.png

``eye`` is ``0`` (left) or ``1`` (right); a root that is one user's folder will do too. The format of the files is that
of :mod:`snnkd.recordings.evbeye`. Each recording is cut, from the first frame on, into sequences of ``segment``
windows; the rest at its end that makes no whole one is a sequence too where a clip fits into it.
"""

import os
from bisect import bisect_left
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.base import default_start
from snnkd.datasets.checks import check_integers
from snnkd.datasets.image_windows import shrink
from snnkd.datasets.labels import UNKNOWN_LIGHTING
from snnkd.datasets.recording_base import RecordingDataset, RecordingSequence, attempt, extent_of
from snnkd.datasets.recording_windows import count_windows
from snnkd.datasets.report import Problem, Report, refuse, warn_of_left_out
from snnkd.datasets.sample import import_cv2
from snnkd.datasets.split_options import Split
from snnkd.datasets.splits import check_subset
from snnkd.errors import DatasetError
from snnkd.events.array import Events
from snnkd.recordings import Recording
from snnkd.recordings._image_file import read_grey
from snnkd.recordings.evbeye import RECORD, EvbeyeRecording

EVENTS = "events.aerdat"
EYES = ("0", "1")
SKIP = "leave such recordings out (EVBEYE(..., skip_broken=True))"


class EVBEYE(RecordingDataset):
    """Clips of EVBEYE; labels are all -1, lightings unknown, and a person is a user's folder.

    Args:
        root: the folder of the users, or one user's.
        subset: ``"train"``, ``"val"``, ``"test"`` or ``"all"``.
        fold, folds, seed, val_share: of the person-disjoint split, the only one
            (:mod:`snnkd.datasets.split_options`).
        steps, stride, window_us: a clip has ``steps`` windows of ``window_us``, ``stride`` windows apart.
        segment: windows of a sequence; with None each recording is one.
        size: (W, H) onto which the sensor's centred square is mapped; that square as recorded when left out.
        start: ``"random"`` (from torch's generator), ``"first"``, ``"centre"`` or ``"last"``; the default is
            random for training and centre for the rest.
        skip_broken: leave out recordings that cannot be read or have no frames, with a warning that names them.

    Raises :class:`DatasetError` where there is no such recording, where one is broken, and for persons that cannot be
    divided.
    """

    split_keys = ("split", "fold", "folds", "seed", "val_share")
    population = "EVBEYE"
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
        steps: int = 16,
        stride: int = 1,
        window_us: int = 33_333,
        segment: int | None = 64,
        size: tuple[int, int] | None = None,
        start: str | None = None,
        skip_broken: bool = False,
    ) -> None:
        check_subset(subset)
        chosen = Split(split, fold, folds, seed, val_share)
        if chosen.kind != "person-disjoint":
            raise DatasetError(
                f"EVBEYE has no {split} split: it has neither subsets nor lightings; use person-disjoint"
            )
        self._set_clip(steps, stride, window_us, default_start(subset, start))
        check_integers(self.span, segment=self.span if segment is None else segment)
        everything, problems, _ = _survey(Path(root), window_us, segment, self.span)
        if skip_broken:
            warn_of_left_out(Path(root), problems)
        else:
            refuse(problems, SKIP)
        self._divide(Path(root), everything, subset, chosen, [None] * len(everything))
        self._set_sensor(size)

    @staticmethod
    def check(root: str | os.PathLike[str], *, window_us: int = 33_333) -> Report:
        """Report every recording that is missing, cannot be opened, or lacks events or frames."""
        _, problems, counts = _survey(Path(root), window_us, None, 1)
        return Report("EVBEYE", str(root), counts, problems)

    def sources(self, index: int) -> list[Path]:
        """The recording's events, and the frames that a window of the sequence may show."""
        sequence = self.sequences[index]
        recording = self._recording(sequence.path)
        assert isinstance(recording, EvbeyeRecording)
        end = sequence.begin_us + sequence.length * self.window_us
        first, last = np.searchsorted(recording.frame_times_us, (sequence.begin_us, end), side="right").tolist()
        return [sequence.path / EVENTS, *(image[3] for image in recording._images[max(first - 1, 0) : last])]

    def _counts(
        self, recording: Recording, sequence: RecordingSequence, windows: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        # Records have one length, so that the begin of a sequence is found without what comes before.
        assert isinstance(recording, EvbeyeRecording)
        low, high = (sequence.begin_us + int(n) * self.window_us for n in (windows.min(), windows.max() + 1))
        events = events_between(recording, low, high)
        chunks = iter([events] if len(events) else [])
        return count_windows(chunks, recording.sensor_size, sequence.begin_us, self.window_us, windows, self.input_size)

    def _frames(self, source: Recording, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        assert isinstance(source, EvbeyeRecording)
        import_cv2()
        made: dict[int, NDArray[np.uint8]] = {}
        for i in places.tolist():
            if i not in made:
                made[i] = shrink(_frame(source, source._images[i][3]), self.input_size)
        return np.stack([made[i] for i in places.tolist()])


def events_between(recording: EvbeyeRecording, low: int, high: int) -> Events:
    """Events of ``[low, high)`` µs, found by halving; the recording's error for what is no event, or no order."""
    count = recording.event_count

    def time(i: int) -> int:
        return int(recording._records(i, 1)["t"][0])

    begin = bisect_left(range(count), low, key=time)
    end = bisect_left(range(begin, count), high, key=time) + begin
    events = recording._decode(begin, recording._records(begin, end - begin)) if end > begin else None
    if events is None:
        return np.empty(0, recording._decode(0, recording._records(0, 1)).dtype)
    times = events["t"]
    if (times[1:] < times[:-1]).any() or times[0] < low or times[-1] >= high:
        raise DatasetError(
            f"{recording.path}: time runs backwards between events {begin} and {end}; repair or cut the recording there"
        )
    return events


def _frame(recording: EvbeyeRecording, path: Path) -> NDArray[np.uint8]:
    try:
        image = read_grey(path)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}; fetch the recording again") from error
    if image.shape != recording.sensor_size[::-1]:
        width, height = recording.sensor_size
        raise DatasetError(f"{path}: is {image.shape[1]}×{image.shape[0]}, expected {width}×{height}")
    return image


def find_recordings(root: Path) -> list[tuple[str, Path]]:
    """User and folder of each recording below ``root``, sorted; none where ``root`` is no EVBEYE folder."""
    if not root.is_dir():
        return []
    mine = [(root.absolute().name, root / eye) for eye in EYES if (root / eye / EVENTS).is_file()]
    users = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    return mine or [(user.name, user / eye) for user in users for eye in EYES if (user / eye).is_dir()]


def holds_evbeye(root: Path) -> bool:
    """Whether a recording lies where EVBEYE has them."""
    return any((folder / EVENTS).is_file() for _, folder in find_recordings(root))


def _survey(
    root: Path, window_us: int, segment: int | None, span: int
) -> tuple[list[RecordingSequence], list[Problem], dict[str, int]]:
    sequences: list[RecordingSequence] = []
    problems: list[Problem] = []
    found = find_recordings(root)
    if not holds_evbeye(root):
        raise DatasetError(f"{root}: no EVBEYE recording is here; they lie at <user>/<eye 0 or 1>/{EVENTS}")
    size = 0
    for user, folder in found:
        name = f"{user}/{folder.name}"
        if not (folder / EVENTS).is_file():
            problems.append(Problem("missing events", name, f"{folder / EVENTS}: missing; fetch it again"))
            continue
        made, wrong = attempt(lambda folder=folder: _cut(user, folder, window_us, segment, span))  # type: ignore[misc]  # noqa: B023
        if wrong:
            problems.append(Problem("unusable recording", name, wrong))
        else:
            size += (folder / EVENTS).stat().st_size // RECORD.itemsize
            sequences += made
    counts = {
        "persons": len({user for user, _ in found}),
        "recordings": len(found),
        "events": size,
        "windows": sum(s.length for s in sequences),
    }
    return sequences, problems, counts


def _cut(user: str, folder: Path, window_us: int, segment: int | None, span: int) -> list[RecordingSequence]:
    """The sequences of one recording; those shorter than ``span`` windows only where they are the whole of it."""
    extent = extent_of(EvbeyeRecording(folder), True, window_us)
    windows = max(extent.end_us - extent.begin_us, 0) // window_us
    length = segment or max(windows, 1)
    parts = [(n, min(length, windows - n)) for n in range(0, max(windows, 1), length)]
    whole = [(n, part) for n, part in parts if part >= span] or parts[:1]
    return [
        RecordingSequence(
            name=f"{user}/{folder.name}" if segment is None else f"{user}/{folder.name}@{n}",
            person=user,
            emotion=None,
            lighting=UNKNOWN_LIGHTING,
            length=part,
            path=folder,
            begin_us=extent.begin_us + n * window_us,
        )
        for n, part in whole
    ]
