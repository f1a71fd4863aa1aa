"""A synthetic data set as recordings: ``<root>/<person>/<emotion>_<take>_<lighting>.h5`` and ``<root>/eyesim.json``."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from snnkd.datasets.eyesim.jobs import Job
from snnkd.datasets.eyesim.manifest import MANIFEST, check_recipe, check_size, read_manifest, write_json
from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.sequence import simulate_sequence
from snnkd.datasets.eyesim.settings import Settings
from snnkd.errors import DatasetError, RecordingError
from snnkd.recordings import open_recording, write_hdf5
from snnkd.recordings.see_images import ANNOTATIONS


class AsRecordings(NamedTuple):
    """One HDF5 file a take."""

    folder: Path
    settings: Settings
    recipe: dict[str, Any]

    def check(self, persons: int, takes: int) -> None:
        """Compare with the manifest, where there is one."""
        path = self.folder / MANIFEST
        if (self.folder / ANNOTATIONS).exists():
            raise DatasetError(f"{self.folder}: holds a data set in SEE's layout; choose another folder")
        if path.exists():
            manifest = read_manifest(self.folder)
            check_recipe(path, manifest["settings"], self.recipe)
            check_size(path, manifest, persons, takes)

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Make a folder for each person."""
        for name in dict.fromkeys(os.path.dirname(job.file) for job in jobs):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def is_whole(self, job: Job) -> bool:
        """Tell whether a recording exists and can be read; one of other settings is an error."""
        path = self.folder / job.file
        if not path.exists():
            return False
        try:
            made_with = open_recording(path).metadata.get("settings")
        except RecordingError:
            return False
        if made_with != self.recipe:
            raise DatasetError(f"{path} was made with other settings; delete it or choose another folder")
        return True

    def make(self, job: Job) -> None:
        """Simulate a take and write it; the file appears when it is whole."""
        made = simulate_sequence(job.seed, job.person, job.emotion, job.take, self.settings, lighting=job.lighting)
        metadata = made.metadata | {"settings": self.recipe}
        size = self.settings.size
        write_hdf5(self.folder / job.file, made.events, size, frames=made.frames, metadata=metadata, overwrite=True)

    def finish(self, persons: int, takes: int, jobs: Sequence[Job]) -> None:
        """Write the manifest."""
        sequences = [
            {
                "file": job.file,
                "person": Person(index=job.person).name,
                "emotion": job.emotion,
                "take": job.take,
                "lighting": job.lighting,
            }
            for job in jobs
        ]
        content = {
            "format": "eyesim",
            "settings": self.recipe,
            "persons": persons,
            "takes": takes,
            "sequences": sequences,
        }
        write_json(self.folder / MANIFEST, content)
