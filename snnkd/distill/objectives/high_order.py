"""High-order relations: features smoothed over a hypergraph (Feng et al., AAAI 2019, arXiv 1809.09401)."""

from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives._relations import check_groups, equal_shapes, membership, vectors
from snnkd.distill.objectives.term import FeatureTerm


def high_order(student_features: Tensor, teacher_features: Tensor, labels: Tensor) -> Tensor:
    r"""Match what the teacher's features are once those of a class were smoothed over each other.

    .. math::

        \mathcal L = \frac1N\big\|h_s - D_v^{-1} H D_e^{-1} H^\top h_t\big\|^2

    with the hypergraph whose edges are the classes: :math:`H_{ie} = [y_i = e]`, :math:`D_v` the number of edges of a
    sample, which is one, and :math:`D_e` the number of samples of an edge. As DistillHGNN-LR has it, with *N* the
    number of entries.

    Args:
        student_features: projected to the teacher's shape, ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: of the same shape. No gradient reaches it.
        labels: ``(B,)``.

    Raises:
        ValueError: shapes that differ.
    """
    student, teacher = equal_shapes("high_order", student_features, teacher_features)
    check_groups(student, labels)
    incidence = membership(labels).to(teacher.dtype)
    edges = (incidence.T @ vectors(teacher)) / incidence.sum(0).unsqueeze(1)
    smoothed = (incidence @ edges) / incidence.sum(1, keepdim=True)
    return functional.mse_loss(vectors(student), smoothed)


class HighOrder(FeatureTerm):
    """:func:`high_order` of a learned projection."""

    name = "high_order"
    function = high_order
    labels = True
