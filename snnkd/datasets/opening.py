"""Opening whichever dataset a folder holds."""

import os
from pathlib import Path
from typing import Any

from snnkd.datasets.eyesim.dataset import EyeSim
from snnkd.datasets.eyesim.generation import MANIFEST
from snnkd.datasets.sample import EyeDataset
from snnkd.datasets.see import SEE
from snnkd.datasets.see_layout import ANNOTATIONS, WINDOW_US
from snnkd.errors import DatasetError


def open_dataset(
    root: str | os.PathLike[str],
    subset: str = "train",
    *,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    stride: int | None = None,
    window_us: int | None = None,
    **split: Any,
) -> EyeDataset:
    """Open the dataset in ``root``, told by ``eyesim.json`` or ``emotion.json``, with its own defaults where
    ``None``.

    ``split`` are keyword arguments that divide the persons, as ``split_config`` of a dataset holds them: ``fold``,
    ``folds``, ``seed``, and for SEE ``split`` and ``val_share``; the class's own where left out. Clips are cut from
    the centre in every subset, so what is computed on them comes out the same again.

    Raises :class:`DatasetError` when the folder holds neither file, for a keyword of ``split`` that the dataset
    does not know, when SEE is asked for another window than its published 33 ms, and as the dataset's class does.
    """
    folder = Path(root)
    clip = {"size": size, "steps": steps, "stride": stride, "window_us": window_us}
    given: dict[str, Any] = {name: value for name, value in clip.items() if value is not None}
    given |= {"start": "centre"} | split
    if (folder / MANIFEST).is_file():
        _check_split(folder, EyeSim, split)
        return EyeSim(folder, subset, **given)
    if (folder / ANNOTATIONS).is_file():
        _check_split(folder, SEE, split)
        if given.pop("window_us", WINDOW_US) != WINDOW_US:
            raise DatasetError(f"{folder}: SEE has windows of {WINDOW_US} µs, got {window_us}; leave it out")
        return SEE(folder, subset=subset, **given)
    raise DatasetError(
        f"{folder}: neither {MANIFEST} (EyeSim) nor {ANNOTATIONS} (SEE) is here; name a folder that has one"
    )


def _check_split(folder: Path, kind: type[EyeDataset], split: dict[str, Any]) -> None:
    for name in split:
        if name not in kind.split_keys:
            raise DatasetError(
                f"{folder}: {kind.__name__} has no split option {name!r}; it has {', '.join(kind.split_keys)}"
            )
