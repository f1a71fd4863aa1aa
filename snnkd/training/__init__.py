"""Training on Lightning, and the evaluation protocol, which does without it.

What is exported here is loaded on first use: Lightning takes seconds, and only what trains brings it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnkd.training.augmentation import Augmentation
    from snnkd.training.callbacks import SaveModel, TrainingProgress
    from snnkd.training.data import EyeData
    from snnkd.training.data_modules import EyeSimData, FolderData, SEEData
    from snnkd.training.distillation import Distillation
    from snnkd.training.evaluation import Evaluation, evaluate
    from snnkd.training.modules import Classification, EmotionModule
    from snnkd.training.run import train

_HOME = {
    "Augmentation": "augmentation",
    "Classification": "modules",
    "Distillation": "distillation",
    "EmotionModule": "modules",
    "Evaluation": "evaluation",
    "EyeData": "data",
    "EyeSimData": "data_modules",
    "FolderData": "data_modules",
    "SEEData": "data_modules",
    "SaveModel": "callbacks",
    "TrainingProgress": "callbacks",
    "evaluate": "evaluation",
    "train": "run",
}

__all__ = [
    "Augmentation",
    "Classification",
    "Distillation",
    "EmotionModule",
    "Evaluation",
    "EyeData",
    "EyeSimData",
    "FolderData",
    "SEEData",
    "SaveModel",
    "TrainingProgress",
    "evaluate",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
