"""Relational knowledge distillation (RKD, Park et al., CVPR 2019, arXiv 1904.05068)."""

import torch
from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives._logits import check_factor, zero
from snnkd.distill.objectives._relations import distances, equal_batches, others, unit
from snnkd.distill.objectives.term import FeatureTerm


def relational(
    student_features: Tensor,
    teacher_features: Tensor,
    *,
    distance_weight: float = 25.0,
    angle_weight: float = 50.0,
) -> Tensor:
    r"""Distances of pairs and angles of triplets as the teacher has them.

    .. math::

        \mathcal L = \lambda_d\,\underset{i \ne j}{\mathrm{mean}}\; \ell_1\!\Big(\frac{d^s_{ij}}{\mu^s},
            \frac{d^t_{ij}}{\mu^t}\Big) + \lambda_a\,\underset{i,j,k}{\mathrm{mean}}\;
            \ell_1\big(\cos\angle^s_{ijk}, \cos\angle^t_{ijk}\big)

    with :math:`d_{ij} = \|h_i - h_j\|`, its mean :math:`\mu` over the pairs of the batch, the angle at *j* of three
    different samples, and the smooth :math:`\ell_1` (Huber with 1). Widths need not be equal, so no projector is
    learned. Batches of one sample give zero, of two the distances alone.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: ``(B, D')`` or ``(B, C', H', W')``. No gradient reaches it.
        distance_weight, angle_weight: zero or above.

    Raises:
        ValueError: batches of different sizes, or a weight below zero.
    """
    check_factor(distance_weight=distance_weight, angle_weight=angle_weight)
    student, teacher = equal_batches("relational", student_features, teacher_features)
    number = len(student)
    loss = zero(student)
    if number < 2:
        return loss
    pairs = others(number, student.device)
    far_s, far_t = distances(student)[pairs], distances(teacher)[pairs]
    loss = loss + distance_weight * functional.smooth_l1_loss(far_s / far_s.mean(), far_t / far_t.mean())
    if number < 3:
        return loss
    triplets = pairs.unsqueeze(0) & pairs.unsqueeze(1) & pairs.unsqueeze(2)  # [j, i, k], all different
    return loss + angle_weight * functional.smooth_l1_loss(_angles(student)[triplets], _angles(teacher)[triplets])


def _angles(x: Tensor) -> Tensor:
    """Cosine of the angle at *j* between *i* and *k*, ``[j, i, k]``."""
    to = unit(x.unsqueeze(0) - x.unsqueeze(1))  # [j, i, D]
    return torch.bmm(to, to.transpose(1, 2))


class Relational(FeatureTerm):
    """:func:`relational` of the features as they are."""

    name = "relational"
    function = relational
    projects = False
