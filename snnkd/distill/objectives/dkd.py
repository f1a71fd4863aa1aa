"""Decoupled knowledge distillation (Zhao et al., CVPR 2022, arXiv 2203.08679)."""

import torch
from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives._logits import batch_mean, check_factor, check_labels, check_temperature, teacher_mean
from snnkd.distill.objectives.term import LogitTerm


def dkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 3.0,
    alpha: float = 1.0,
    beta: float = 4.0,
) -> Tensor:
    r"""Whether it is the label, and which of the others it would be, taught apart.

    .. math::

        \mathcal L = \tau^2\big[\alpha\,\mathrm{KL}(b_t \,\|\, b_s) + \beta\,\mathrm{KL}(\hat p_t \,\|\, \hat p_s)\big],
        \qquad b = (p_y, 1 - p_y), \quad \hat p_k = \frac{p_k}{1 - p_y} \; (k \ne y), \quad p = \sigma(z/\tau)

    batch mean, with the student's logits averaged over time. In plain distillation the second part weighs
    :math:`1 - p_y` of the teacher, next to nothing where it is sure.

    Args:
        student_logits: ``(T, B, K)``.
        teacher_logits: ``(B, K)``, or ``(T, B, K)``, of which the mean over time is taken. No gradient reaches it.
        labels: ``(B,)``.
        temperature: :math:`\tau > 0`.
        alpha, beta: zero or above.

    Raises:
        ValueError: shapes that do not fit, labels or an option out of range.
    """
    check_temperature(temperature)
    check_factor(alpha=alpha, beta=beta)
    teacher = teacher_mean(student_logits, teacher_logits)
    check_labels(student_logits, labels)
    target_s, others_s = _parts(student_logits.mean(0) / temperature, labels)
    target_t, others_t = _parts(teacher / temperature, labels)
    binary = functional.kl_div(target_s, target_t, reduction="none", log_target=True).sum(-1)
    rest = functional.kl_div(others_s, others_t, reduction="none", log_target=True).sum(-1)
    return temperature**2 * batch_mean(alpha * binary + beta * rest)


def _parts(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of (p_y, 1 - p_y), and of the distribution over the other classes, ``(B, K - 1)``."""
    batch, classes = z.shape
    place = torch.arange(classes - 1, device=z.device).expand(batch, -1)
    others = z.gather(1, place + (place >= labels.unsqueeze(1)))
    pair = torch.stack([z.gather(1, labels.unsqueeze(1)).squeeze(1), others.logsumexp(1)], dim=1)
    return functional.log_softmax(pair, dim=1), functional.log_softmax(others, dim=1)


class Dkd(LogitTerm):
    """:func:`dkd` as a term."""

    name = "dkd"
    function = dkd
    labels = True
