"""Hierarchical topology distillation (HTD, Kang et al., KDD 2021, arXiv 2106.08700), with the classes as groups."""

from torch import Tensor

from snnkd.distill.objectives._relations import check_groups, cosines, equal_batches, membership
from snnkd.distill.objectives.term import FeatureTerm


def hierarchical_topology(student_features: Tensor, teacher_features: Tensor, labels: Tensor) -> Tensor:
    r"""Pairs within a group, and the groups among each other, as alike as the teacher finds them.

    .. math::

        \mathcal L = \frac{\sum_{i,j} [y_i = y_j]\,(c^s_{ij} - c^t_{ij})^2}{\sum_{i,j}[y_i = y_j]}
            + \frac1{G^2}\sum_{g,h}\big(\cos(p^s_g, p^s_h) - \cos(p^t_g, p^t_h)\big)^2, \qquad
        c_{ij} = \cos(h_i, h_j)

    with the prototype :math:`p_g` the mean feature of the *G* classes of the batch. The source learns its groups; ours
    are the classes, and means take the place of sums. The cosine with a feature of length zero is zero.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: ``(B, D')`` or ``(B, C', H', W')``. No gradient reaches it.
        labels: ``(B,)``.

    Raises:
        ValueError: batches of different sizes.
    """
    student, teacher = equal_batches("hierarchical_topology", student_features, teacher_features)
    check_groups(student, labels)
    groups = membership(labels).to(student.dtype)
    same = groups @ groups.T
    within = ((cosines(student) - cosines(teacher)).square() * same).sum() / same.sum()
    mean = groups.T / groups.sum(0).unsqueeze(1)
    among = (cosines(mean @ student) - cosines(mean.to(teacher.dtype) @ teacher)).square().mean()
    return within + among


class HierarchicalTopology(FeatureTerm):
    """:func:`hierarchical_topology` of the features as they are."""

    name = "hierarchical_topology"
    function = hierarchical_topology
    projects = False
    labels = True
