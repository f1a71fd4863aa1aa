"""The SEE dataset's layout on disk, as published: names and annotations.

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

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from snnkd.datasets.checks import read_json
from snnkd.datasets.labels import EMOTIONS, emotion_index, lighting_name
from snnkd.datasets.report import Problem
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import ANNOTATIONS, NAME
from snnkd.recordings.see_images import WINDOW_US as WINDOW_US

SUBSETS = {"training": "train", "testing": "test"}
"""The official subsets, and what they are here."""


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
            raise DatasetError(f"sequence name {name!r}: {error}; rename or remove it") from None
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


class Annotations(NamedTuple):
    """What ``emotion.json`` says: entries (None where one is broken), what is wrong with them, and whose eyes it is of.

    ``population`` is SEE's people, or the simulated ones of an EyeSim set in SEE's layout, which must not be taken for
    them.
    """

    entries: dict[str, Annotation | None]
    problems: list[Problem]
    population: str


def read_annotations(root: Path) -> Annotations:
    """Read ``emotion.json``.

    Raises :class:`DatasetError` when the file is missing, is not JSON, or has no database.
    """
    path = root / ANNOTATIONS
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; set the root to the one that holds emotion.json, event and frame")
    if not path.is_file():
        raise DatasetError(f"{path}: missing; it comes with the dataset and holds the labels and the official split")
    try:
        content = read_json(path, "fetch it again")
        entries = dict(content["database"].items())
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: not SEE's annotation file ({error!r}); fetch it again") from error
    found: dict[str, Annotation | None] = {}
    problems: list[Problem] = []
    for name, entry in entries.items():
        try:
            found[name] = _annotation(path, name, entry)
        except DatasetError as error:
            found[name] = None
            problems.append(Problem("broken annotation", name, str(error)))
    for name in _repeated(path):
        found[name] = None
        problems.append(
            Problem("duplicate", name, f"{path}: entry {name!r} is there more than once; remove all but one")
        )
    return Annotations(found, problems, _population(path, content.get("eyesim")))


def _population(path: Path, simulated: Any) -> str:
    if simulated is None:
        return "SEE"
    try:
        return f"EyeSim seed {int(simulated['settings']['seed'])}"  # the same people as in its recordings
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: eyesim does not say its seed ({error!r}); generate the data set again") from error


def _annotation(path: Path, name: str, entry: Any) -> Annotation:
    try:
        subset, note = entry["subset"], entry["annotations"]
        label, (first, end) = note["label"], note["segment"]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: entry {name!r} lacks subset, label or segment ({error!r}); mend it") from error
    if not isinstance(subset, str) or subset not in SUBSETS:
        raise DatasetError(f"{path}: entry {name!r} has subset {subset!r}; it must be training or testing: mend it")
    if not (type(first) is int and type(end) is int and 0 <= first < end):
        raise DatasetError(
            f"{path}: entry {name!r} has segment {note['segment']!r}; it must be [first, end) in images: mend it"
        )
    try:
        return Annotation(subset, EMOTIONS[emotion_index(label)], first, end)
    except DatasetError as error:
        raise DatasetError(f"{path}: entry {name!r}: {error}; mend it") from None


def _repeated(path: Path) -> list[str]:
    """Sequences that the file has more than one entry of, which JSON's readers drop without a word."""
    repeated: dict[str, None] = {}

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for key, value in items:
            if key in seen and isinstance(value, dict) and "annotations" in value:
                repeated[key] = None
            seen.add(key)
        return dict(items)

    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=pairs)
    return list(repeated)
