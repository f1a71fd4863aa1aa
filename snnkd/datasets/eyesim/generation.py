"""Making a synthetic data set on disk: takes of many persons, as recordings or in SEE's layout.

``layout="recordings"`` writes HDF5 files with events and frames and ``eyesim.json``
(:mod:`snnkd.datasets.eyesim.as_recordings`), ``layout="see"`` folders of JPG images and ``emotion.json``
(:mod:`snnkd.datasets.eyesim.as_see`). The JSON file is written last, so a data set that has it is a whole one. Takes
appear when they are complete; a run that was stopped is continued by calling :func:`generate` again with the same
settings.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from snnkd.datasets.checks import check_integers
from snnkd.datasets.eyesim.as_recordings import AsRecordings
from snnkd.datasets.eyesim.as_see import AsSEE
from snnkd.datasets.eyesim.jobs import Job, Layout, plan
from snnkd.datasets.eyesim.settings import VERSION, Settings
from snnkd.datasets.labels import LIGHTINGS, lighting_name
from snnkd.errors import DatasetError

LAYOUTS = ("recordings", "see")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def generate(
    root: str | os.PathLike[str],
    *,
    persons: int = 10,
    takes: int = 4,
    seed: int = 0,
    lightings: Sequence[str] = LIGHTINGS,
    layout: str = "recordings",
    settings: Settings | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    **changes: Any,
) -> Path:
    """Make ``persons`` x 7 emotions x ``takes`` takes under ``root`` and return ``root`` as a path.

    Each take is in one of ``lightings``, dealt over persons and takes alike for all emotions
    (:func:`snnkd.datasets.eyesim.jobs.plan`). ``settings`` and ``changes`` are those of
    :func:`snnkd.datasets.eyesim.sequence.simulate_sequence`. ``workers`` processes share the work; with 1 none is
    started. They are spawned, so a script that calls this needs the ``if __name__ == "__main__"`` guard.
    ``progress(done, total)`` is called after each take, and once at the start.

    Takes that exist, are whole and were made with the same settings are kept: a second call makes
    nothing anew, and a call with more persons or takes adds to the data set. Raises :class:`DatasetError`
    when ``root`` holds takes of other settings, more persons or takes than asked for, or cannot be
    written, and for an unknown lighting or layout.
    """
    settings = replace(settings or Settings(), **changes)
    check_integers(1, persons=persons, takes=takes, workers=workers)
    check_integers(0, seed=seed)
    lights = [lighting_name(name) for name in lightings]
    if not lights or len(set(lights)) < len(lights):
        raise DatasetError(
            f"lightings is {list(lightings)!r}; it must name one or more of {', '.join(LIGHTINGS)}, each once"
        )
    folder = Path(root)
    target = _layout(layout, folder, settings, make_recipe(seed, lights, settings))
    target.check(persons, takes)
    jobs = plan(persons, takes, seed, lights)
    try:
        target.prepare(jobs)
        missing = [job for job in jobs if not target.is_whole(job)]
        done = len(jobs) - len(missing)
        if progress:
            progress(done, len(jobs))
        for _ in _run(target, missing, min(workers, len(missing))):
            done += 1
            if progress:
                progress(done, len(jobs))
        target.finish(persons, takes, jobs)
    except OSError as error:
        raise DatasetError(
            f"{folder}: cannot write the data set: {error}; free space or choose another folder"
        ) from error
    return folder


def _layout(name: str, folder: Path, settings: Settings, recipe: dict[str, Any]) -> Layout:
    if name == "recordings":
        return AsRecordings(folder, settings, recipe)
    if name == "see":
        return AsSEE(folder, settings, recipe)
    raise DatasetError(f"unknown layout {name!r}; it must be one of {', '.join(LAYOUTS)}")


def make_recipe(seed: int, lightings: list[str], settings: Settings) -> dict[str, Any]:
    """Everything that a data set depends on besides its size, as JSON gives it back."""
    recipe: dict[str, Any] = {"version": VERSION, "seed": int(seed), "lightings": lightings} | asdict(settings)
    recipe["sensor"].pop("seed")  # each take has its own
    return json.loads(json.dumps(recipe))


def _run(target: Layout, jobs: list[Job], workers: int) -> Iterator[None]:
    """Make the jobs, giving a sign after each."""
    if workers <= 1:
        for job in jobs:
            target.make(job)
            yield
        return
    with _single_threaded(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(target.make, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


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
