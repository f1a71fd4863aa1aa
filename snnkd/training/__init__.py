"""Training and evaluation on Lightning. Importing this takes seconds: only commands that train do so."""

from snnkd.training.callbacks import SaveModel, TrainingProgress
from snnkd.training.data import EyeData, EyeSimData, SEEData
from snnkd.training.evaluate import Evaluation, evaluate
from snnkd.training.modules import Classification, Distillation, EmotionModule
from snnkd.training.run import train

__all__ = [
    "Classification",
    "Distillation",
    "EmotionModule",
    "Evaluation",
    "EyeData",
    "EyeSimData",
    "SEEData",
    "SaveModel",
    "TrainingProgress",
    "evaluate",
    "train",
]
