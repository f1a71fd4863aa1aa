"""Temporal decoupled distillation (Efficient Logit-based KD of Deep SNNs, ICML 2025, arXiv 2501.15925)."""

from torch import Tensor

from snnkd.distill.objectives._logits import (
    batch_mean,
    check_factor,
    check_labels,
    check_temperature,
    correct,
    cross_entropy,
    softened_kl,
    steps_of,
    teacher_mean,
)
from snnkd.distill.objectives.term import LogitTerm


def temporal_decoupled(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 3.0,
    alpha: float = 0.2,
    beta: float = 0.5,
) -> Tensor:
    r"""Labels, teacher and the student's own right steps, at every step.

    .. math::

        \mathcal L = \tfrac1T\sum_t \mathrm{CE}(z_s[t], y) + \alpha\,\tfrac1T\sum_t \mathrm{KD}(z_s[t], z_t)
            + \beta\,\tfrac1T\sum_t \mathrm{KD}(z_s[t], \mathrm{sg}\,z^+), \qquad
        z^+ = \mathrm{mean}\{z_s[t] : \arg\max z_s[t] = y\}

    with :math:`\mathrm{KD}(a, b) = \tau^2\,\mathrm{KL}(\sigma(b/\tau)\,\|\,\sigma(a/\tau))`, batch mean. The last sum
    is zero for a sample without a right step. The first takes the place of the distiller's own cross-entropy: give
    ``label_weight: 0`` beside this objective, or labels count twice.

    Args:
        student_logits: ``(T, B, K)``.
        teacher_logits: ``(B, K)``, or ``(T, B, K)``. No gradient reaches it.
        labels: ``(B,)``.
        temperature: :math:`\tau > 0`.
        alpha, beta: zero or above.

    Raises:
        ValueError: shapes that do not fit, labels or an option out of range.
    """
    check_temperature(temperature)
    check_factor(alpha=alpha, beta=beta)
    teacher_mean(student_logits, teacher_logits)
    check_labels(student_logits, labels)
    teacher = steps_of(teacher_logits, len(student_logits))
    right = correct(student_logits, labels)  # (T, B)
    number = right.sum(0)
    own = (student_logits.detach() * right.unsqueeze(-1)).sum(0) / number.clamp(min=1).unsqueeze(-1)
    kept = softened_kl(student_logits, own.expand_as(student_logits), temperature) * (number > 0)
    return (
        batch_mean(cross_entropy(student_logits, labels))
        + alpha * batch_mean(softened_kl(student_logits, teacher, temperature))
        + beta * batch_mean(kept)
    )


class TemporalDecoupled(LogitTerm):
    """:func:`temporal_decoupled` as a term."""

    name = "temporal_decoupled"
    function = temporal_decoupled
    labels = True
