"""The networks: teacher, students, and their form on disk."""

from snnkd.models.network import EyeNetwork, Output, parameter_count, predict
from snnkd.models.pretrained import ARCHITECTURES, ModelConfig, load_model, save_model
from snnkd.models.student import STUDENT_SIZES, EventStudent, FrameStudent
from snnkd.models.teacher import FrameTeacher

__all__ = [
    "ARCHITECTURES",
    "STUDENT_SIZES",
    "EventStudent",
    "EyeNetwork",
    "FrameStudent",
    "FrameTeacher",
    "ModelConfig",
    "Output",
    "load_model",
    "parameter_count",
    "predict",
    "save_model",
]
