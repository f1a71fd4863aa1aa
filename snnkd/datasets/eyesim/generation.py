"""Making a synthetic data set on disk: one HDF5 recording per take and a manifest, ``eyesim.json``.

Layout: ``<root>/<person>/<emotion>_<take>.h5`` and ``<root>/eyesim.json``, which is written last, so a data
set with a manifest is a whole one. Files appear when they are complete; a run that was stopped is continued
by calling :func:`generate` again with the same settings.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path, PurePath
from reprlib import repr as short
from typing import Any, NamedTuple

from snnkd.datasets.checks import check_integers, read_json
from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.sequence import VERSION, Settings, simulate_sequence
from snnkd.datasets.labels import EMOTIONS, emotion_index, lighting_name
from snnkd.errors import DatasetError, RecordingError
from snnkd.recordings import open_recording, write_hdf5

MANIFEST = "eyesim.json"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Job(NamedTuple):
    """One recording to be made."""

    file: str
    seed: int
    person: int
    emotion: str
    take: int


def generate(
    root: str | os.PathLike[str],
    *,
    persons: int = 10,
    takes: int = 4,
    seed: int = 0,
    settings: Settings | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    **changes: Any,
) -> Path:
    """Make ``persons`` x 7 emotions x ``takes`` recordings under ``root`` and return ``root`` as a path.

    ``settings`` and ``changes`` are those of :func:`snnkd.datasets.eyesim.sequence.simulate_sequence`.
    ``workers`` processes share the work; with 1 none is started. They are spawned, so a script that calls
    this needs the ``if __name__ == "__main__"`` guard. ``progress(done, total)`` is called after each
    recording, and once at the start.

    Recordings that exist, are whole and were made with the same settings are kept: a second call makes
    nothing anew, and a call with more persons or takes adds to the data set. Raises :class:`DatasetError`
    when ``root`` holds recordings of other settings, more persons or takes than asked for, or cannot be
    written.
    """
    settings = replace(settings or Settings(), **changes)
    check_integers(1, persons=persons, takes=takes, workers=workers)
    check_integers(0, seed=seed)
    folder = Path(root)
    recipe = _recipe(seed, settings)
    _check_manifest(folder, recipe, persons, takes)
    jobs = [
        Job(f"{Person(index=person).name}/{emotion}_{take:03d}.h5", seed, person, emotion, take)
        for person in range(persons)
        for emotion in EMOTIONS
        for take in range(takes)
    ]
    try:
        for name in dict.fromkeys(os.path.dirname(job.file) for job in jobs):
            (folder / name).mkdir(parents=True, exist_ok=True)
        missing = [job for job in jobs if not _is_whole(folder / job.file, recipe)]
        done = len(jobs) - len(missing)
        if progress:
            progress(done, len(jobs))
        for _ in _run(folder, missing, settings, recipe, min(workers, len(missing))):
            done += 1
            if progress:
                progress(done, len(jobs))
        _write_manifest(folder, recipe, persons, takes, jobs)
    except OSError as error:
        raise DatasetError(
            f"{folder}: cannot write the data set: {error}; free space or choose another folder"
        ) from error
    return folder


def _recipe(seed: int, settings: Settings) -> dict[str, Any]:
    """Everything that a recording depends on besides person, emotion and take, as JSON gives it back."""
    recipe = {"version": VERSION, "seed": int(seed)} | asdict(settings)
    recipe["sensor"].pop("seed")  # each take has its own
    return json.loads(json.dumps(recipe))


def _run(folder: Path, jobs: list[Job], settings: Settings, recipe: dict[str, Any], workers: int) -> Iterator[None]:
    """Make the jobs, giving a sign after each."""
    if workers <= 1:
        for job in jobs:
            _make(folder, job, settings, recipe)
            yield
        return
    with _single_threaded(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_make, folder, job, settings, recipe) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _make(folder: Path, job: Job, settings: Settings, recipe: dict[str, Any]) -> None:
    """Simulate one recording and write it; the file appears when it is whole."""
    made = simulate_sequence(job.seed, job.person, job.emotion, job.take, settings)
    metadata = made.metadata | {"settings": recipe}
    write_hdf5(folder / job.file, made.events, settings.size, frames=made.frames, metadata=metadata, overwrite=True)


def _is_whole(path: Path, recipe: dict[str, Any]) -> bool:
    """Tell whether a recording exists and can be read; one of other settings is an error."""
    if not path.exists():
        return False
    try:
        made_with = open_recording(path).metadata.get("settings")
    except RecordingError:
        return False
    if made_with != recipe:
        raise DatasetError(f"{path} was made with other settings; delete it or choose another folder")
    return True


def read_manifest(folder: Path) -> dict[str, Any]:
    """Content of the manifest, with all that is read of it checked.

    Raises :class:`DatasetError` when it is missing or of another version, and naming the key that is wrong.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DatasetError(
            f"{folder}: no {MANIFEST}, so not a (whole) EyeSim data set; make it with `snnkd data synth`"
        )
    remedy = "mend it, or delete it and generate again"
    manifest = read_json(path, remedy)
    try:
        _check_content(manifest)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}; {remedy}") from None
    if manifest["settings"]["version"] != VERSION:
        raise DatasetError(f"{path}: made by another version of EyeSim; generate again under another root")
    return manifest


