"""Going over a copy of SEE: what is there of each sequence, and all that does not fit.

Folders are listed once and files never asked for, so that the 256,000 images of the whole dataset take a second:
their names alone say which are missing. What one image holds is only seen when it is read.
"""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from snnkd.datasets.labels import EMOTIONS, emotion_index
from snnkd.datasets.persons import Named, spelling_problems
from snnkd.datasets.report import Problem
from snnkd.datasets.sample import Sequence
from snnkd.datasets.see_layout import Annotation, SequenceName, read_annotations
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import ANNOTATIONS

KINDS = ("event", "frame")
_SERIES = [f"{n:05d}.jpg" for n in range(1000)]


@dataclass(frozen=True)
class SEESequence(Sequence):
    """A sequence of SEE: what its name says, official subset, folders, and the first image of its segment."""

    details: SequenceName
    official: str
    events_at: Path
    frames_at: Path
    first: int


@dataclass(frozen=True)
class Folder:
    """A sequence's folder below ``event`` or ``frame``: number of images, and the numbers that the series lacks.

    ``emotion`` is what the folder above it names; ``others`` counts images that are not named 00000.jpg.
    """

    path: Path
    emotion: str
    images: int
    lacks: tuple[int, ...]
    others: int


@dataclass
class Scan:
    """All of a copy: whole sequences, sorted by number and name; everything wrong; how much there is."""

    sequences: list[SEESequence]
    problems: list[Problem]
    counts: dict[str, int]
    population: str


def scan(root: Path) -> Scan:
    """Go over the copy in ``root``. Raises :class:`DatasetError` where ``emotion.json`` or a whole tree is missing."""
    annotations, problems, population = read_annotations(root)
    trees = {kind: _list_tree(root / kind, problems) for kind in KINDS}
    broken = {problem.sequence for problem in problems}
    found: list[SEESequence] = []
    for name in sorted({*annotations, *trees["event"], *trees["frame"]}):
        wrong = _fit(root, name, annotations, trees) if name not in broken else []
        problems += wrong
        note = annotations.get(name)
        if name not in broken and note is not None and all(problem.note for problem in wrong):
            details = SequenceName.parse(name)
            found.append(
                SEESequence(
                    name=name,
                    person=details.person,
                    emotion=note.emotion,
                    lighting=details.lighting,
                    length=note.end - note.first,
                    details=details,
                    official=note.subset,
                    events_at=trees["event"][name].path,
                    frames_at=trees["frame"][name].path,
                    first=note.first,
                )
            )
    twice = _twice(root, found)
    left_out = {problem.sequence for problem in twice if not problem.note}
    whole = [s for s in found if s.name not in left_out]
    whole.sort(key=lambda s: (s.details.number, s.name))
    counts = {
        "annotations": len(annotations),
        **{f"{kind} folders": len(trees[kind]) for kind in KINDS},
        "images": sum(folder.images for tree in trees.values() for folder in tree.values()),
        "whole sequences": len(whole),
        "persons": len({s.person for s in whole}),
    }
    return Scan(whole, problems + twice, counts, population)


def _list_tree(top: Path, problems: list[Problem]) -> dict[str, Folder]:
    """Sequence name to folder under ``event`` or ``frame``; hidden names are skipped."""
    if not top.is_dir():
        raise DatasetError(f"{top}: missing; the dataset's {top.name} images belong there")
    found: dict[str, Folder] = {}
    emotions = set()
    for place in _folders(str(top)):
        path = top / place
        try:
            emotion = EMOTIONS[emotion_index(place)]
        except DatasetError as error:
            problems.append(Problem("unknown emotion folder", place, f"{path}: {error}; rename or remove it"))
            continue
        emotions.add(emotion)
        for name in _folders(str(path)):
            if name in found:
                other = found[name].path
                problems.append(
                    Problem("duplicate", name, f"{path / name}: the sequence is also in {other}; remove one")
                )
            else:
                found[name] = _list_images(path / name, emotion)
    absent = [emotion for emotion in EMOTIONS if emotion not in emotions]
    if absent:
        message = f"{top}: no folder for {', '.join(absent)}; each of the seven emotions needs one: fetch it"
        problems.append(Problem("missing emotion folder", top.name, message))
    return found


def _list_images(path: Path, emotion: str) -> Folder:
    names = sorted(name for name in os.listdir(path) if name[-4:].lower() == ".jpg" and name[0] != ".")
    if names == _SERIES[: len(names)]:  # nearly always, and quick
        return Folder(path, emotion, len(names), (), 0)
    numbers = {int(name[:-4]) for name in names if len(name) == 9 and name[:-4].isdecimal() and name[-4:] == ".jpg"}
    lacks = tuple(n for n in range(max(numbers, default=-1) + 1) if n not in numbers)
    return Folder(path, emotion, len(numbers), lacks, len(names) - len(numbers))


