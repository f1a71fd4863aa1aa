"""A synthetic data set in the layout of SEE, for whatever reads SEE.

::

    emotion.json                                  labels, segments and a split by persons; the recipe under "eyesim"
    event/<emotion>/<sequence>/00000.jpg ...      events of a frame period: 255 ON, 0 OFF, 128 elsewhere
    frame/<emotion>/<sequence>/00000.jpg ...      the frame at that period's end

Image *i* shows the frame period *i*; where a pixel fired more than once in it, its last event counts. Sequences are
named as SEE's are (:class:`snnkd.datasets.see_layout.SequenceName`); sex and age are drawn and mean nothing, since
neither is simulated. One person in five is "testing", and none is on both sides, unlike in SEE.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.checks import read_json
from snnkd.datasets.eyesim.jobs import Job
from snnkd.datasets.eyesim.manifest import MANIFEST, check_recipe, check_size, write_json
from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.sequence import Simulated, simulate_sequence
from snnkd.datasets.eyesim.settings import Settings
from snnkd.datasets.labels import EMOTIONS
from snnkd.datasets.splits import person_folds
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import ANNOTATIONS, BACKGROUND, WINDOW_US

FOLDERS = dict(zip(EMOTIONS, ("happiness", "sadness", "angry", "disgust", "surprise", "fear", "neutraL"), strict=True))
"""Emotion to the folder's name that SEE uses."""

RECIPE = ".eyesim-recipe.json"
"""Written first, so that a run that was stopped is not continued with other settings."""

QUALITY = 95
_SEE_LIGHTINGS = {"normal": "normal", "overexposed": "Overexposed", "low-light": "Low", "HDR": "HDR"}
_PASSPORT_KEY = 0x5E6A


class AsSEE(NamedTuple):
    """Two folders of JPG images a take."""

    folder: Path
    settings: Settings
    recipe: dict[str, Any]

    def check(self, persons: int, takes: int) -> None:
        """Compare with what is there already."""
        if self.settings.frame_period_us != WINDOW_US:
            raise DatasetError(f"frame_rate is {self.settings.frame_rate:g}; SEE's layout has 30 frames a second")
        remedy = "delete it and generate again"
        if (self.folder / RECIPE).exists():
            check_recipe(self.folder / RECIPE, read_json(self.folder / RECIPE, remedy), self.recipe)
        elif any((self.folder / name).exists() for name in ("event", "frame", ANNOTATIONS, MANIFEST)):
            raise DatasetError(f"{self.folder}: holds a data set of another kind; choose another folder")
        if (self.folder / ANNOTATIONS).exists():
            check_size(
                self.folder / ANNOTATIONS, read_json(self.folder / ANNOTATIONS, remedy)["eyesim"], persons, takes
            )

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Make a folder for each emotion, and clear what a stopped run left half."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / RECIPE, self.recipe)
        if not all(self.is_whole(job) for job in jobs):
            (self.folder / ANNOTATIONS).unlink(missing_ok=True)  # of a smaller set that now grows
        for kind in ("event", "frame"):
            for name in FOLDERS.values():
                folder = self.folder / kind / name
                folder.mkdir(parents=True, exist_ok=True)
                for half in folder.glob(".partial-*"):
                    shutil.rmtree(half)

    def is_whole(self, job: Job) -> bool:
        """Tell whether all images of a take are there, each to its end marker: a power cut may leave empty ones."""
        names = {f"{i:05d}.jpg" for i in range(self.length)}
        folders = [self.folder / kind / FOLDERS[job.emotion] / self.name(job) for kind in ("event", "frame")]
        return all(
            folder.is_dir() and {path.name for path in folder.iterdir()} == names and all(map(_ends, folder.iterdir()))
            for folder in folders
        )

    def name(self, job: Job) -> str:
        """The sequence's name."""
        rng = np.random.default_rng([job.seed, _PASSPORT_KEY, job.person])
        sex, age = ("man", "woman")[rng.integers(2)], rng.integers(20, 60)
        number = (job.person * len(EMOTIONS) + EMOTIONS.index(job.emotion)) * 1000 + job.take + 1
        emotion = FOLDERS[job.emotion].lower()
        return (
            f"{number}_{Person(index=job.person).name}_{sex}_{age}_Synthetic_{_SEE_LIGHTINGS[job.lighting]}_{emotion}"
            f"_{self.length}_take{job.take:03d}"
        )

    @property
    def length(self) -> int:
        """Images of a sequence."""
        return self.settings.length_us // self.settings.frame_period_us

    def make(self, job: Job) -> None:
        """Simulate a take and write its images."""
        made = simulate_sequence(job.seed, job.person, job.emotion, job.take, self.settings, lighting=job.lighting)
        for kind, images in (("event", event_images(made, self.settings)), ("frame", made.frames.images[1:])):
            whole = self.folder / kind / FOLDERS[job.emotion] / self.name(job)
            half = whole.with_name(f".partial-{whole.name}")
            half.mkdir()
            for i, image in enumerate(images):
                _write_jpg(half / f"{i:05d}.jpg", image)
            if whole.exists():
                shutil.rmtree(whole)  # of a take that was not whole
            os.replace(half, whole)

    def finish(self, persons: int, takes: int, jobs: Sequence[Job]) -> None:
        """Write ``emotion.json``."""
        people = [Person(index=job.person).name for job in jobs]
        folds = min(5, persons)
        testing = person_folds(people, folds, 0)[0] if folds > 1 else frozenset()
        database = {
            self.name(job): {
                "subset": "testing" if person in testing else "training",
                "annotations": {"label": FOLDERS[job.emotion].lower(), "segment": [0, self.length]},
            }
            for job, person in zip(jobs, people, strict=True)
        }
        facts = {"persons": persons, "takes": takes, "settings": self.recipe}
        labels = [name.lower() for name in FOLDERS.values()]
        write_json(self.folder / ANNOTATIONS, {"labels": labels, "database": database, "eyesim": facts})


def event_images(made: Simulated, settings: Settings) -> NDArray[np.uint8]:
    """Events of each frame period as grey images ``(N, H, W)``; a pixel's last event counts."""
    width, height = settings.size
    images = np.full((len(made.frames.images) - 1, height, width), BACKGROUND, np.uint8)
    period = (made.events["t"] - 1) // settings.frame_period_us  # an event at a frame's time belongs before it
    images[period, made.events["y"], made.events["x"]] = np.where(made.events["p"], 255, 0)
    return images


def _ends(path: Path) -> bool:
    """Tell whether a JPG file has its end-of-image marker."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 2, 0))
        return file.read() == b"\xff\xd9"


def _write_jpg(path: Path, image: NDArray[np.uint8]) -> None:
    import cv2  # here: drawing alone does not need it

    written, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not written:
        raise OSError(f"{path}: OpenCV could not encode the image")
    path.write_bytes(data.tobytes())
