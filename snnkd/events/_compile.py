"""Compiling kernels: kept on disk where a folder can be written to, and anew in each process where none can.

Numba keeps compiled code beside its source, or in the user's cache, or in ``NUMBA_CACHE_DIR``, and refuses to compile
where it can write to none of these, as in a read-only installation without a home folder.
"""

from collections.abc import Callable
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Any], Any]:
    """``numba.njit`` with ``options``; of ``cache`` nothing comes where there is no place for it."""

    def compiled(function: Any) -> Any:
        try:
            return numba.njit(**options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return numba.njit(**{**options, "cache": False})(function)

    return compiled
