"""Selective alignment (SeAl-KD, Sun et al. 2026, arXiv 2605.14252)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives._logits import (
    batch_mean,
    check_factor,
    check_labels,
    check_temperature,
    correct,
    softened_kl,
    steps_of,
    teacher_mean,
)
from snnkd.distill.objectives.term import LogitTerm


def selective_alignment(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 3.0,
    alpha: float = 0.6,
    beta: float = 0.15,
) -> Tensor:
    r"""Correct the steps that are wrong, and align steps with those that are sure of themselves and alike.

    .. math::

        \mathcal L = \alpha\,\tfrac1T\sum_i \mathrm{KD}(z_i, \tilde z_t[i]) +
            \beta\,\tfrac1T\sum_i \mathrm{KD}(z_i, \mathrm{sg}\,c_i), \qquad
        c_i = \sum_{j \ne i} \mathrm{softmax}_{j \ne i}\big(q_j \cos(z_i, z_j)\big)\, z_j

    with the student's logits :math:`z_i` at step *i*, the confidence :math:`q_j = 1 - H(\sigma(z_j))/\log K`, and
    :math:`\mathrm{KD}(a, b) = \tau^2\,\mathrm{KL}(\sigma(b/\tau)\,\|\,\sigma(a/\tau))`, batch mean. At a step whose
    answer *k* is wrong the target :math:`\tilde z_t[i]` is the teacher's with its logit of *k* raised to that of the
    label, so that the two compete as equals there; else it is the teacher's. Which logits are raised is our reading.
    With one step there is nothing to align with, and the second sum is zero.

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
    steps, batch, classes = student_logits.shape
    told = student_logits.argmax(-1, keepdim=True)
    target = steps_of(teacher_logits, steps)
    truth = target.gather(-1, labels.expand(steps, batch).unsqueeze(-1))
    raised = target.scatter(-1, told, torch.maximum(target.gather(-1, told), truth))
    target = torch.where(correct(student_logits, labels).unsqueeze(-1), target, raised)
    loss = alpha * batch_mean(softened_kl(student_logits, target, temperature))
    if steps == 1:
        return loss
    z = student_logits.detach().transpose(0, 1)  # (B, T, K)
    logs = functional.log_softmax(z, dim=-1)
    sure = 1 + (logs.exp() * logs).sum(-1) / math.log(classes)
    unit = functional.normalize(z, dim=-1)
    score = sure.unsqueeze(1) * (unit @ unit.transpose(1, 2))
    alone = torch.eye(steps, dtype=torch.bool, device=z.device)
    consensus = score.masked_fill(alone, -math.inf).softmax(-1) @ z
    return loss + beta * batch_mean(softened_kl(student_logits, consensus.transpose(0, 1), temperature))


class SelectiveAlignment(LogitTerm):
    """:func:`selective_alignment` as a term."""

    name = "selective_alignment"
    function = selective_alignment
    labels = True
