"""Centred kernel alignment (Kornblith et al. 2019, arXiv 1905.00414; Transfer-for-DVS, He et al., AAAI 2024)."""

from typing import Any

from torch import Tensor

from snnkd.distill.objectives._relations import TINY, equal_batches
from snnkd.distill.objectives.term import FeatureTerm, Shapes


def cka(student_features: Tensor, teacher_features: Tensor) -> Tensor:
    r"""Make the samples of a batch lie to each other as they do for the teacher, up to a rotation and a scale.

    .. math::

        \mathcal L = 1 - |\mathrm{CKA}(h_t, h_s)|, \qquad
        \mathrm{CKA}(X, Y) = \frac{\|Y^\top X\|_F^2}{\|X^\top X\|_F\,\|Y^\top Y\|_F}

    with columns centred over the batch. Worked out from the ``B × B`` Gram matrices, of which it is the cosine; the
    widths need not be equal, so no projector is learned. The term takes the mean over the student's time steps. A
    batch of one sample, and a student without any difference between samples, give 1.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: ``(B, D')`` or ``(B, C', H', W')``. No gradient reaches it.

    Raises:
        ValueError: batches of different sizes.
    """
    student, teacher = equal_batches("cka", student_features, teacher_features)
    grams = []
    for x in (student, teacher):
        centred = x - x.mean(0)
        grams.append(centred @ centred.T)
    own, other = grams
    norms = [(gram.square().sum() + TINY).sqrt() for gram in grams]
    return 1 - ((own * other).sum() / (norms[0] * norms[1])).abs()


class Cka(FeatureTerm):
    """:func:`cka` at each time step."""

    name = "cka"
    function = cka
    projects = False

    def __init__(self, shapes: Shapes, per_step: bool = True, **options: Any) -> None:
        super().__init__(shapes, per_step, **options)
