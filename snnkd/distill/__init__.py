"""Distillation: objectives as pure functions, and the distiller that joins them."""

from snnkd.distill import objectives
from snnkd.distill.distiller import DEFAULT_OBJECTIVES, Distiller, Objective

__all__ = ["DEFAULT_OBJECTIVES", "Distiller", "Objective", "objectives"]
