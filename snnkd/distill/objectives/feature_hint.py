"""Feature hints (FitNets, Romero et al. 2015, arXiv 1412.6550; for spikes, KDSNN, Xu et al. 2023)."""

from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives.term import FeatureTerm


def feature_hint(student_features: Tensor, teacher_features: Tensor) -> Tensor:
    r"""Mean squared distance of the projected student features to the teacher's.

    .. math::

        \mathcal L = \tfrac1N \| P(h_s) - h_t \|^2

    with :math:`P(h_s)` given as ``student_features`` (see :func:`~snnkd.distill.projectors.make_projector`) and *N* the
    number of entries.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``, projected to the teacher's shape.
        teacher_features: of the same shape. No gradient reaches it.

    Raises:
        ValueError: shapes that differ.
    """
    if student_features.shape != teacher_features.shape:
        raise ValueError(
            f"feature_hint needs equal shapes, got {tuple(student_features.shape)} from the student's projector "
            f"and {tuple(teacher_features.shape)} from the teacher"
        )
    return functional.mse_loss(student_features, teacher_features.detach())


class FeatureHint(FeatureTerm):
    """:func:`feature_hint` of a learned projection."""

    name = "feature_hint"
    function = feature_hint
