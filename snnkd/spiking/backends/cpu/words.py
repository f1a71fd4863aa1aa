"""How kernels get their arguments, and how they are compiled.

A kernel takes one pointer to 64-bit words: addresses, sizes, and the bits of floating-point numbers (those from
``SURROGATE_WIDTH`` to ``EPS``). It is a Numba ``cfunc``, compiled at its first use and kept on disk. Numba files
what it keeps under a function's own source file and closure, and not under the functions that it calls: the digest of
this folder therefore is a part of every kernel's closure. What else is there are plain values and classes, so that the
key is the same in every process.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import cfunc, njit, types

compiled = njit(nogil=True, error_model="numpy")
# Numba leaves its counting of references in a loop whose body branches. Nothing is allocated in these.
_step: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
step = njit(forceinline=True, **_step)
"""For the body of a loop, compiled for one neuron and for a vector of them."""
loop = njit(**_step)
"""For a loop over such a body."""
summing = njit(nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})
"""For sums whose order may be chosen, so that they become vector code."""


def kernel(function: Callable[[int], None]) -> Any:
    """Compile a kernel, or get it from disk."""
    signature = types.void(types.voidptr)
    timer = threading.Timer(2.0, _say_that_it_compiles)
    timer.daemon = True
    timer.start()
    try:
        return cfunc(signature, cache=True)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        # No folder to be had that could be written to: compiled anew in each process.
        return cfunc(signature)(function)
    finally:
        timer.cancel()


@cache
def _say_that_it_compiles() -> None:
    logging.getLogger("snnkd").warning(
        "compiling the CPU kernels that are used for the first time on this machine; each takes some seconds, once"
    )


SOURCES = int.from_bytes(
    hashlib.sha256(b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py")))).digest()[:6]
)
"""Digest of this folder's sources: what is kept on disk serves these only."""

PHASES = 3
"""Times that the threads of a kernel may take tiles, each when all before have been finished."""

SLOTS, TAKEN, FINISHED, READY = 0, 1, 1 + PHASES, 1 + 2 * PHASES
"""Counters, which every run begins by setting to zero: threads that came, and for each phase chunks taken, chunks
finished, and whether what follows from all of them is there."""
COUNTERS = 1 + 3 * PHASES
"""How many words these are, the first ones."""

(
    DIGEST, STEPS, NEURONS, TILE, PERIOD, SAMPLES, CHUNK, CHUNKS, INNER, CHANNELS,
    FIRES, DELAYED, NOT_FINITE, NOT_BINARY, LEARN_NEURON, LEARN_AFFINE, SCALED, FAR,
    SURROGATE_WIDTH, C_SUBTRACT, C_ZERO, C_ATTACHED, EPS,
    X, OUT, STATE, STATE_OUT, BETA, THRESHOLD, MEAN, SCALE, BIAS, GRAD, GRAD_STATE, GRAD_X, GRAD_STATE_IN,
    WEIGHT, VARIANCE, SUM_BETA, SUM_THRESHOLD, SUM_SCALE, SUM_BIAS, TOTALS, BITS, SCRATCH, MEMBRANES, SILENCE,
) = range(COUNTERS, COUNTERS + 47)  # fmt: skip
WORDS = COUNTERS + 47
