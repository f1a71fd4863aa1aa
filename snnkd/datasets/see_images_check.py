"""Decoding every image of a copy of SEE, to tell the damaged ones."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from snnkd.datasets.image_windows import read_image
from snnkd.datasets.report import Problem
from snnkd.datasets.see_scan import KINDS
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import BACKGROUND, MARGIN

Progress = Callable[[int, int | None], None]


def check_images(root: Path, workers: int | None, progress: Progress | None) -> list[Problem]:
    """Everything that is wrong with the images below ``event`` and ``frame``, in the order of their paths."""
    folders = sorted(
        folder
        for kind in KINDS
        for folder in (root / kind).glob("*/*")
        if folder.is_dir() and not folder.name.startswith(".")
    )
    listed = [sorted(n for n in os.listdir(f) if n.lower().endswith(".jpg") and n[0] != ".") for f in folders]
    total, done = sum(map(len, listed)), 0
    problems: list[Problem] = []
    with ThreadPoolExecutor(workers or min(len(os.sched_getaffinity(0)), 8)) as pool:  # decoding releases the lock
        for found, names in zip(pool.map(_check_folder, folders, listed), listed, strict=True):
            problems += found
            done += len(names)
            if progress:
                progress(done, total)
    return problems


def _check_folder(folder: Path, names: list[str]) -> list[Problem]:
    problems: list[Problem] = []
    shape, crowded = None, 0
    for name in names:
        try:
            image = read_image(folder / name)[0]
        except DatasetError as error:
            problems.append(Problem("unreadable image", folder.name, str(error)))
            continue
        shape = shape or image.shape
        if image.shape != shape:
            sizes = f"{image.shape[1]}×{image.shape[0]}, the sequence's first {shape[1]}×{shape[0]}"
            problems.append(
                Problem("image of another size", folder.name, f"{folder / name}: is {sizes}; fetch it again")
            )
        if folder.parent.parent.name == "event":
            marked = np.abs(image.astype(np.int16) - BACKGROUND) > MARGIN
            crowded += int(2 * np.count_nonzero(marked) > image.size)
    if crowded:
        message = (
            f"{folder}: in {crowded} of {len(names)} event images most pixels are marked; "
            "if their background is not mid-grey, these are no events"
        )
        problems.append(Problem("crowded event images", folder.name, message, note=True))
    return problems
