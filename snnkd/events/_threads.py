"""How many threads a kernel runs on, and running it on them; for the recordings too.

Kernels here release the interpreter's lock and know nothing of threads, so a few Python threads run them. Numba's
own parallel loops are not used: their thread layer does not survive ``fork()``, and data loaders fork.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_worker() -> bool:
    """Whether this is a worker process, forked or spawned: the workers fill the cores already."""
    return multiprocessing.parent_process() is not None


def threads() -> int:
    """Threads for one call: torch's number where torch is loaded, else Numba's; never more than this process may use.

    One in a worker process.
    """
    if in_worker():
        return 1
    torch = sys.modules.get("torch")
    if torch is not None:
        wanted = torch.get_num_threads()
    else:
        from numba.core import config

        # The number alone: asking Numba for it would start its thread layer.
        wanted = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(wanted, allowed))


@cache
def _pool(process: int, helpers: int) -> ThreadPoolExecutor:
    # By process, as a child of fork() inherits the pool's state without its threads.
    return ThreadPoolExecutor(helpers, thread_name_prefix="snnkd-kernel")


def run(tasks: Sequence[Callable[[], Result]], count: int) -> list[Result]:
    """Results of ``tasks`` in order, worked off by ``count`` threads, the caller's among them.

    Returns, or raises a task's error, only when no thread works on them any more: they write into arrays that the
    caller may then change.
    """
    if count == 1 or len(tasks) <= 1:
        return [task() for task in tasks]
    results: list[Any] = [None] * len(tasks)
    queue = iter(range(len(tasks)))

    def work() -> None:
        for i in queue:  # shared: each number goes to one thread
            results[i] = tasks[i]()

    helpers = min(count, len(tasks)) - 1
    others: list[Future[None]] = []
    try:
        for _ in range(helpers):
            others.append(_pool(os.getpid(), helpers).submit(work))
        work()
    finally:
        _outlast(others)
    for other in others:
        if not other.cancelled():
            other.result()
    return results


def _outlast(others: Sequence[Future[None]]) -> None:
    """Wait until none works any more, through interrupts, of which the last is raised then.

    One that has not begun finds nothing left to do: on a machine whose cores are busy it may take milliseconds until
    it has found that, so it is not waited for.
    """
    try:
        wait([other for other in others if not other.cancel()])
    except BaseException:
        _outlast(others)
        raise
