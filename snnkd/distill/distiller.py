"""The distiller: one frozen teacher, one student, and the objectives that tie them together."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.distill.curriculum import Curriculum, Kind
from snnkd.distill.objective import DEFAULT_OBJECTIVES, Objective, build_term, names_of
from snnkd.distill.objectives import Term, View
from snnkd.distill.objectives.modality_sliding import frames_as_events, modality_sliding
from snnkd.distill.teacher_cache import TeacherCache
from snnkd.distill.weighting import LearnedWeights
from snnkd.errors import ConfigError
from snnkd.models.network import EyeNetwork, Output, predict


class Step(NamedTuple):
    """What :class:`Distiller` makes of a batch."""

    loss: Tensor
    """The sum that is to be minimised"""
    terms: dict[str, Tensor]
    """Each term by name, unweighted"""
    logits: Tensor
    """The student's, ``(T, B, K)``"""
    groups: dict[Kind, Tensor]
    """The loss in its parts: of the labels, the logits and the features"""


class Distiller(nn.Module):
    r"""Feature and logit distillation as one loss, after a share :math:`p` of the training:

    .. math::

        \mathcal L = f_y(p)\,\lambda\,\mathrm{CE}(\bar z_s, y) + \sum_i f_{k(i)}(p)\,w_i\,\mathcal L_i

    where :math:`f_y, f_{logits}, f_{features}` are the factors of the :class:`~snnkd.distill.curriculum.Curriculum`, 1
    without one, and :math:`w_i` are fixed, or learned (:class:`~snnkd.distill.weighting.LearnedWeights`).

    The teacher is frozen, in evaluation mode whatever mode the distiller is in, and not part of ``state_dict``;
    what objectives learn (projectors, experts) are parameters of this module, so the optimiser that is given
    ``distiller.parameters()`` trains them.

    A label of -1 means that a clip has none. The cross-entropy, and objectives that need labels, look at the other
    clips of the batch alone; with none of them their term is zero, and its learned weight stays as it is. Of several
    processes each takes its own mean over the clips that have one.

    Under autocast the networks run in its precision, and the terms in float32: bfloat16 holds three digits of a
    logarithm, in which a divergence falls below zero, and cosines fall on coarse steps.

    Args:
        teacher: a trained network on any modality.
        student: the network to train.
        objectives: terms beside the labels.
        label_weight: :math:`\lambda`; zero for a training without labels.
        label_smoothing: of the cross-entropy.
        curriculum: when which kind of term counts; all of them all the time when left out.
        learn_weights: learn :math:`w_i` and :math:`\lambda`, beginning with what is given.
        sliding: power *p* of :func:`~snnkd.distill.objectives.modality_sliding.modality_sliding`: in training, the
            student is shown frames that are coded as events, ever more of them replaced by events. None: events only.
        cache_bytes: memory for answers of the teacher (:class:`~snnkd.distill.teacher_cache.TeacherCache`), 0 for none;
            batches must then hold ``index`` and ``seeds``.

    Raises:
        ConfigError: before anything runs, naming the entry of ``objectives`` that cannot work.
    """

    def __init__(
        self,
        teacher: EyeNetwork,
        student: EyeNetwork,
        objectives: Sequence[Objective] = DEFAULT_OBJECTIVES,
        label_weight: float = 1.0,
        label_smoothing: float = 0.0,
        *,
        curriculum: Curriculum | None = None,
        learn_weights: bool = False,
        sliding: float | None = None,
        cache_bytes: int = 0,
    ) -> None:
        super().__init__()
        if teacher.classes != student.classes:
            raise ConfigError(f"teacher: tells {teacher.classes} classes apart, the student {student.classes}")
        if not label_weight >= 0:
            raise ConfigError(f"label_weight: must be zero or above, got {label_weight}")
        if not label_weight and not any(objective.weight for objective in objectives):
            raise ConfigError("objectives: none has a weight, and neither have the labels: there is nothing to learn")
        if sliding is not None and (student.modality != "events" or not sliding > 0):
            raise ConfigError(f"sliding: takes a power above zero and a student of events, got {sliding}")
        # In a tuple, so that the teacher is no submodule: not trained, not saved, not switched to training mode.
        self._teacher = (teacher.eval().requires_grad_(False),)
        self.student = student
        self.objectives = tuple(objectives)
        self.label_weight = label_weight
        self.label_smoothing = label_smoothing
        self.curriculum = curriculum
        self.sliding = sliding
        self.terms = nn.ModuleList(
            build_term(f"objectives[{number}]", objective, teacher, student)
            for number, objective in enumerate(objectives)
        )
        self.names = names_of(self.objectives)
        self.weights: LearnedWeights | None = None
        if learn_weights:
            learned = {"label": label_weight} | dict(zip(self.names, (o.weight for o in objectives), strict=True))
            learned = {name: weight for name, weight in learned.items() if weight}
            self.weights = LearnedWeights(list(learned), list(learned.values()))
        wanted = [objective.teacher_feature for objective in objectives if objective.teacher_feature is not None]
        self.cache = TeacherCache(teacher, wanted, cache_bytes) if cache_bytes else None

    @property
    def teacher(self) -> EyeNetwork:
        """The frozen teacher."""
        return self._teacher[0]

    @property
    def needs_labels(self) -> bool:
        """Whether nothing would be learned from clips without labels."""
        return not any(o.weight and not term.labels for o, term in zip(self.objectives, self.terms, strict=True))

    def slow_parameters(self) -> list[nn.Parameter]:
        """What objectives want trained at a lower rate than the rest."""
        return [p for term in self.terms if isinstance(term, Term) for p in term.slow_parameters()]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Distiller":
        # The teacher follows to another device or dtype although it is no submodule.
        self.teacher._apply(fn, recurse)
        super()._apply(fn, recurse)
        return self

    def forward(self, batch: dict[str, Tensor], progress: float = 0.0) -> Step:
        """Return the loss of a batch, in its parts too, and the student's logits.

        ``batch`` holds time-major ``events (T,B,2,H,W)``, ``frames (T,B,1,H,W)`` and ``labels (B,)``.
        """
        student = self.student.run(self._shown(batch, progress))
        with torch.no_grad():
            teacher = self._taught(batch)
        with torch.autocast(student.logits.device.type, enabled=False):
            return self._step(student, teacher, batch["labels"], progress)

    def _step(self, student: Output, teacher: Output, labels: Tensor, progress: float) -> Step:
        known = (labels >= 0).nonzero().squeeze(1)
        logits = _precise(student.logits)
        terms = {"label": self._label_term(logits, labels, known)}
        absent = set() if len(known) else {"label"}
        for name, objective, term in zip(self.names, self.objectives, self.terms, strict=True):
            view = View(
                logits,
                _precise(teacher.logits),
                labels,
                _feature(student, objective.student_feature),
                _feature(teacher, objective.teacher_feature),
                progress,
            )
            if term.labels and len(known) < len(labels):
                if not len(known):
                    terms[name] = logits.sum() * 0
                    absent.add(name)
                    continue
                view = view.of(known)
            terms[name] = term(view)
        weighted = self._weighted(terms, absent)
        groups: dict[Kind, Tensor] = {}
        kinds: list[Kind] = ["labels", *("features" if term.features else "logits" for term in self.terms)]
        for kind, name in zip(kinds, ["label", *self.names], strict=True):
            if name in weighted:
                part = self._factor(kind, progress) * weighted[name]
                groups[kind] = groups[kind] + part if kind in groups else part
        loss = torch.stack(list(groups.values())).sum()
        # Of several processes each must have a gradient, if of zero, of all parameters.
        for name, objective, term in zip(self.names, self.objectives, self.terms, strict=True):
            if name in absent or not objective.weight:
                for parameter in term.parameters():
                    loss = loss + parameter.sum() * 0
        return Step(loss, terms, logits, groups)

    def _shown(self, batch: dict[str, Tensor], progress: float) -> Tensor:
        x = self.student.take(batch)
        if self.sliding is None or not self.training:
            return x
        return modality_sliding(frames_as_events(batch["frames"]), x, progress, power=self.sliding)

    def _taught(self, batch: dict[str, Tensor]) -> Output:
        self.teacher.eval()
        x = self.teacher.take(batch)
        if self.cache is None or not self.training:
            return self.teacher.run(x)
        if "seeds" not in batch:
            raise ConfigError("cache_bytes: the data do not say which clip is which: batches need `index` and `seeds`")
        return self.cache.run(x, batch["index"], batch["seeds"])

    def _label_term(self, logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        read = predict(logits)
        if not len(known):
            return read.sum() * 0
        return functional.cross_entropy(read[known], labels[known], label_smoothing=self.label_smoothing)

    def _weighted(self, terms: dict[str, Tensor], absent: set[str]) -> dict[str, Tensor]:
        if self.weights is not None:
            return self.weights({name: terms[name] for name in self.weights.names}, absent)
        fixed = {"label": self.label_weight} | dict(zip(self.names, (o.weight for o in self.objectives), strict=True))
        return {name: fixed[name] * term for name, term in terms.items() if fixed[name]}

    def _factor(self, kind: Kind, progress: float) -> float:
        return 1.0 if self.curriculum is None else self.curriculum.factor(kind, progress)


def _precise(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _feature(output: Output, name: str | None) -> Tensor | None:
    return None if name is None else _precise(output.features[name])
