"""The distiller: one frozen teacher, one student, and the objectives that tie them together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.distill.objectives import OBJECTIVES, Shapes, Term, View
from snnkd.errors import ConfigError
from snnkd.models.network import EyeNetwork, predict


@dataclass(frozen=True)
class Objective:
    """One term of the loss, as YAML names it.

    Args:
        name: of :data:`~snnkd.distill.objectives.OBJECTIVES`.
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
    what objectives learn (projectors, experts) are parameters of this module, so the optimiser that is given
    ``distiller.parameters()`` trains them.

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
        # In a tuple, so that the teacher is no submodule: not trained, not saved, not switched to training mode.
        self._teacher = (teacher.eval().requires_grad_(False),)
        self.student = student
        self.objectives = tuple(objectives)
        self.label_weight = label_weight
        self.label_smoothing = label_smoothing
        self.terms = nn.ModuleList(
            _term(f"objectives[{number}]", objective, teacher, student) for number, objective in enumerate(objectives)
        )

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
        student = self.student.run(self.student.take(batch))
        with torch.no_grad():
            self.teacher.eval()
            teacher = self.teacher.run(self.teacher.take(batch))
        label = functional.cross_entropy(predict(student.logits), batch["labels"], label_smoothing=self.label_smoothing)
        terms = {"label": label}
        loss = self.label_weight * label
        for number, (objective, term) in enumerate(zip(self.objectives, self.terms, strict=True)):
            value = term(
                View(
                    student.logits,
                    teacher.logits,
                    batch["labels"],
                    student.features.get(objective.student_feature or ""),
                    teacher.features.get(objective.teacher_feature or ""),
                )
            )
            terms[objective.name if objective.name not in terms else f"{objective.name}_{number}"] = value
            loss = loss + objective.weight * value
        return loss, terms, student.logits


def _term(key: str, objective: Objective, teacher: EyeNetwork, student: EyeNetwork) -> Term:
    """Build an objective's term, or say what cannot work."""
    if objective.name not in OBJECTIVES:
        raise ConfigError(f"{key}.name: {objective.name!r} is no objective, choose from {', '.join(OBJECTIVES)}")
    if not objective.weight >= 0:
        raise ConfigError(f"{key}.weight: must be zero or above, got {objective.weight}")
    kind = OBJECTIVES[objective.name]
    shapes: dict[str, tuple[int, ...]] = {}
    for role, network in (("student", student), ("teacher", teacher)):
        feature = getattr(objective, f"{role}_feature")
        if not kind.features:
            if feature is not None:
                raise ConfigError(f"{key}.{role}_feature: {objective.name} looks at logits and not at features")
        elif feature not in network.feature_shapes:
            offered = ", ".join(network.feature_shapes)
            raise ConfigError(f"{key}.{role}_feature: {feature!r} is not among the {role}'s features ({offered})")
        else:
            shapes[role] = network.feature_shapes[feature]
    allowed = kind.options()
    if unknown := sorted(set(objective.options) - set(allowed)):
        raise ConfigError(
            f"{key}.options: {objective.name} takes {', '.join(sorted(allowed)) or 'none'}, not {unknown[0]!r}"
        )
    try:
        term = kind(Shapes(student.classes, shapes.get("student"), shapes.get("teacher")), **objective.options)
        _try(term)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}: {error}") from None
    return term


@torch.no_grad()
def _try(term: Term) -> None:
    """Run a term once on zeros, so that what it refuses is refused before a training starts."""
    shapes = term.shapes

    def zeros(shape: tuple[int, ...] | None) -> Tensor | None:
        return None if shape is None else torch.zeros(1, 2, *shape)

    logits, labels = torch.zeros(1, 2, shapes.classes), torch.zeros(2, dtype=torch.long)
    training = term.training
    with torch.random.fork_rng(devices=[]):
        term.eval()(View(logits, logits, labels, zeros(shapes.student), zeros(shapes.teacher)))
    term.train(training)
