"""The SEE dataset's layout on disk, as published, and everything that can be wrong with a copy of it.

::

    emotion.json
    event/<emotion>/<sequence>/00000.jpg ...     events accumulated over 33 ms, one image per frame
    frame/<emotion>/<sequence>/00000.jpg ...     intensity frames at 30 fps

Emotion folders are ``angry disgust fear happiness neutraL sadness surprise`` (any case is taken, and
``anger``). A sequence's name is
``[number]_[person]_[sex]_[age]_[degree]_[lighting]_[emotion]_[length]_[take]``, for example
``1_001_man_24_Master_normal_angry_45_take000``. ``emotion.json`` is
``{"labels": [...], "database": {sequence: {"subset": "training" | "testing", "annotations": {"label": ...,
"segment": [first, end]}}}}`` with a half-open segment of image indices.

Source: Zhang et al., "In the Blink of an Eye: Event-based Emotion Recognition", SIGGRAPH 2023, and its
dataset instructions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnkd.datasets.checks import read_json
from snnkd.datasets.labels import EMOTIONS, emotion_index, lighting_name
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import ANNOTATIONS, NAME
from snnkd.recordings.see_images import WINDOW_US as WINDOW_US


@dataclass(frozen=True)
class SequenceName:
    """What a sequence's name says; ``person`` as written (``"001"``), lighting and emotion in our words."""

    number: int
    person: str
    sex: str
    age: int
    degree: str
    lighting: str
    emotion: str
    length: int
    take: int

    @classmethod
    def parse(cls, name: str) -> "SequenceName":
        """Read a sequence's name; raises :class:`DatasetError` for one that is not of the published form."""
        match = NAME.fullmatch(name)
        if match is None:
            raise DatasetError(
                f"sequence name {name!r} is not of SEE's form number_person_man|woman_age_degree_lighting_"
                "emotion_length_take000; rename or remove it"
            )
        part = match.groupdict()
        try:
            emotion = EMOTIONS[emotion_index(part["emotion"])]
            lighting = lighting_name(part["lighting"])
        except DatasetError as error:
            raise DatasetError(f"sequence name {name!r}: {error}") from None
        return cls(
            number=int(part["number"]),
            person=part["person"],
            sex=part["sex"],
            age=int(part["age"]),
            degree=part["degree"],
            lighting=lighting,
            emotion=emotion,
            length=int(part["length"]),
            take=int(part["take"]),
        )


@dataclass(frozen=True)
class Annotation:
    """One entry of ``emotion.json``: official subset, emotion, and segment ``[first, end)`` in images."""

    subset: str
    emotion: str
    first: int
    end: int


def read_annotations(root: Path) -> dict[str, Annotation]:
    """Read ``emotion.json``: sequence name to annotation, in file order.

    Raises :class:`DatasetError` when the file is missing, is not JSON, or an entry is not of the published
    form; the message names the entry.
    """
    path = root / ANNOTATIONS
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; set the root to the one that holds emotion.json, event and frame")
    if not path.is_file():
        raise DatasetError(f"{path}: missing; it comes with the dataset and holds the labels and the official split")
    try:
        entries = dict(read_json(path, "fetch it again")["database"].items())
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: not SEE's annotation file ({error!r}); fetch it again") from error
    return {name: _annotation(path, name, entry) for name, entry in entries.items()}


def _annotation(path: Path, name: str, entry: Any) -> Annotation:
    try:
        subset, note = entry["subset"], entry["annotations"]
        label, (first, end) = note["label"], note["segment"]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: entry {name!r} lacks subset, label or segment ({error!r}); mend it") from error
    if subset not in ("training", "testing"):
        raise DatasetError(f"{path}: entry {name!r} has subset {subset!r}; it must be training or testing")
    if not (type(first) is int and type(end) is int and 0 <= first < end):
        raise DatasetError(f"{path}: entry {name!r} has segment {note['segment']!r}; it must be [first, end) in images")
    try:
        return Annotation(subset, EMOTIONS[emotion_index(label)], first, end)
    except DatasetError as error:
        raise DatasetError(f"{path}: entry {name!r}: {error}") from None


def list_folders(root: Path, kind: str) -> dict[str, Path]:
    """Sequence name to folder under ``<root>/<kind>``, ``kind`` being ``event`` or ``frame``; hidden names
    are skipped.

    Raises :class:`DatasetError` when that folder or one of the seven emotions' is missing, an emotion is
    unknown, or a sequence lies in two of them.
    """
    top = root / kind
    if not top.is_dir():
        raise DatasetError(f"{top}: missing; the dataset's {kind} images belong there")
    emotions: dict[str, Path] = {}
    for folder in _folders(top):
        try:
            emotions[EMOTIONS[emotion_index(folder.name)]] = folder
        except DatasetError as error:
            raise DatasetError(f"{folder}: {error}") from None
    absent = [name for name in EMOTIONS if name not in emotions]
    if absent:
        raise DatasetError(f"{top}: no folder for {', '.join(absent)}; each of the seven emotions needs one")
    sequences: dict[str, Path] = {}
    for folder in emotions.values():
        for sequence in _folders(folder):
            if sequence.name in sequences:
                raise DatasetError(f"{sequence}: the sequence is also in {sequences[sequence.name]}; remove one")
            sequences[sequence.name] = sequence
    return sequences


def count_images(folder: Path) -> int:
    """Number of JPG images in a sequence's folder."""
    return sum(1 for path in folder.iterdir() if path.suffix.lower() == ".jpg" and not path.name.startswith("."))


def _folders(top: Path) -> list[Path]:
    return sorted(path for path in top.iterdir() if path.is_dir() and not path.name.startswith("."))