def _check_content(manifest: Any) -> None:
    if _entry(manifest, "format", str) != "eyesim":
        raise DatasetError(f"format is {short(manifest['format'])}, not 'eyesim'")
    settings = _entry(manifest, "settings", dict)
    check_integers(0, **{f"{key} of settings": settings.get(key) for key in ("version", "seed")})
    Settings(**{key: settings.get(key) for key in ("size", "duration_s", "frame_rate")})
    check_integers(1, persons=manifest.get("persons"), takes=manifest.get("takes"))
    for i, sequence in enumerate(_entry(manifest, "sequences", list)):
        where = f" of sequences[{i}]"
        file = PurePath(_entry(sequence, "file", str, where))
        if file.is_absolute() or ".." in file.parts:
            raise DatasetError(f"file{where} is {str(file)!r}, which is outside of the data set")
        _entry(sequence, "person", str, where)
        try:
            emotion_index(sequence.get("emotion"))
            lighting_name(sequence.get("lighting"))
        except DatasetError as error:
            raise DatasetError(f"sequences[{i}]: {error}") from None


def _entry(holder: Any, key: str, kind: type, where: str = "") -> Any:
    """Value of ``key`` in a JSON object; an error unless it is of ``kind`` and not empty."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, kind) or not value:
        raise DatasetError(f"{key}{where} is missing or not a {kind.__name__} with content: {short(value)}")
    return value


def _check_manifest(folder: Path, recipe: dict[str, Any], persons: int, takes: int) -> None:
    if not (folder / MANIFEST).exists():
        return
    manifest = read_manifest(folder)
    other = [key for key, value in recipe.items() if manifest["settings"].get(key) != value]
    if other:
        key = other[0]
        raise DatasetError(
            f"{folder / MANIFEST}: made with {key}={manifest['settings'].get(key)!r}, asked for "
            f"{recipe[key]!r}; use the same settings or choose another folder"
        )
    if manifest["persons"] > persons or manifest["takes"] > takes:
        raise DatasetError(
            f"{folder / MANIFEST}: holds {manifest['persons']} persons and {manifest['takes']} takes, more "
            f"than the {persons} and {takes} asked for; ask for at least as many or choose another folder"
        )


def _write_manifest(folder: Path, recipe: dict[str, Any], persons: int, takes: int, jobs: list[Job]) -> None:
    sequences = [
        {
            "file": job.file,
            "person": Person(index=job.person).name,
            "emotion": job.emotion,
            "take": job.take,
            "lighting": "normal",
        }
        for job in jobs
    ]
    content = {
        "format": "eyesim",
        "settings": recipe,
        "persons": persons,
        "takes": takes,
        "sequences": sequences,
    }
    passing = folder / f".{MANIFEST}.partial"
    passing.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(passing, folder / MANIFEST)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let child processes start with one thread each: libraries read these variables when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
