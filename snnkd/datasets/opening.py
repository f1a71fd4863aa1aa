"""Telling which dataset a folder holds, opening it, and checking it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from snnkd.datasets.dsee import DSEE
from snnkd.datasets.dsee_mapping import FILES, find_mapping
from snnkd.datasets.evbeye import EVBEYE, EVENTS, holds_evbeye
from snnkd.datasets.eyesim.dataset import EyeSim
from snnkd.datasets.eyesim.manifest import MANIFEST
from snnkd.datasets.manifest import FILE, is_manifest
from snnkd.datasets.own_recordings import Recordings
from snnkd.datasets.recording_base import attempt
from snnkd.datasets.report import Problem, Report
from snnkd.datasets.sample import EyeDataset
from snnkd.datasets.see import SEE
from snnkd.datasets.see_layout import ANNOTATIONS
from snnkd.errors import DatasetError

AT_ONCE = 64
"""Windows that a check reads at once."""

HINT = (
    f"neither {MANIFEST} (EyeSim), {ANNOTATIONS} (SEE), {FILES[0]} (DSEE), {FILE} (recordings of one's own) nor "
    f"<user>/<eye>/{EVENTS} (EVBEYE) is here; name a folder that has one"
)


def dataset_kind(root: str | os.PathLike[str]) -> type[EyeDataset] | None:
    """Class of the dataset that a folder (or a list, or a mapping file) holds; None where it is no dataset."""
    path = Path(root)
    if (path / MANIFEST).is_file():
        return EyeSim
    if (path / ANNOTATIONS).is_file():
        return SEE
    if find_mapping(path):
        return DSEE
    if (path / FILE).is_file() or is_manifest(path):
        return Recordings
    return EVBEYE if holds_evbeye(path) else None


def open_dataset(
    root: str | os.PathLike[str],
    subset: str = "train",
    *,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    stride: int | None = None,
    window_us: int | None = None,
    start: str = "centre",
    **split: Any,
) -> EyeDataset:
    """Open the dataset in ``root``, whichever it is, with its own defaults where ``None``.

    It is told by ``eyesim.json``, ``emotion.json`` (SEE), ``dsee.yaml`` (DSEE), ``recordings.csv`` or another CSV file
    of that kind (:class:`~snnkd.datasets.Recordings`), or by where EVBEYE's recordings lie. ``split`` are keyword
    arguments that divide the persons, as ``split_config`` of a dataset holds them: ``split``, ``fold``, ``folds``,
    ``seed``, ``val_share``, ``person_fold``; the class's own where left out. Clips are cut from the centre in every
    subset if ``start`` does not say otherwise, so what is computed on them comes out the same again.

    Raises :class:`DatasetError` when the folder holds none of these, for a keyword of ``split`` that the dataset
    does not know, for a window that the dataset's images cannot make, and as the dataset's class does.
    """
    folder = Path(root)
    kind: Any = dataset_kind(folder)
    if kind is None:
        raise DatasetError(f"{folder}: {HINT}" if folder.exists() else f"{folder}: no such folder or file; {HINT}")
    clip = {"size": size, "steps": steps, "stride": stride, "window_us": window_us}
    given: dict[str, Any] = {name: value for name, value in clip.items() if value is not None}
    for name in split:
        if name not in kind.split_keys:
            raise DatasetError(
                f"{folder}: {kind.__name__} has no split option {name!r}; it has {', '.join(kind.split_keys)}"
            )
    opened: EyeDataset = kind(folder, subset=subset, **given, start=start, **split)
    return opened


def check_dataset(
    root: str | os.PathLike[str], *, images: bool = False, progress: Callable[[int, int | None], None] | None = None
) -> Report:
    """Report everything that is wrong with the dataset in ``root``, whichever it is.

    With ``images`` every image and event is read too; ``progress`` is told how many are done, and of how many.
    Raises :class:`DatasetError` where there is no dataset, or nothing of it can be made out.
    """
    kind: Any = dataset_kind(root)
    if kind is None:
        raise DatasetError(f"{root}: {HINT}")
    if kind is SEE:
        return SEE.check(root, images=images, progress=progress)
    report = _check_sources(root) if kind is EyeSim else kind.check(root)
    if images and report.ok:
        report.problems += _check_reading(root, progress)
    return report


def _check_sources(root: str | os.PathLike[str]) -> Report:
    """That each sequence's files are there."""
    dataset = open_dataset(root, "all", steps=1, stride=1)
    problems = [
        Problem("missing recording", sequence.name, f"{path}: missing; make the dataset again to fill it in")
        for i, sequence in enumerate(dataset.sequences)
        for path in dataset.sources(i)
        if not path.exists()
    ]
    counts = {"sequences": len(dataset.sequences), "persons": len(dataset.persons)}
    return Report(type(dataset).__name__, str(root), counts, problems)


def _check_reading(root: str | os.PathLike[str], progress: Callable[[int, int | None], None] | None) -> list[Problem]:
    """Read every window of every sequence, small."""
    dataset = open_dataset(root, "all", steps=1, stride=1, size=(16, 16))
    problems = []
    for i, sequence in enumerate(dataset.sequences):
        for begin in range(0, sequence.length, AT_ONCE):
            windows = np.arange(begin, min(begin + AT_ONCE, sequence.length))
            _, wrong = attempt(lambda i=i, windows=windows: dataset.read(i, windows))  # type: ignore[misc]
            if wrong:
                problems.append(Problem("unreadable sequence", sequence.name, wrong))
                break
        if progress:
            progress(i + 1, len(dataset.sequences))
    return problems
