"""Consistency over time; our reading of a term of the apprenticeship paper (Wang et al., IJCAI 2024)."""

import torch
from torch import Tensor

from snnkd.distill.objectives._logits import (
    batch_mean,
    check_factor,
    check_temperature,
    softened_kl,
    steps_of,
    teacher_mean,
)
from snnkd.distill.objectives.term import LogitTerm


def temporal_consistency(
    student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 3.0, consensus: float = 0.5
) -> Tensor:
    r"""Follow the teacher at every step, and at every step say what oneself will say later.

    .. math::

        \mathcal L = \tfrac1T\sum_t \mathrm{KD}(z_s[t], z_t[t])
            + \lambda\,\tfrac1T\sum_t \mathrm{KD}\big(z_s[t], \mathrm{sg}\,c[t]\big), \qquad
        c[t] = \tfrac1{T-t}\sum_{j \ge t} z_s[j]

    with :math:`\mathrm{KD}(a, b) = \tau^2\,\mathrm{KL}(\sigma(b/\tau)\,\|\,\sigma(a/\tau))`, batch mean. A teacher
    without steps, or of others than the student's, teaches each step its mean. The paper (arXiv 2407.09521) names a
    *temporal consistency* whose formula is not public: this is what the name says to us, and no reproduction.

    Args:
        student_logits: ``(T, B, K)``.
        teacher_logits: ``(B, K)``, or ``(T, B, K)``. No gradient reaches it.
        temperature: :math:`\tau > 0`.
        consensus: :math:`\lambda \ge 0`.

    Raises:
        ValueError: shapes that do not fit, or an option out of range.
    """
    check_temperature(temperature)
    check_factor(consensus=consensus)
    teacher_mean(student_logits, teacher_logits)
    steps = len(student_logits)
    followed = softened_kl(student_logits, steps_of(teacher_logits, steps), temperature)
    later = student_logits.detach().flip(0).cumsum(0).flip(0)
    left = torch.arange(steps, 0, -1, device=later.device, dtype=later.dtype).reshape(-1, 1, 1)
    agreed = softened_kl(student_logits, later / left, temperature)
    return batch_mean(followed) + consensus * batch_mean(agreed)


class TemporalConsistency(LogitTerm):
    """:func:`temporal_consistency` as a term."""

    name = "temporal_consistency"
    function = temporal_consistency
