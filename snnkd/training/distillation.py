"""The Lightning module of a distillation."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from snnkd.distill import DEFAULT_OBJECTIVES, Curriculum, Distiller, Objective, Step, project_conflicts
from snnkd.errors import ConfigError, warn
from snnkd.models import EyeNetwork, load_model, predict
from snnkd.training.evaluation import Evaluation
from snnkd.training.modules import Batch, EmotionModule, OptimizerName, check_range
from snnkd.training.starting import begin_with

Conflicts = Literal["sum", "project"]


class Distillation(EmotionModule):
    """Train a student on a frozen teacher's logits and features and on labels together.

    Before the first step the teacher is scored on validation, and beside it ``baseline``: one that is no better than
    its student is told of then, when nothing is lost yet.

    Args:
        teacher: a model folder or Hub id, read when training starts; or a network.
        student: the network to train.
        objectives: terms beside the labels.
        label_weight: weight of the labels' cross-entropy; 0 trains without any label.
        learning_rate, weight_decay, warmup, spike_rate_weight, spike_rate_target, energy_weight, energy_target,
            optimizer: see :class:`EmotionModule`.
        label_smoothing: of the cross-entropy.
        curriculum: when features, logits and labels count; all of them all the time when left out.
        conflicts: ``project`` lets the gradients of features, logits and labels give up what works against another
            (:func:`snnkd.distill.project_conflicts`), for a backward pass each; ``sum`` adds them as they are.
        learn_weights: learn the weights of the terms, beginning with what is given.
        sliding: power with which the student's input slides from frames to events; None for events alone.
        cache_mb: memory for answers of the teacher, which helps where clips come again (``augmentation_views`` of the
            data); 0 for none.
        start_from: a model folder whose weights the student begins with.
        baseline: a model folder of a student trained on labels, to hold the teacher against.
    """

    def __init__(
        self,
        teacher: str | EyeNetwork,
        student: EyeNetwork,
        objectives: list[Objective] = list(DEFAULT_OBJECTIVES),  # noqa: B006  # shown by --print_config, never changed
        label_weight: float = 1.0,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        label_smoothing: float = 0.1,
        curriculum: Curriculum | None = None,
        conflicts: Conflicts = "sum",
        learn_weights: bool = False,
        sliding: float | None = None,
        cache_mb: int = 0,
        start_from: str | None = None,
        baseline: str | None = None,
        spike_rate_weight: float = 0.0,
        spike_rate_target: float = 0.05,
        energy_weight: float = 0.0,
        energy_target: float = 0.0,
        optimizer: OptimizerName = "adamw",
    ) -> None:
        super().__init__(
            student,
            learning_rate,
            weight_decay,
            warmup,
            spike_rate_weight,
            spike_rate_target,
            energy_weight,
            energy_target,
            optimizer,
        )
        check_range("label_smoothing", label_smoothing, 0 <= label_smoothing < 1, "from 0 to below 1")
        check_range("cache_mb", cache_mb, cache_mb >= 0, "zero or above")
        if conflicts not in ("sum", "project"):
            raise ConfigError(f"conflicts: must be sum or project, got {conflicts!r}")
        self.start_input = begin_with(student, start_from)
        self.teacher_input: dict[str, Any] = {}
        """What the teacher's model folder says of its data"""
        if isinstance(teacher, str):
            self.facts["teacher"] = teacher  # which energy is held against
            teacher, config = load_model(teacher)
            self.teacher_input = config.input
        self.conflicts = conflicts
        self.baseline = baseline
        self.distiller = Distiller(
            teacher,
            student,
            objectives,
            label_weight,
            label_smoothing,
            curriculum=curriculum,
            learn_weights=learn_weights,
            sliding=sliding,
            cache_bytes=cache_mb << 20,
        )
        self.teacher_scores: Evaluation | None = None
        """The teacher's scores on validation, once the training has begun"""
        self._step: Step | None = None

    @property
    def networks(self) -> tuple[EyeNetwork, ...]:
        """Student and teacher."""
        return (self.network, self.distiller.teacher)

    @property
    def needs_labels(self) -> bool:
        """Whether every objective needs them."""
        return self.distiller.needs_labels

    def slow_parameters(self) -> list[nn.Parameter]:
        """What objectives want trained slowly."""
        return self.distiller.slow_parameters()

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The distiller's loss and terms."""
        self._step = self.distiller(batch, self.progress)
        assert self._step is not None
        return self._step.loss, self._step.terms

    def backward(self, loss: Tensor, *arguments: Any, **options: Any) -> None:
        """Gradients of the loss; with ``conflicts: project`` the student's are those of the projected parts.

        What is in the loss beside the parts (a regulariser) counts as it is, and so do the objectives' own parameters.
        """
        assert self._step is not None
        parts, self._step = self._step.groups, None
        if self.conflicts == "sum" or len(parts) < 2:
            super().backward(loss, *arguments, **options)
            return
        shared = [p for p in self.network.parameters() if p.requires_grad]
        gradients = [flat_gradient(part, shared) for part in parts.values()]
        super().backward(loss, *arguments, **options)
        # An accumulating or regularised gradient keeps all else that is in it.
        change = project_conflicts(gradients) - torch.stack(gradients).sum(0)
        steps = self.trainer.accumulate_grad_batches
        for parameter, delta in zip(shared, change.split([p.numel() for p in shared]), strict=True):
            moved = delta.view_as(parameter) / steps
            parameter.grad = moved if parameter.grad is None else parameter.grad + moved

    def on_fit_start(self) -> None:
        """Hold the teacher against the baseline, on validation."""
        super().on_fit_start()
        if self.conflicts == "project" and self.trainer.world_size > 1:
            raise ConfigError("conflicts: gradients are projected in one process only: train with one, or with `sum`")
        if self.conflicts == "project" and str(self.trainer.precision) == "16-mixed":
            raise ConfigError("conflicts: gradients are not scaled when projected: use precision bf16-mixed or 32")
        self._report_teacher()

    def _report_teacher(self) -> None:
        loaders = self.trainer.datamodule.val_dataloader()  # type: ignore[attr-defined]
        if isinstance(loaders, list):  # nobody validates
            return
        batches = [self._prepared(batch) for batch in loaders]
        self.teacher_scores = score_on(self.distiller.teacher, batches)
        if self.baseline is None:
            return
        student, _ = load_model(self.baseline)
        if student.input_size != self.network.input_size:
            raise ConfigError(f"baseline: {self.baseline} sees {student.input_size}, not {self.network.input_size}")
        scores = score_on(student.to(self.device), batches)
        if self.teacher_scores.uar <= scores.uar:
            warn(
                f"teacher: {self.teacher_scores.uar:.1%} UAR on validation, no better than {self.baseline} with "
                f"{scores.uar:.1%}: what it teaches is unlikely to help"
            )

    def _prepared(self, batch: Batch) -> Batch:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        moved = {name: tensor.to(self.device) for name, tensor in batch.items()}
        return data.on_after_batch_transfer(moved, 0)


def flat_gradient(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """Return the gradient of ``loss`` as one vector, zero where a parameter has no part in it; the graph is kept."""
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [
            (torch.zeros_like(parameter) if gradient is None else gradient).flatten()
            for parameter, gradient in zip(parameters, found, strict=True)
        ]
    )


@torch.no_grad()
def score_on(network: EyeNetwork, batches: Sequence[Batch]) -> Evaluation:
    """Score a network, in evaluation mode, on batches with labels."""
    training = network.training
    network.eval()
    confusion = torch.zeros(network.classes, network.classes, dtype=torch.long)
    for batch in batches:
        told = predict(network(network.take(batch))).argmax(-1)
        place = batch["labels"] * network.classes + told
        confusion += torch.bincount(place.cpu(), minlength=network.classes**2).view_as(confusion)
    network.train(training)
    return Evaluation(confusion)
