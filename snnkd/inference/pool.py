"""Recordings worked off by this process, or by several that a crash of one does not take along."""

import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from snnkd.errors import SnnkdError, SnnkdWarning, warn
from snnkd.inference.many import sharing, side_by_side
from snnkd.inference.one import Noted, Said, no_note, reason, tell_recording
from snnkd.inference.recognizer import Recognizer
from snnkd.inference.request import Request


@dataclass(frozen=True)
class Job:
    """One recording."""

    number: int
    name: str
    path: Path
    place: Path


@dataclass(frozen=True)
class Done:
    """What became of it."""

    job: Job
    said: Said | None
    """What its JSON says but for the windows; ``None`` where it failed"""
    skipped: bool = False
    failure: str = ""
    warnings: tuple[str, ...] = ()
    """Of another process, to be given here"""


Task = tuple[Recognizer, Request, dict[str, str], bool]
"""The model, what is asked, hashes of both, and whether to compute what is there"""


def work_off(
    jobs: Sequence[Job], task: Task, workers: int, noted: Callable[[Job], Noted], batch: int = 1
) -> Iterator[Done]:
    """Yield what becomes of each recording as it is done.

    Args:
        jobs: the recordings.
        task: what is done with each.
        workers: processes; 1 for this one. Each has a process of its own that is started anew where it dies, so what
            one recording does to it (out of memory, say) fails that recording alone.
        noted: told which recording begins; of several workers, or of a batch, nothing is told.
        batch: recordings that this process runs through the network together, with one worker.
    """
    if batch > 1:
        recognizer, request, known, again = task
        shared = sharing(recognizer, request.hardware, request.settings)
        of_batch = (shared, request, known, again)
        yield from side_by_side(shared, lambda job: _work(job, of_batch, no_note), jobs, batch)
        return
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield _work(job, task, noted(job))
        return
    with ThreadPoolExecutor(min(workers, len(jobs)), thread_name_prefix="snnkd-worker") as threads:
        processes: SimpleQueue[_Process] = SimpleQueue()
        every = [_Process(task, max(1, (os.cpu_count() or 1) // workers)) for _ in range(min(workers, len(jobs)))]
        for process in every:
            processes.put(process)

        def run(job: Job) -> Done:
            process = processes.get()
            try:
                return process.run(job)
            finally:
                processes.put(process)

        futures: list[Future[Done]] = [threads.submit(run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                done = future.result()
                for message in done.warnings:
                    warn(message)
                yield done
        finally:
            for future in futures:
                future.cancel()
            for process in every:
                process.close()


class _Process:
    """A process that is made when it is needed, and again where it died."""

    def __init__(self, task: Task, threads: int) -> None:
        self._task, self._threads = task, threads
        self._pool: ProcessPoolExecutor | None = None

    def run(self, job: Job) -> Done:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # forking a process with threads may hang
            self._pool = ProcessPoolExecutor(1, context, _begin, (self._task, self._threads))
        try:
            return self._pool.submit(_work_here, job).result()
        except BrokenProcessPool:
            self._pool = None
            text = f"{job.path}: the process that read it was ended from outside: out of memory, perhaps; fewer workers"
            return Done(job, None, failure=text)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


_HERE: list[Task] = []
"""Of a worker process: its task"""


def _begin(task: Task, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    _HERE[:] = [task]


def _work_here(job: Job) -> Done:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SnnkdWarning)
        done = _work(job, _HERE[0], no_note)
    messages = tuple(str(each.message) for each in told if issubclass(each.category, SnnkdWarning))
    return replace(done, warnings=messages)


def _work(job: Job, task: Task, noted: Noted) -> Done:
    recognizer, request, known, again = task
    try:
        said, skipped = tell_recording(recognizer, job.path, job.place, request, known, again, noted)
    except (SnnkdError, OSError) as error:
        return Done(job, None, failure=reason(error, job.path))
    return Done(job, said, skipped)
