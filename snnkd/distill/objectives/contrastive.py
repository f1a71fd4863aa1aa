"""Contrastive distillation: InfoNCE (van den Oord et al. 2018, arXiv 1807.03748) from student to teacher."""

import torch
from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives._logits import check_temperature
from snnkd.distill.objectives._relations import equal_shapes, unit, vectors
from snnkd.distill.objectives.term import FeatureTerm


def contrastive(student_features: Tensor, teacher_features: Tensor, *, temperature: float = 0.1) -> Tensor:
    r"""Each sample's feature nearer to its own of the teacher than to those of the other samples.

    .. math::

        \mathcal L = -\frac1B\sum_i \log \frac{\exp(\cos(h^s_i, h^t_i)/\tau)}{\sum_j \exp(\cos(h^s_i, h^t_j)/\tau)}

    the positives on the diagonal, as DistillHGNN-LR has it. A batch of one sample gives zero.

    Args:
        student_features: projected to the teacher's shape, ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: of the same shape. No gradient reaches it.
        temperature: :math:`\tau > 0`.

    Raises:
        ValueError: shapes that differ, or a temperature that is not above zero.
    """
    check_temperature(temperature)
    student, teacher = equal_shapes("contrastive", student_features, teacher_features)
    scores = unit(vectors(student)) @ unit(vectors(teacher)).T / temperature
    return functional.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


class Contrastive(FeatureTerm):
    """:func:`contrastive` of a learned projection."""

    name = "contrastive"
    function = contrastive
