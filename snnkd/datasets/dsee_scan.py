"""Going over a tree that a mapping describes: which events and frames belong together, and all that does not fit."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnkd.datasets.dsee_mapping import Fields, Mapping, matches
from snnkd.datasets.dsee_numbering import numbers_of, series_problem
from snnkd.datasets.persons import Named, spelling_problems
from snnkd.datasets.recording_base import RecordingSequence, attempt, extent_of
from snnkd.datasets.report import Problem
from snnkd.datasets.sample import Sequence
from snnkd.errors import DatasetError
from snnkd.recordings import ImageFolderRecording, Recording, open_recording
from snnkd.recordings.images import images_in


@dataclass(frozen=True)
class ImageSequence(Sequence):
    """A sequence in two folders of as many images."""

    events_at: Path
    frames_at: Path


def survey(mapping: Mapping, window_us: int) -> tuple[list[Sequence], list[str | None], list[Problem], dict[str, int]]:
    """Sequences sorted by name, their official subsets, what does not fit, and how much there is.

    ``window_us`` is a whole multiple of the mapping's where the events are images.
    """
    root, problems = mapping.path.parent, list[Problem]()
    events = _found(root, "events", mapping.events, problems, mapping.kind == "images")
    apart = mapping.frames_apart
    frames = _found(root, "frames", apart, problems, True) if apart else {}
    for kind, mine, others in (("events", events, frames), ("frames", frames, events)):
        for fields, path in mine.items():
            if apart and fields not in others:
                told = " ".join(f"{name}={value}" for name, value in fields)
                other = "frames" if kind == "events" else "events"
                problems.append(
                    Problem(
                        "unpaired", str(path), f"{path}: no {other} are named {told}; fetch them or mend the pattern"
                    )
                )
    sequences: list[Sequence] = []
    official: list[str | None] = []
    for fields, path in events.items():
        if apart and fields not in frames:
            continue
        subset, sequence, wrong = None, None, list[Problem]()
        try:
            subset = mapping.subset_of(dict(fields))
            sequence, wrong = _sequence(mapping, dict(fields), path, frames.get(fields), window_us)
        except DatasetError as error:
            kind = "unknown lighting" if "lighting" in str(error) else "bad name"
            wrong = [Problem(kind, path.name, f"{path}: {error}")]
        problems += wrong
        if sequence is not None:
            sequences.append(sequence)
            official.append(subset)
    sequences, official = _check_persons(root, sequences, official, problems)
    counts = {"events": len(events), **({"frames": len(frames)} if apart else {}), "whole sequences": len(sequences)}
    return sequences, official, problems, counts | {"persons": len({s.person for s in sequences})}


def _check_persons(
    root: Path, sequences: list[Sequence], official: list[str | None], problems: list[Problem]
) -> tuple[list[Sequence], list[str | None]]:
    """Sequences, and their subsets, of persons spelt the usual way; others, and persons shared, go to ``problems``."""
    odd = spelling_problems(Named(s.person, s.name, str(root / s.name)) for s in sequences)
    left_out = {problem.sequence for problem in odd}
    kept = [(s, subset) for s, subset in zip(sequences, official, strict=True) if s.name not in left_out]
    subsets: defaultdict[str, set[str]] = defaultdict(set)
    for sequence, subset in kept:
        subsets[sequence.person] |= {subset} if subset else set()
    problems += odd
    for person, told in sorted(subsets.items()):
        if len(told) > 1:
            message = (
                f"{root}: person {person} is in {' and '.join(sorted(told))}: the official split does not keep persons "
                "apart; person-disjoint does"
            )
            problems.append(Problem("person in two subsets", person, message, note=True))
    return [s for s, _ in kept], [subset for _, subset in kept]


def _found(root: Path, key: str, pattern: str, problems: list[Problem], folders: bool) -> dict[Fields, Path]:
    """What a pattern matches, only folders where images are meant; duplicates go to ``problems``."""
    found: dict[Fields, Path] = {}
    for fields, path in matches(root, pattern):
        if folders and not path.is_dir():
            continue
        if fields in found:
            message = f"{path}: has the same fields as {found[fields]}; remove one, or add a placeholder to {key}"
            problems.append(Problem("duplicate", str(path), message))
        else:
            found[fields] = path
    if not found:
        here = sorted(path.name for path in root.iterdir() if path.name[0] != ".")[:5]
        raise DatasetError(
            f"{root}: {key}: {pattern} of the mapping matches nothing; the folder holds {', '.join(here)}: "
            "mend the pattern"
        )
    return found


def _sequence(
    mapping: Mapping, fields: dict[str, str], events: Path, frames: Path | None, window_us: int
) -> tuple[Sequence | None, list[Problem]]:
    """The sequence of a pair, None where something does not fit; and what does not."""
    common: dict[str, Any] = {
        "name": events.relative_to(mapping.path.parent).as_posix(),
        "person": fields["person"],
        "emotion": mapping.emotion_of(fields),
        "lighting": mapping.lighting_of(fields),
    }
    if mapping.kind == "images":
        assert frames is not None
        problems = _misfits(common["name"], events, frames)
        if any(not problem.note for problem in problems):
            return None, problems
        length = len(listed(events)) // (window_us // mapping.window_us)
        return ImageSequence(**common, length=length, events_at=events, frames_at=frames), problems
    sequence, wrong = attempt(lambda: _recorded(mapping, common, events, frames, window_us))
    return sequence, [Problem("unusable recording", common["name"], wrong)] if wrong else []


def _misfits(name: str, events: Path, frames: Path) -> list[Problem]:
    """What is wrong with two folders of images that belong together."""
    folders = (events, frames)
    for folder in folders:
        if not folder.is_dir() or not listed(folder):
            return [Problem("no images", name, f"{folder}: is no folder of images; mend the pattern")]
    files = [listed(folder) for folder in folders]
    numbers = [numbers_of(found) for found in files]
    told = zip(folders, files, numbers, strict=True)
    problems = [problem for series in told if (problem := series_problem(series[0], name, *series[1:]))]
    if any(not problem.note for problem in problems):
        return problems
    if len(files[0]) != len(files[1]):
        counts = f"{len(files[0])} event images but {len(files[1])} frames in {frames}"
        return [*problems, Problem("unequal numbers of images", name, f"{events}: {counts}; fetch it again")]
    if numbers[0] and numbers[1]:
        odd = next((i for i, (a, b) in enumerate(zip(*numbers, strict=True)) if a != b), None)
        if odd is not None:
            pair = [found[odd].name for found in files]
            message = f"{events}: image {pair[0]} does not go with frame {pair[1]} of {frames}; an image is missing"
            problems.append(Problem("missing images", name, f"{message}: fetch it again"))
    return problems


def _recorded(
    mapping: Mapping, common: dict[str, Any], events: Path, frames: Path | None, window_us: int
) -> RecordingSequence:
    recording = open_recording(events)
    extent = extent_of(recording, mapping.has_frames and frames is None, window_us)
    begin, end, shift = extent.begin_us, extent.end_us, 0
    if frames is not None:
        times = open_frames(mapping, frames).frame_times_us
        shift = 0 if mapping.frame_times == "recording" else extent.origin_us - int(times[0])
        begin, end = max(begin, int(times[0]) + shift), min(end, int(times[-1]) + shift + window_us)
        if begin >= end:
            raise DatasetError(
                f"{frames}: its frames and the events of {events} are at different times; see frame_times"
            )
    return RecordingSequence(
        **common,
        length=max(end - begin, 0) // window_us,
        path=events,
        begin_us=begin,
        has_frames=mapping.has_frames,
        frames_at=frames,
        frames_shift_us=shift,
    )


def open_frames(mapping: Mapping, folder: Path) -> Recording:
    """Open the frames beside a recording; :class:`DatasetError` where they are no folder of images."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: is no folder of images; mend the pattern of frames")
    return ImageFolderRecording(folder, fps=mapping.frame_rate)


def listed(folder: Path) -> list[Path]:
    """Images of a folder in the order of their numbers."""
    return sorted(images_in(folder), key=lambda path: (_digits(path.name), path.name))


def _digits(name: str) -> list[Any]:
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]
