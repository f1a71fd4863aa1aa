"""Keeping freed memory in the process, so that every training step does not pay for its pages again.

glibc hands large blocks back to the kernel as soon as they are freed, and the next block of that size comes as fresh
pages: each is mapped and cleared at its first touch, which for activations of some MiB takes longer than computing
them. With mapping off and trimming off, freed blocks stay in the heap and are used again, for convolutions and every
other operation alike. (glibc manual, "Malloc Tunable Parameters".)
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's M_TRIM_THRESHOLD and M_MMAP_MAX


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; training does so by itself.

    The process' size then stays at its peak until it ends. It changes nothing on CUDA, whose allocator keeps memory
    anyway, and nothing where another allocator than glibc's is in use.

    Returns:
        Whether there was a glibc to tell.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # A negative trim threshold is the largest one: never trim.
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
