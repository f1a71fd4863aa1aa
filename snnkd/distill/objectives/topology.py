"""Full topology distillation (FTD, Kang et al., KDD 2021, arXiv 2106.08700)."""

from torch import Tensor

from snnkd.distill.objectives._relations import cosines, equal_batches
from snnkd.distill.objectives.term import FeatureTerm


def topology(student_features: Tensor, teacher_features: Tensor) -> Tensor:
    r"""Every pair of samples as alike as the teacher finds them.

    .. math::

        \mathcal L = \frac1{B^2}\sum_{i,j} \big(\cos(h^s_i, h^s_j) - \cos(h^t_i, h^t_j)\big)^2

    The source sums over the pairs; the mean keeps the term's size when the batch's changes. Widths need not be equal,
    so no projector is learned. The cosine with a feature of length zero is zero.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: ``(B, D')`` or ``(B, C', H', W')``. No gradient reaches it.

    Raises:
        ValueError: batches of different sizes.
    """
    student, teacher = equal_batches("topology", student_features, teacher_features)
    return (cosines(student) - cosines(teacher)).square().mean()


class Topology(FeatureTerm):
    """:func:`topology` of the features as they are."""

    name = "topology"
    function = topology
    projects = False
