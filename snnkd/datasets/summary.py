"""What is in a dataset, as facts and as a table."""

import os
from collections import Counter
from typing import Any

from snnkd.datasets.labels import EMOTIONS, LIGHTINGS, UNKNOWN_LIGHTING
from snnkd.datasets.opening import dataset_kind, open_dataset

NO_LABEL = "no label"
"""Row of the sequences without an emotion."""


def holds_dataset(path: str | os.PathLike[str]) -> bool:
    """Whether a folder says that it is a dataset."""
    return dataset_kind(path) is not None


def describe(root: str | os.PathLike[str]) -> dict[str, Any]:
    """Return persons, sequences and their windows, and sequences per emotion and lighting, as plain data.

    Raises :class:`~snnkd.errors.DatasetError` as :func:`snnkd.datasets.open_dataset` does.
    """
    dataset = open_dataset(root, "all", steps=1, stride=1)
    counts = Counter((sequence.emotion or NO_LABEL, sequence.lighting) for sequence in dataset.sequences)
    lengths = [sequence.length for sequence in dataset.sequences]
    unlabelled = sum(sequence.emotion is None for sequence in dataset.sequences)
    rows = (*(() if unlabelled == len(lengths) else EMOTIONS), *((NO_LABEL,) if unlabelled else ()))
    columns = (*LIGHTINGS, UNKNOWN_LIGHTING)
    return {
        "path": str(root),
        "dataset": type(dataset).__name__,
        "population": dataset.population,
        "persons": len(dataset.persons),
        "sequences": len(dataset.sequences),
        "window_us": dataset.window_us,
        "frames": dataset.has_frames,
        "windows": {"fewest": min(lengths), "most": max(lengths), "total": sum(lengths)},
        "emotions": {e: {light: counts[e, light] for light in columns if counts[e, light]} for e in rows},
    }


def table(facts: dict[str, Any]) -> str:
    """Return the facts of :func:`describe` as a table for the terminal."""
    from snnkd.recordings.summary_table import counted
    from snnkd.terminal import as_text, plain_table

    windows = facts["windows"]
    seconds = windows["total"] * facts["window_us"] / 1e6
    shown = [n for n in (*LIGHTINGS, UNKNOWN_LIGHTING) if any(n in row for row in facts["emotions"].values())]
    length = (
        f"{windows['fewest']}" if windows["fewest"] == windows["most"] else f"{windows['fewest']} to {windows['most']}"
    )
    people = counted(facts["persons"], "person")
    size = f"{people}, {counted(facts['sequences'], 'sequence')} of {length} windows, {seconds:,.0f} s"
    grid = plain_table()
    grid.add_column("emotion")
    for light in shown:
        grid.add_column("lighting unknown" if light == UNKNOWN_LIGHTING else light, justify="right")
    for emotion, row in facts["emotions"].items():
        grid.add_row(emotion, *(f"{row.get(light, 0):,}" for light in shown))
    without = "" if facts["frames"] else "; some sequences have events alone, and no frames"
    return as_text(facts["path"], f"{facts['dataset']}: {size}{without}", grid)
