"""Keeping freed memory in the process, so that every training step does not pay for its pages again.

glibc hands large blocks back to the kernel as soon as they are freed, and the next block of that size comes as fresh
pages: each is mapped and cleared at its first touch, which for activations of some MiB takes longer than computing
them. With mapping off and trimming off, freed blocks stay in the heap and are used again, for convolutions and every
other operation alike. (glibc manual, "Malloc Tunable Parameters".)

The heap is then grown once, by addresses and not by memory, and the kernel is asked to back what is touched of it with
huge pages: far fewer first touches, and rows of a tensor that lie megabytes apart no longer cost a walk through the
page tables each. (Linux ``Documentation/admin-guide/mm/transhuge.rst``; ``madvise(2)``.)
"""

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's M_TRIM_THRESHOLD and M_MMAP_MAX
_MADV_HUGEPAGE = 14  # Linux's
_HUGE = 2 << 20
_LEAST = 256 << 20


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; training does so by itself.

    The process' size then stays at its peak until it ends; its addresses, not its memory, grow by up to a quarter of
    the machine's. It changes nothing on CUDA, whose allocator keeps memory anyway, and nothing where another allocator
    than glibc's is in use. Call it from the main thread.

    Returns:
        Whether there was a glibc to tell.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    mallopt = getattr(libc, "mallopt", None)
    # A negative trim threshold is the largest one: never trim.
    if mallopt is None or not mallopt(_MMAP_MAX, 0) or not mallopt(_TRIM_THRESHOLD, -1):
        return False
    _grow_heap(libc)
    return True


def _grow_heap(libc: ctypes.CDLL) -> None:
    """Grow the heap by a quarter of the memory that there is, untouched, and ask for huge pages in it.

    Where the kernel holds a process to the addresses that it asked for, and where another allocator answers, or one of
    glibc's for other threads, nothing is grown.
    """
    if _addresses_are_counted() or (size := _memory() // 4) < _LEAST:
        return
    for name, result, arguments in (
        ("malloc", ctypes.c_void_p, [ctypes.c_size_t]),
        ("free", None, [ctypes.c_void_p]),
        ("sbrk", ctypes.c_void_p, [ctypes.c_ssize_t]),
        ("madvise", ctypes.c_int, [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]),
    ):
        getattr(libc, name).restype, getattr(libc, name).argtypes = result, arguments
    place = libc.malloc(size)
    if not place:
        return
    if place + size <= (libc.sbrk(0) or 0):  # in the heap proper
        first = -(-place // _HUGE) * _HUGE
        # Without huge pages in this kernel it says so, and nothing is lost.
        libc.madvise(first, (place + size - first) // _HUGE * _HUGE, _MADV_HUGEPAGE)
    libc.free(place)  # it stays in the heap: nothing is trimmed


def _addresses_are_counted() -> bool:
    """Whether what is asked for and never touched is taken from others (``vm.overcommit_memory`` 2)."""
    try:
        return Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "2"
    except OSError:
        return True  # cannot be told: carefully, then


def _memory() -> int:
    """Return the bytes of the machine, or those that this process may have addresses for."""
    import resource  # where there is Linux

    bounds = [resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *(bound for bound in bounds if bound != resource.RLIM_INFINITY)])
