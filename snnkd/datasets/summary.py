"""What is in a dataset, as facts and as a table."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from snnkd.datasets.eyesim.generation import MANIFEST
from snnkd.datasets.labels import EMOTIONS, LIGHTINGS
from snnkd.datasets.opening import open_dataset
from snnkd.datasets.see_layout import ANNOTATIONS


def holds_dataset(path: str | os.PathLike[str]) -> bool:
    """Whether a folder says that it is a dataset."""
    return any((Path(path) / name).is_file() for name in (MANIFEST, ANNOTATIONS))


def describe(root: str | os.PathLike[str]) -> dict[str, Any]:
    """Return persons, sequences and their windows, and sequences per emotion and lighting, as plain data.

    Raises :class:`~snnkd.errors.DatasetError` as :func:`snnkd.datasets.open_dataset` does.
    """
    dataset = open_dataset(root, "all", steps=1, stride=1)
    counts = Counter((sequence.emotion, sequence.lighting) for sequence in dataset.sequences)
    lengths = [sequence.length for sequence in dataset.sequences]
    return {
        "path": str(root),
        "dataset": type(dataset).__name__,
        "population": dataset.population,
        "persons": len(dataset.persons),
        "sequences": len(dataset.sequences),
        "window_us": dataset.window_us,
        "windows": {"fewest": min(lengths), "most": max(lengths), "total": sum(lengths)},
        "emotions": {e: {light: counts[e, light] for light in LIGHTINGS if counts[e, light]} for e in EMOTIONS},
    }


def table(facts: dict[str, Any]) -> str:
    """Return the facts of :func:`describe` as a table for the terminal."""
    from snnkd.terminal import as_text, plain_table

    windows = facts["windows"]
    seconds = windows["total"] * facts["window_us"] / 1e6
    lightings = [light for light in LIGHTINGS if any(light in row for row in facts["emotions"].values())]
    length = (
        f"{windows['fewest']}" if windows["fewest"] == windows["most"] else f"{windows['fewest']} to {windows['most']}"
    )
    size = f"{facts['persons']} persons, {facts['sequences']:,} sequences of {length} windows, {seconds:,.0f} s"
    grid = plain_table()
    grid.add_column("emotion")
    for light in lightings:
        grid.add_column(light, justify="right")
    for emotion, row in facts["emotions"].items():
        grid.add_row(emotion, *(f"{row.get(light, 0):,}" for light in lightings))
    return as_text(facts["path"], f"{facts['dataset']}: {size}", grid)
