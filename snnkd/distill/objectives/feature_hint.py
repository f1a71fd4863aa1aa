"""Feature hints (FitNets, Romero et al. 2015, arXiv 1412.6550; for spikes, KDSNN, Xu et al. 2023)."""

from torch import Tensor
from torch.nn import functional

from snnkd.distill.objectives.term import FeatureTerm, View
from snnkd.models.blocks import over_time

LEAST_VARIANCE = 1e-3
"""Below it a teacher's feature does not tell clips apart, and is no measure"""


def feature_hint(student_features: Tensor, teacher_features: Tensor, *, relative: bool = False) -> Tensor:
    r"""Mean squared distance of the projected student features to the teacher's.

    .. math::

        \mathcal L = \tfrac1N \| P(h_s) - h_t \|^2, \qquad
        \mathcal L_\text{relative} = \frac{\mathcal L}{\max(\mathrm{Var}\,h_t,\ 10^{-3})}

    with :math:`P(h_s)` given as ``student_features`` (see :func:`~snnkd.distill.projectors.make_projector`) and *N* the
    number of entries. The relative one is the share of the teacher's variance that the student leaves unexplained: 1
    for a student that tells only the mean, whatever the scale of the teacher's feature, so that hints at several
    stages weigh alike.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``, projected to the teacher's shape.
        teacher_features: of the same shape. No gradient reaches it.
        relative: divide by the variance of the teacher's entries in the batch.

    Raises:
        ValueError: shapes that differ.
    """
    if student_features.shape != teacher_features.shape:
        raise ValueError(
            f"feature_hint needs equal shapes, got {tuple(student_features.shape)} from the student's projector "
            f"and {tuple(teacher_features.shape)} from the teacher"
        )
    target = teacher_features.detach()
    distance = functional.mse_loss(student_features, target)
    if not relative:
        return distance
    measure = target if target.dtype.itemsize > 4 else target.float()
    return distance / measure.var(correction=0).clamp(min=LEAST_VARIANCE).to(distance.dtype)


class FeatureHint(FeatureTerm):
    """:func:`feature_hint` of a learned projection; per step it is that of all steps together, which is their mean."""

    name = "feature_hint"
    function = feature_hint

    def forward(self, view: View) -> Tensor:
        """One distance over time and batch."""
        student, teacher = view.student_features, view.teacher_features
        if not self.per_step or teacher is None or student is None or len(student) != len(teacher):
            return super().forward(view)
        projected = over_time(self.projector, student)
        return feature_hint(projected.flatten(0, 1), teacher.flatten(0, 1), **self.given)
