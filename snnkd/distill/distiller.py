"""The distiller: one frozen teacher, one student, and the objectives that tie them together."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.distill.objectives import FEATURE_OBJECTIVES, LOGIT_OBJECTIVES
from snnkd.distill.objectives.feature_hint import Projector
from snnkd.errors import ConfigError
from snnkd.models.network import EyeNetwork, predict


@dataclass(frozen=True)
class Objective:
    """One term of the loss, as YAML names it.

    Args:
        name: of :data:`~snnkd.distill.objectives.LOGIT_OBJECTIVES` or ``FEATURE_OBJECTIVES``.
        weight: its factor in the sum, zero or above.
        student_feature: for a feature objective, the student's feature (``student.feature_shapes`` lists them).
        teacher_feature: likewise the teacher's.
        options: keyword arguments of the objective, such as ``temperature`` of ``kd``.
    """

    name: str
    weight: float = 1.0
    student_feature: str | None = None
    teacher_feature: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


DEFAULT_OBJECTIVES = (
    Objective("kd", weight=1.0, options={"temperature": 3.0}),
    Objective("feature_hint", weight=1.0, student_feature="stage4", teacher_feature="stage4"),
)


class Distiller(nn.Module):
    r"""Feature and logit distillation as one loss:

    .. math::

        \mathcal L = \lambda\,\mathrm{CE}(\bar z_s, y) + \sum_i w_i\,\mathcal L_i

    The teacher is frozen, in evaluation mode whatever mode the distiller is in, and not part of ``state_dict``;
    projectors are parameters of this module, so the optimiser that is given ``distiller.parameters()`` trains them.

    Args:
        teacher: a trained network on any modality.
        student: the network to train.
        objectives: terms beside the labels.
        label_weight: :math:`\lambda`.
        label_smoothing: of the cross-entropy.

    Raises:
        ConfigError: before anything runs, naming the entry of ``objectives`` that cannot work.
    """

    def __init__(
        self,
        teacher: EyeNetwork,
        student: EyeNetwork,
        objectives: tuple[Objective, ...] | list[Objective] = DEFAULT_OBJECTIVES,
        label_weight: float = 1.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if teacher.classes != student.classes:
            raise ConfigError(f"teacher: tells {teacher.classes} classes apart, the student {student.classes}")
        if label_weight < 0:
            raise ConfigError(f"label_weight: must be zero or above, got {label_weight}")
        for number, objective in enumerate(objectives):
            _check(f"objectives[{number}]", objective, teacher, student)
        # In a tuple, so that the teacher is no submodule: not trained, not saved, not switched to training mode.
        self._teacher = (teacher.eval().requires_grad_(False),)
        self.student = student
        self.objectives = tuple(objectives)
        self.label_weight = label_weight
        self.label_smoothing = label_smoothing
        self.projectors = nn.ModuleDict()
        for number, objective in enumerate(self.objectives):
            if objective.name in FEATURE_OBJECTIVES:
                try:
                    self.projectors[str(number)] = Projector(
                        student.feature_shapes[objective.student_feature or ""],
                        teacher.feature_shapes[objective.teacher_feature or ""],
                    )
                except ValueError as error:
                    raise ConfigError(f"objectives[{number}]: {error}") from None

    @property
    def teacher(self) -> EyeNetwork:
        """The frozen teacher."""
        return self._teacher[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Distiller":
        # The teacher follows to another device or dtype although it is no submodule.
        self.teacher._apply(fn, recurse)
        super()._apply(fn, recurse)
        return self

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Return the loss, its terms by name, and the student's logits ``(T, B, K)``.

        ``batch`` holds time-major ``events (T,B,2,H,W)``, ``frames (T,B,1,H,W)`` and ``labels (B,)``.
        """
        student = self.student.run(batch[self.student.modality])
        with torch.no_grad():
            self.teacher.eval()
            teacher = self.teacher.run(batch[self.teacher.modality])
        label = functional.cross_entropy(predict(student.logits), batch["labels"], label_smoothing=self.label_smoothing)
        terms = {"label": label}
        loss = self.label_weight * label
        for number, objective in enumerate(self.objectives):
            if objective.name in LOGIT_OBJECTIVES:
                function = LOGIT_OBJECTIVES[objective.name]
                term = function(student.logits, predict(teacher.logits), **objective.options)
            else:
                projected = self.projectors[str(number)](student.features[objective.student_feature or ""])
                target = teacher.features[objective.teacher_feature or ""].mean(0)
                term = FEATURE_OBJECTIVES[objective.name](projected, target, **objective.options)
            terms[objective.name if objective.name not in terms else f"{objective.name}_{number}"] = term
            loss = loss + objective.weight * term
        return loss, terms, student.logits


def _check(key: str, objective: Objective, teacher: EyeNetwork, student: EyeNetwork) -> None:
    known = {**LOGIT_OBJECTIVES, **FEATURE_OBJECTIVES}
    if objective.name not in known:
        raise ConfigError(f"{key}.name: {objective.name!r} is no objective, choose from {', '.join(known)}")
    if not objective.weight >= 0:
        raise ConfigError(f"{key}.weight: must be zero or above, got {objective.weight}")
    if objective.name in FEATURE_OBJECTIVES:
        for role, network in (("student", student), ("teacher", teacher)):
            feature = getattr(objective, f"{role}_feature")
            if feature not in network.feature_shapes:
                offered = ", ".join(network.feature_shapes)
                raise ConfigError(f"{key}.{role}_feature: {feature!r} is not among the {role}'s features ({offered})")
    allowed = {
        name
        for name, parameter in inspect.signature(known[objective.name]).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    if unknown := sorted(set(objective.options) - allowed):
        raise ConfigError(
            f"{key}.options: {objective.name} takes {', '.join(sorted(allowed)) or 'none'}, not {unknown[0]!r}"
        )
    shapes = ((1, 1, 2), (1, 2)) if objective.name in LOGIT_OBJECTIVES else ((1, 2), (1, 2))
    try:
        known[objective.name](*map(torch.zeros, shapes), **objective.options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}.options: {error}") from None
