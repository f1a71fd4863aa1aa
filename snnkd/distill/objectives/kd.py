"""Logit distillation (Hinton et al. 2015, arXiv 1503.02531)."""

import torch
from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives.term import LogitTerm


def kd(student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 3.0) -> Tensor:
    r"""Pull the student's softened distribution to the teacher's.

    .. math::

        \mathcal L = \tau^2\,\mathrm{KL}\big(\sigma(z_t/\tau)\,\|\,\sigma(\bar z_s/\tau)\big),
        \qquad \bar z_s = \tfrac1T\sum_t z_s[t]

    averaged over the batch. :math:`\tau^2` keeps the gradient's size when the temperature changes.

    Args:
        student_logits: ``(T, B, K)``.
        teacher_logits: ``(B, K)``, or ``(T, B, K)``, of which the mean over time is taken. No gradient reaches it.
        temperature: :math:`\tau > 0`.

    Returns:
        A scalar, zero where both agree.

    Raises:
        ValueError: shapes that do not fit, or a temperature that is not above zero.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above zero, got {temperature}")
    if student_logits.ndim != 3:
        raise ValueError(f"student_logits must be (T, B, K), got {tuple(student_logits.shape)}")
    teacher = teacher_logits.detach()
    teacher = teacher.mean(0) if teacher.ndim == 3 else teacher
    student = student_logits.mean(0)
    if teacher.shape != student.shape:
        raise ValueError(f"teacher_logits are {tuple(teacher.shape)} and the student's {tuple(student.shape)} (B, K)")
    p = functional.log_softmax(student / temperature, dim=-1)
    q = functional.log_softmax(teacher / temperature, dim=-1)
    divergence = functional.kl_div(p, q, reduction="sum", log_target=True)
    return temperature**2 * divergence / max(torch.numel(student[..., 0]), 1)


class Kd(LogitTerm):
    """:func:`kd` as a term."""

    name = "kd"
    function = kd
