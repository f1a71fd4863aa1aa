"""Weighted soft labels (Zhou et al., ICLR 2021, arXiv 2102.00650)."""

import torch
from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives._logits import batch_mean, check_labels, check_temperature, cross_entropy, teacher_mean
from snnkd.distill.objectives.term import LogitTerm

TINY = 1e-6
"""Least cross-entropy of a teacher that a ratio is taken to"""


def wsld(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float = 3.0) -> Tensor:
    r"""Soft labels that count where the student is behind the teacher.

    .. math::

        \mathcal L = \tau^2\,\frac1B\sum_b \Big(1 - e^{-\mathrm{CE}(\bar z_s, y)/\mathrm{CE}(z_t, y)}\Big)\,
            \mathrm{CE}\big(\sigma(z_t/\tau), \sigma(\bar z_s/\tau)\big)

    The weight carries no gradient. It goes to 1 where the teacher is sure of the label.

    Args:
        student_logits: ``(T, B, K)``.
        teacher_logits: ``(B, K)``, or ``(T, B, K)``, of which the mean over time is taken. No gradient reaches it.
        labels: ``(B,)``.
        temperature: :math:`\tau > 0`.

    Raises:
        ValueError: shapes that do not fit, labels out of range, or a temperature that is not above zero.
    """
    check_temperature(temperature)
    teacher = teacher_mean(student_logits, teacher_logits)
    check_labels(student_logits, labels)
    student = student_logits.mean(0)
    ratio = cross_entropy(student.detach(), labels) / cross_entropy(teacher, labels).clamp(min=TINY)
    weight = 1 - torch.exp(-ratio)
    soft = -(functional.softmax(teacher / temperature, -1) * functional.log_softmax(student / temperature, -1)).sum(-1)
    return temperature**2 * batch_mean(weight * soft)


class Wsld(LogitTerm):
    """:func:`wsld` as a term."""

    name = "wsld"
    function = wsld
    labels = True
