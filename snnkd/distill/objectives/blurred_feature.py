"""Blurred features (BKDSNN, Xu et al., ECCV 2024, arXiv 2407.09083)."""

import torch
from torch import Tensor, nn

from snnkd.distill.objectives._logits import check_factor
from snnkd.distill.objectives._relations import TINY, equal_shapes, vectors
from snnkd.distill.objectives.term import Shapes, Term, View
from snnkd.distill.projectors import make_projector


def blurred_feature(
    student_features: Tensor, teacher_features: Tensor, peaks: Tensor | None = None, *, alpha: float = 1.0
) -> Tensor:
    r"""Restore the teacher's feature from a student's that was blurred.

    .. math::

        \mathcal L = \frac{\alpha}{N}\Big\|G(m \odot A h_s) - h_t\,\frac{\max h_s}{\max h_t}\Big\|^2

    where *A* maps the student's mean spikes to the teacher's shape, *m* drops whole channels at random, and *G* is a
    3×3 convolution, ReLU and another one. The teacher's feature is brought to the range of the student's, sample by
    sample; :math:`\max h` is taken of the absolute values, and no gradient passes through it.

    Args:
        student_features: :math:`G(m \odot A h_s)`, of the teacher's shape: see :class:`BlurredFeature`.
        teacher_features: ``(B, D)`` or ``(B, C, H, W)``. No gradient reaches it.
        peaks: :math:`\max h_s`, ``(B,)``; that of ``student_features`` when left out.
        alpha: zero or above.

    Raises:
        ValueError: shapes that differ, or a factor below zero.
    """
    check_factor(alpha=alpha)
    student, teacher = equal_shapes("blurred_feature", student_features, teacher_features)
    peaks = _peaks(student) if peaks is None else peaks
    target = vectors(teacher) * (peaks.detach() / (_peaks(teacher) + TINY)).unsqueeze(1)
    return alpha * (vectors(student) - target).square().mean()


def _peaks(features: Tensor) -> Tensor:
    return vectors(features.detach()).abs().amax(1)


class BlurredFeature(Term):
    """:func:`blurred_feature` of learned maps *A* and *G*.

    Args:
        shapes: of both features; a vector is a map of one pixel.
        drop: probability of a channel to be dropped, in training.
        alpha: as of the function.
    """

    name = "blurred_feature"
    function = blurred_feature
    features = True

    def __init__(self, shapes: Shapes, drop: float = 0.15, alpha: float = 1.0) -> None:
        super().__init__(shapes)
        assert shapes.student is not None
        assert shapes.teacher is not None
        if not 0 <= drop < 1:
            raise ValueError(f"drop must be from 0 to below 1, got {drop}")
        check_factor(alpha=alpha)
        self.drop, self.alpha = drop, alpha
        self.projector = make_projector(shapes.student, shapes.teacher)
        channels = shapes.teacher[0]
        self.restore = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, view: View) -> Tensor:
        """Map, blur, restore, compare."""
        assert view.student_features is not None
        assert view.teacher_features is not None
        student, teacher = view.student_features.mean(0), view.teacher_features.mean(0)
        mapped = self.projector(student)
        blurred = mapped if mapped.ndim == 4 else mapped[:, :, None, None]
        if self.training:
            kept = torch.rand(blurred.shape[:2], device=blurred.device) >= self.drop
            blurred = blurred * kept[:, :, None, None]
        return blurred_feature(self.restore(blurred).view_as(mapped), teacher, _peaks(student), alpha=self.alpha)
