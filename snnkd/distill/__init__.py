"""Distillation: objectives as pure functions, and the distiller that joins them."""

from snnkd.distill import objectives
from snnkd.distill.conflict import project_conflicts
from snnkd.distill.curriculum import Curriculum
from snnkd.distill.distiller import Distiller, Step
from snnkd.distill.objective import DEFAULT_OBJECTIVES, Objective
from snnkd.distill.teacher_cache import TeacherCache
from snnkd.distill.weighting import LearnedWeights

__all__ = [
    "DEFAULT_OBJECTIVES",
    "Curriculum",
    "Distiller",
    "LearnedWeights",
    "Objective",
    "Step",
    "TeacherCache",
    "objectives",
    "project_conflicts",
]
