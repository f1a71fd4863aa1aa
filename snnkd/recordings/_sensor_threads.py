"""Running the sensor model's kernels on blocks of pixels side by side, safely in a child of fork() too."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of this process: a child of fork() has none of its parent's."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="snnkd-sensor")


def run(calls: Sequence[tuple[Any, tuple[Any, ...]]]) -> list[Any]:
    """Results of kernels that let go of the interpreter, the first run here and each of the others in a thread."""
    if len(calls) > 1:
        others = [_pool(os.getpid()).submit(kernel, *arguments) for kernel, arguments in calls[1:]]
        try:
            first = calls[0][0](*calls[0][1])
        finally:
            wait(others)  # whatever happens, no thread may go on writing
        return [first, *(other.result() for other in others)]
    return [kernel(*arguments) for kernel, arguments in calls]
