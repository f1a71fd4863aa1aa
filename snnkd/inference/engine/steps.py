"""What every engine gives."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Steps(NamedTuple):
    """What a number of steps gave."""

    logits: Floats
    """``(T, K)``"""
    joules: NDArray[np.float64] | None
    """``(T,)`` energy, where hardware was given"""


class Engine(Protocol):
    """Runs a network over windows, its state in the caller's hands."""

    def rest(self) -> Any:
        """Return the state at rest."""

    def run(self, bins: NDArray[Any], state: Any) -> Steps:
        """Run over counts ``(T, 2, H, W)``; ``state`` is changed into that after the last step."""
