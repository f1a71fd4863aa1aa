"""The networks: teacher, students, and their form on disk."""

from snnkd.models.fusion import FusionTeacher
from snnkd.models.network import EyeNetwork, Output, parameter_count, predict
from snnkd.models.pretrained import ARCHITECTURES, ModelConfig, load_model, save_model
from snnkd.models.seen import SEEN
from snnkd.models.seen_network import SEENNetwork
from snnkd.models.student import STUDENT_SIZES, EventStudent, FrameStudent
from snnkd.models.teacher import FrameTeacher
from snnkd.models.timm_teacher import TimmTeacher

__all__ = [
    "ARCHITECTURES",
    "SEEN",
    "STUDENT_SIZES",
    "EventStudent",
    "EyeNetwork",
    "FrameStudent",
    "FrameTeacher",
    "FusionTeacher",
    "ModelConfig",
    "Output",
    "SEENNetwork",
    "TimmTeacher",
    "load_model",
    "parameter_count",
    "predict",
    "save_model",
]
