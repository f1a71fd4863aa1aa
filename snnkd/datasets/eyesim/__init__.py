"""EyeSim: a simulated single eye that shows emotions to a simulated event camera.

:func:`render` draws one instant, :func:`simulate_sequence` and :func:`simulate_session` make recordings,
:func:`generate` makes a data set and :class:`EyeSim` reads it.
"""

from typing import TYPE_CHECKING, Any

from snnkd.datasets.eyesim.generation import generate
from snnkd.datasets.eyesim.geometry import Light
from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.renderer import render, render_many
from snnkd.datasets.eyesim.sequence import Simulated, simulate_sequence, simulate_session
from snnkd.datasets.eyesim.settings import Settings
from snnkd.datasets.eyesim.state import State

if TYPE_CHECKING:
    from snnkd.datasets.eyesim.dataset import EyeSim

__all__ = [
    "EyeSim",
    "Light",
    "Person",
    "Settings",
    "Simulated",
    "State",
    "generate",
    "render",
    "render_many",
    "simulate_sequence",
    "simulate_session",
]


def __getattr__(name: str) -> Any:
    # The dataset needs torch and the simulator does not: a process that only draws does not load it.
    if name != "EyeSim":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from snnkd.datasets.eyesim.dataset import EyeSim

    return EyeSim
