"""What an objective is to the distiller: a module that turns one training step's tensors into a scalar.

An objective is one file: a pure function of the file's name, and a :class:`Term` of that ``name`` that holds what the
objective learns and hands the function its arguments. Most need no more than one of the two ready-made terms:

- :class:`LogitTerm`, for ``function(student_logits, teacher_logits, [labels,] *, ...)``;
- :class:`FeatureTerm`, for ``function(student_features, teacher_features, [labels,] *, ...)`` after a projector.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from snnkd.distill.projectors import make_projector
from snnkd.models.blocks import over_time

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Shapes:
    """What is known of the tensors before the first step."""

    classes: int
    student: Shape | None = None
    """Of the student's feature, ``(C, H, W)`` or ``(D,)``; ``None`` where the objective looks at none"""
    teacher: Shape | None = None


@dataclass(frozen=True)
class View:
    """What one training step lets an objective look at; teacher's tensors carry no gradient."""

    student_logits: Tensor
    """``(T, B, K)``"""
    teacher_logits: Tensor
    """``(T, B, K)``, with the teacher's own number of steps"""
    labels: Tensor | None = None
    """``(B,)``, ``None`` where the data have no labels"""
    student_features: Tensor | None = None
    """``(T, B, ...)``, of the feature that the objective names"""
    teacher_features: Tensor | None = None
    """``(T, B, ...)``"""
    progress: float = 0.0
    """Share of the training that is done, 0 to 1"""

    def of(self, clips: Tensor) -> "View":
        """Return what these clips of the batch, ``(n,)``, let one look at."""

        def chosen(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[:, clips]

        return View(
            self.student_logits[:, clips],
            self.teacher_logits[:, clips],
            None if self.labels is None else self.labels[clips],
            chosen(self.student_features),
            chosen(self.teacher_features),
            self.progress,
        )


class Term(nn.Module):
    """One objective in a distiller. A subclass names itself and what it looks at.

    Its constructor takes :class:`Shapes` first and the objective's options by keyword; what is out of range is a
    ``ValueError`` of one line. Its ``forward`` takes a :class:`View` and returns a scalar.
    """

    name: ClassVar[str]
    """As YAML names it; the file's and the function's name"""
    function: ClassVar[Callable[..., Tensor]]
    """The pure function, whose docstring is the objective's documentation"""
    features: ClassVar[bool] = False
    """Whether it looks at features"""
    labels: ClassVar[bool] = False
    """Whether it cannot do without labels"""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.shapes = shapes

    def forward(self, view: View) -> Tensor:
        """Return the loss of one step."""
        raise NotImplementedError

    def slow_parameters(self) -> list[nn.Parameter]:
        """Parameters that are to be trained at a lower rate than the rest; none unless an objective asks for it."""
        return []

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Names and defaults of what YAML may give under ``options``."""
        kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        own = {
            name: parameter.default
            for name, parameter in inspect.signature(cls.__init__).parameters.items()
            if parameter.kind in kinds and name not in ("self", "shapes")
        }
        takes_more = any(
            parameter.kind is inspect.Parameter.VAR_KEYWORD
            for parameter in inspect.signature(cls.__init__).parameters.values()
        )
        return {**(keywords(cls.function) if takes_more else {}), **own}


def keywords(function: Callable[..., Tensor]) -> dict[str, Any]:
    """Return a function's keyword-only arguments and their defaults."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


class LogitTerm(Term):
    """An objective on logits that learns nothing: options go to the function as they are."""

    def __init__(self, shapes: Shapes, **options: Any) -> None:
        super().__init__(shapes)
        self.given = options

    def forward(self, view: View) -> Tensor:
        """The function of both networks' logits, with the labels where it has them."""
        labels = (view.labels,) if self.labels else ()
        return type(self).function(view.student_logits, view.teacher_logits, *labels, **self.given)


class FeatureTerm(Term):
    """An objective on features of equal shape: the student's go through a projector that is learned with it.

    Args:
        shapes: of both features.
        per_step: compare at each time step, not the means over time. A network of one step, such as a teacher of whole
            clips, is compared with each step of the other; else both need equally many.
        project: learn a map to the teacher's shape (:func:`~snnkd.distill.projectors.make_projector`). Objectives that
            only compare relations between samples do without.
    """

    features = True
    projects: ClassVar[bool] = True

    def __init__(self, shapes: Shapes, per_step: bool = False, **options: Any) -> None:
        super().__init__(shapes)
        assert shapes.student is not None
        assert shapes.teacher is not None
        self.per_step = per_step
        self.given = options
        self.projector = make_projector(shapes.student, shapes.teacher) if self.projects else nn.Identity()

    def forward(self, view: View) -> Tensor:
        """The function of the projected student features and the teacher's."""
        student, teacher = view.student_features, view.teacher_features
        assert student is not None
        assert teacher is not None
        labels = (view.labels,) if self.labels else ()
        function = type(self).function
        if not self.per_step:
            return function(self.projector(student.mean(0)), teacher.mean(0), *labels, **self.given)
        projected, target = over_time(self.projector, student), teacher
        if len(target) not in (1, len(projected)):
            raise ValueError(f"per_step: the student has {len(projected)} steps and the teacher {len(target)}")
        losses = [function(h, target[min(t, len(target) - 1)], *labels, **self.given) for t, h in enumerate(projected)]
        return sum(losses[1:], losses[0]) / len(losses)
