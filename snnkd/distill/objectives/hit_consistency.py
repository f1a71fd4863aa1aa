"""Distillation from the hits of a teacher; our reading of the apprenticeship paper (Wang et al., IJCAI 2024)."""

import torch
from torch import Tensor

from snnkd.distill.objectives._logits import (
    batch_mean,
    check_labels,
    check_temperature,
    correct,
    cross_entropy,
    softened_kl,
    teacher_mean,
)
from snnkd.distill.objectives.term import LogitTerm


def hit_consistency(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float = 3.0
) -> Tensor:
    r"""Learn from the teacher where it is right, and from the label where it is not.

    .. math::

        \mathcal L = \frac1B \sum_b \begin{cases}
            \tau^2\,\mathrm{KL}\big(\sigma(z_t/\tau)\,\|\,\sigma(\bar z_s/\tau)\big) & \arg\max z_t = y \\
            \mathrm{CE}(\bar z_s, y) & \text{else}
        \end{cases}, \qquad \bar z_s = \tfrac1T\sum_t z_s[t]

    The paper (arXiv 2407.09521) names a *hit consistency* whose formula is not public: this is what the name says to
    us, and no reproduction.

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
    hit = correct(teacher, labels)
    each = torch.where(hit, softened_kl(student, teacher, temperature), cross_entropy(student, labels))
    return batch_mean(each)


class HitConsistency(LogitTerm):
    """:func:`hit_consistency` as a term."""

    name = "hit_consistency"
    function = hit_consistency
    labels = True
