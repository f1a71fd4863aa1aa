"""One term of the loss, as YAML names it, and the module that is built of it."""

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from snnkd.distill.objectives import OBJECTIVES, Shapes, Term, View
from snnkd.errors import ConfigError
from snnkd.models.network import EyeNetwork


@dataclass(frozen=True)
class Objective:
    """One term of the loss, as YAML names it.

    Args:
        name: of :data:`~snnkd.distill.objectives.OBJECTIVES`, or ``module.Class`` of a
            :class:`~snnkd.distill.objectives.term.Term` of one's own.
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


def hint(student_feature: str, teacher_feature: str, weight: float = 1.0) -> Objective:
    """Return a feature hint at every time step, in shares of the teacher's variance."""
    options = {"per_step": True, "relative": True}
    return Objective("feature_hint", weight, student_feature, teacher_feature, options)


DEFAULT_OBJECTIVES = (
    Objective("kd", weight=1.0, options={"temperature": 3.0}),
    hint("stage3", "stage3"),
    hint("stage4", "stage4"),
    hint("stage4", "embedding"),
)
"""Logits, the last two stages' maps and the embedding, as they change over time"""


def names_of(objectives: Sequence[Objective]) -> list[str]:
    """Each objective's name; of several with one name each gets its features, or its number, too."""
    plain = [objective.name.rpartition(".")[2] for objective in objectives]
    names: list[str] = []
    for number, (name, objective) in enumerate(zip(plain, objectives, strict=True)):
        if plain.count(name) > 1 and objective.student_feature is not None:
            name += f"_{objective.student_feature}_{objective.teacher_feature}"
        names.append(f"{name}_{number}" if name in names else name)
    return names


def term_class(key: str, name: str) -> type[Term]:
    """Return the class that a name stands for: one of ours, or one that is imported."""
    if name in OBJECTIVES:
        return OBJECTIVES[name]
    module, _, cls = name.rpartition(".")
    if not module:
        known = ", ".join(OBJECTIVES)
        raise ConfigError(f"{key}.name: {name!r} is no objective, choose from {known}, or give MODULE.CLASS of yours")
    try:
        found = getattr(importlib.import_module(module), cls)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{key}.name: {name!r} cannot be imported ({error}): its module must lie where Python looks, "
            "such as a folder in PYTHONPATH"
        ) from None
    if not (inspect.isclass(found) and issubclass(found, Term)):
        raise ConfigError(f"{key}.name: {name!r} is no subclass of snnkd.distill.objectives.Term")
    return found


def build_term(key: str, objective: Objective, teacher: EyeNetwork, student: EyeNetwork) -> Term:
    """Build an objective's term, or say what cannot work."""
    kind = term_class(key, objective.name)
    if not objective.weight >= 0:
        raise ConfigError(f"{key}.weight: must be zero or above, got {objective.weight}")
    shapes: dict[str, tuple[int, ...]] = {}
    for role, network in (("student", student), ("teacher", teacher)):
        feature = getattr(objective, f"{role}_feature")
        if not kind.features:
            if feature is not None:
                raise ConfigError(f"{key}.{role}_feature: {objective.name} looks at logits and not at features")
        elif feature not in network.feature_shapes:
            offered = ", ".join(network.feature_shapes)
            if feature is None:
                raise ConfigError(f"{key}.{role}_feature: is missing: give one of {offered}")
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
        value = term.eval()(View(logits, logits, labels, zeros(shapes.student), zeros(shapes.teacher)))
        if not isinstance(value, Tensor) or value.ndim:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{term.name} must return a scalar, got {got}")
    term.train(training)
