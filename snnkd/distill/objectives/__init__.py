"""Objectives of distillation, one file each: a pure function of the file's name, and a module where it learns."""

from collections.abc import Callable

from torch import Tensor

from snnkd.distill.objectives import feature_hint, kd

LOGIT_OBJECTIVES: dict[str, Callable[..., Tensor]] = {"kd": kd.kd}
"""Objectives on logits: ``(student_logits, teacher_logits, *, ...) -> scalar``."""

FEATURE_OBJECTIVES: dict[str, Callable[..., Tensor]] = {"feature_hint": feature_hint.feature_hint}
"""Objectives on features, after a projector: ``(student_features, teacher_features, *, ...) -> scalar``."""

__all__ = ["FEATURE_OBJECTIVES", "LOGIT_OBJECTIVES", "feature_hint", "kd"]