def _fit(
    root: Path,
    name: str,
    annotations: dict[str, Annotation | None],
    trees: dict[str, dict[str, Folder]],
) -> list[Problem]:
    """What does not fit of one sequence's name, annotation and folders."""
    note, (events, frames) = annotations.get(name), (trees[kind].get(name) for kind in KINDS)
    found = events or frames
    wrong: list[Problem] = []

    def add(kind: str, message: str, remark: bool = False) -> None:
        wrong.append(Problem(kind, name, message, remark))

    if note is None:
        assert found is not None
        add("folder without annotation", f"{found.path}: the sequence has no entry in emotion.json; remove it")
    details = None
    try:
        details = SequenceName.parse(name)
    except DatasetError as error:
        kind = "unknown lighting" if "unknown lighting" in str(error) else "bad name"
        add(kind, f"{found.path if found else root / ANNOTATIONS}: {error}")
    if details and note and details.emotion != note.emotion:
        add("label", f"{root / ANNOTATIONS}: entry {name!r} is labelled {note.emotion}; mend it")
    for kind, folder in zip(KINDS, (events, frames), strict=True):
        if folder is None:
            if note:
                add(
                    "annotation without folder",
                    f"{root / kind}: no folder for sequence {name!r} of emotion.json; fetch it",
                )
            continue
        if details and folder.emotion != details.emotion:
            add("label", f"{folder.path}: lies among {folder.emotion}; move it to the folder of {details.emotion}")
        begin, end = (note.first, note.end) if note else (0, 0)
        inside = [n for n in folder.lacks if begin <= n < end]
        if lacks := inside or folder.lacks:
            shown = ", ".join(f"{n:05d}.jpg" for n in lacks[:5]) + (", ..." if len(lacks) > 5 else "")
            what = "missing images" if inside or not note else "missing images, outside the segment"
            more = f"{folder.path}: lacks {len(lacks)} image(s) of its series, {shown}; fetch it again"
            add(what, more, remark=not inside)
        if folder.others:
            more = f"{folder.path}: {folder.others} image(s) with names unlike 00000.jpg, which are not read"
            add("extra images", more, remark=True)
    if events and frames and not any(problem.kind == "missing images" for problem in wrong):
        # Where none is missing amid the segment, what it has goes from its first image to the last of all.
        tops = [folder.images + len(folder.lacks) for folder in (events, frames)]
        first, end = (note.first, note.end) if note else (0, max(tops))
        has = [max(min(top, end) - first, 0) for top in tops]
        if has[0] != has[1]:
            add(
                "unequal numbers of images",
                f"{events.path}: {has[0]} event images but {has[1]} frames in {frames.path}"
                f"{f', of its segment [{first}, {end})' if note else ''}; fetch it again",
            )
        elif note and has[0] < end - first:
            add(
                "short sequence",
                f"{root / ANNOTATIONS}: entry {name!r} has segment [{first}, {end}) but "
                f"the sequence has {min(tops)} images; fetch it again or mend the entry",
            )
        elif tops[0] != tops[1]:
            add(
                "unequal numbers of images, outside the segment",
                f"{events.path}: event images end at {tops[0] - 1:05d}.jpg, frames in {frames.path} at "
                f"{tops[1] - 1:05d}.jpg",
                remark=True,
            )
        elif details and details.length != tops[0]:
            add(
                "length unlike the name's",
                f"{events.path}: has {tops[0]} images, and {details.length} by its name",
                remark=True,
            )
    return wrong


def _twice(root: Path, sequences: list[SEESequence]) -> list[Problem]:
    """Sequences that are one by all that their names say, and persons that are one under two spellings."""
    problems: list[Problem] = []
    same: defaultdict[SequenceName, list[str]] = defaultdict(list)
    sexes: defaultdict[str, set[str]] = defaultdict(set)
    for s in sequences:
        same[s.details].append(s.name)
        sexes[s.person].add(s.details.sex)
    for names in same.values():
        for name in names[1:]:
            message = f"{root}: sequence {name!r} has the same fields as {names[0]!r}; remove one"
            problems.append(Problem("duplicate", name, message))
    problems += spelling_problems(Named(s.person, s.name, str(s.events_at)) for s in sequences)
    for person, told in sexes.items():
        if len(told) > 1:
            message = f"{root}: person {person} is {' and '.join(sorted(told))}; are these two persons?"
            problems.append(Problem("person of two descriptions", person, message, note=True))
    return problems


def _folders(top: str) -> list[str]:
    with os.scandir(top) as entries:
        return sorted(entry.name for entry in entries if entry.name[0] != "." and entry.is_dir())
