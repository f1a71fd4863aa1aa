"""Running a kernel on torch's own threads.

A kernel is a compiled function ``void (int64* arguments)`` that takes tiles off a counter among its arguments, until
none is left. It is started on every thread of the OpenMP team that torch's own operations run on. A second team
(Numba's, or a Python pool) would compete with torch's: its threads keep spinning for a while after each operation, and
on two cores that made a 3 ms kernel take 8.
"""

import ctypes
import os
import re
from array import array
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any

import torch

from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.steps import LANES, SCRATCH

MIN_PARALLEL = 1 << 15
"""Neuron-steps below which waking a second thread costs more than it brings."""


@cache
def _openmp(process: int) -> Callable[[int, int, int, int], None] | None:
    """Return the loaded OpenMP runtime's ``GOMP_parallel`` (GNU's, or LLVM's and Intel's stand-in), if there is one."""
    try:
        with open("/proc/self/maps") as maps:
            loaded = {line.split(maxsplit=5)[5].strip() for line in maps if re.search(r"/lib[gi]?omp[^/]*\.so", line)}
    except OSError:
        return None
    # torch's own library first, in case another package brought a second one.
    for path in sorted(loaded, key=lambda p: os.path.dirname(torch.__file__) not in p):
        try:
            parallel = ctypes.CDLL(path).GOMP_parallel
        except (OSError, AttributeError):
            continue  # replaced on disk since it was loaded, or another library of such a name
        parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        parallel.restype = None
        return parallel
    return None


_ZEROS = array("q", bytes(8 * w.COUNTERS))


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="snnkd")


_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_after_fork)


def run(kernel: Any, a: "array[int]", size: int, dtype: torch.dtype = torch.float32, rows: int = 0) -> None:
    """Run a compiled ``kernel`` over its tiles; ``size`` neuron-steps decide whether in parallel.

    Each thread has scratch of the state's ``dtype``, and ``rows`` of membranes of a tile's width.
    """
    threads = max(1, min(torch.get_num_threads(), a[w.CHUNKS])) if size >= MIN_PARALLEL else 1
    # Allocated here and not in the kernel, so that a failure is torch's error.
    tile, size_of_all = a[w.TILE], threads * SCRATCH
    scratch = torch.empty(size_of_all + threads * rows * (tile + LANES), dtype=dtype, device="cpu")
    place = scratch.data_ptr()
    a[: w.COUNTERS] = _ZEROS
    a[w.SCRATCH], a[w.MEMBRANES] = place, place + size_of_all * dtype.itemsize
    if not a[w.GRAD]:
        silence = torch.zeros(tile, dtype=dtype, device="cpu")
        a[w.SILENCE] = silence.data_ptr()
    address, _ = a.buffer_info()
    if threads == 1 or _forked:
        # A child of fork() inherits the runtime's state but not its threads: entering a team would wait for them.
        kernel.ctypes(address)
    elif (parallel := _openmp(os.getpid())) is not None:
        parallel(kernel.address, address, threads, 0)
    else:
        _on_pool(kernel.ctypes, address, threads)


def _on_pool(function: Callable[[int], None], address: int, threads: int) -> None:
    """Call ``function(address)`` on this thread and on those of a pool.

    Whatever happens, the memory at ``address`` outlives all calls: none is running when this returns or raises, and
    none begins afterwards.
    """
    # Made here and not by the pool, which queues a call before it finds out that it cannot start another thread.
    others: list[Future[None]] = [Future() for _ in range(threads - 1)]
    try:
        for future in others:
            _pool(os.getpid(), threads - 1).submit(_call, future, function, address)
        function(address)
    finally:
        _finish(others)


def _call(future: "Future[None]", function: Callable[[int], None], address: int) -> None:
    if future.set_running_or_notify_cancel():
        try:
            function(address)
        finally:
            future.set_result(None)


def _finish(futures: "list[Future[None]]") -> None:
    """Cancel what has not begun, and wait for what has; an interruption by the user waits, too."""
    interruption = None
    while True:
        try:
            wait([future for future in futures if not future.cancel()])
            break
        except KeyboardInterrupt as error:
            interruption = error
    if interruption is not None:
        raise interruption
