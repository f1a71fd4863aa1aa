"""Logit distillation (Hinton et al. 2015, arXiv 1503.02531)."""

from torch import Tensor

from snnkd.distill.objectives._logits import batch_mean, check_temperature, softened_kl, teacher_mean
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
    check_temperature(temperature)
    teacher = teacher_mean(student_logits, teacher_logits)
    return batch_mean(softened_kl(student_logits.mean(0), teacher, temperature))


class Kd(LogitTerm):
    """:func:`kd` as a term."""

    name = "kd"
    function = kd
