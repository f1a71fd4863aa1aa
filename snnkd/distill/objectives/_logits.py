"""What the objectives on logits share: checked shapes, and softened divergences."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def check_temperature(temperature: float) -> None:
    """Raise ``ValueError`` for a temperature that is not above zero."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above zero, got {temperature}")


def check_factor(**factors: float) -> None:
    """Raise ``ValueError`` for a factor below zero, by name."""
    for name, value in factors.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be zero or above, got {value}")


def teacher_mean(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Return the teacher's logits ``(B, K)``, of ``(T, B, K)`` their mean over time, without gradient.

    Raises ``ValueError`` where the student's are no ``(T, B, K)`` of the same ``B`` and ``K``.
    """
    if student_logits.ndim != 3:
        raise ValueError(f"student_logits must be (T, B, K), got {tuple(student_logits.shape)}")
    teacher = teacher_logits.detach()
    teacher = teacher.mean(0) if teacher.ndim == 3 else teacher
    if teacher.shape != student_logits.shape[1:]:
        raise ValueError(
            f"teacher_logits are {tuple(teacher.shape)} and the student's {tuple(student_logits.shape[1:])} (B, K)"
        )
    return teacher


def check_labels(student_logits: Tensor, labels: Tensor) -> None:
    """Raise ``ValueError`` where labels are no ``(B,)`` indices of the ``K`` classes."""
    batch, classes = student_logits.shape[-2:]
    if labels.shape != (batch,) or labels.is_floating_point():
        raise ValueError(f"labels must be {batch} whole numbers (B,), got {tuple(labels.shape)} {labels.dtype}")
    if batch and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        raise ValueError(f"labels must be from 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}")


def softened_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    r""":math:`\tau^2\,\mathrm{KL}(\sigma(z_t/\tau) \,\|\, \sigma(z_s/\tau))` of each entry of ``(..., K)``."""
    p = functional.log_softmax(student / temperature, dim=-1)
    q = functional.log_softmax(teacher / temperature, dim=-1)
    return temperature**2 * functional.kl_div(p, q, reduction="none", log_target=True).sum(-1)


def batch_mean(values: Tensor) -> Tensor:
    """Mean over all of them; zero, with a gradient of zero, for an empty batch."""
    return values.sum() / max(1, values.numel())


def steps_of(teacher_logits: Tensor, steps: int) -> Tensor:
    """Return the teacher's logits for each of the student's steps, ``(T, B, K)``, without gradient.

    A teacher of other steps than the student's teaches each of them its mean.
    """
    teacher = teacher_logits.detach()
    if teacher.ndim == 2:
        return teacher.expand(steps, -1, -1)
    return teacher if len(teacher) == steps else teacher.mean(0).expand(steps, -1, -1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each entry of ``(..., B, K)`` with ``labels (B,)``."""
    chosen = labels.expand(logits.shape[:-1]).unsqueeze(-1)
    return -functional.log_softmax(logits, dim=-1).gather(-1, chosen).squeeze(-1)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether each entry of ``(..., B, K)`` has its largest logit at the label."""
    return logits.argmax(-1) == labels


def zero(values: Tensor) -> Tensor:
    """A zero through which a gradient of zero flows."""
    return torch.zeros((), dtype=values.dtype, device=values.device) + 0 * values.sum()
