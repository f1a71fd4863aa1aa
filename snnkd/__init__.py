"""snnkd: emotions from one eye, with a spiking student that learns from a frame teacher.

The names below are loaded when first used, so that ``import snnkd`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnkd import datasets, distill, energy, events, inference, models, recordings, spiking, training
    from snnkd.inference import Recognizer, Timeline, load
    from snnkd.recordings import SensorModel, open_recording, simulate_events

__version__ = "0.1.0"

_FLOORS = ("datasets", "distill", "energy", "events", "inference", "models", "recordings", "spiking", "training")
_NAMES = {
    "Recognizer": "inference",
    "SensorModel": "recordings",
    "Timeline": "inference",
    "load": "inference",
    "open_recording": "recordings",
    "simulate_events": "recordings",
}

__all__ = [
    "Recognizer",
    "SensorModel",
    "Timeline",
    "datasets",
    "distill",
    "energy",
    "events",
    "inference",
    "load",
    "models",
    "open_recording",
    "recordings",
    "simulate_events",
    "spiking",
    "training",
]


def __getattr__(name: str) -> Any:
    if name in _FLOORS:
        return import_module(f"snnkd.{name}")
    if name in _NAMES:
        value = getattr(import_module(f"snnkd.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'snnkd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
