"""Opening whichever dataset a folder holds."""

import os
from pathlib import Path

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
) -> EyeDataset:
    """Open the dataset in ``root``, told by ``eyesim.json`` or ``emotion.json``, with its own defaults where
    ``None``.

    SEE is opened in its official split. Raises :class:`DatasetError` when the folder holds neither file, when
    SEE is asked for another window than its published 33 ms, and as the dataset's class does.
    """
    folder = Path(root)
    clip = {"size": size, "steps": steps, "stride": stride, "window_us": window_us}
    given = {name: value for name, value in clip.items() if value is not None}
    if (folder / MANIFEST).is_file():
        return EyeSim(folder, subset, **given)  # type: ignore[arg-type]
    if (folder / ANNOTATIONS).is_file():
        if given.pop("window_us", WINDOW_US) != WINDOW_US:
            raise DatasetError(f"{folder}: SEE has windows of {WINDOW_US} µs, got {window_us}; leave it out")
        return SEE(folder, subset=subset, **given)  # type: ignore[arg-type]
    raise DatasetError(
        f"{folder}: neither {MANIFEST} (EyeSim) nor {ANNOTATIONS} (SEE) is here; name a folder that has one"
    )
