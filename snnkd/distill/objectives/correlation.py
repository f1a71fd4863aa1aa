"""Correlation distillation, plain and dissected (KDSR, arXiv 2401.07257)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.distill.objectives._logits import check_factor, check_temperature, zero
from snnkd.distill.objectives._relations import TINY, cosines, equal_batches, others, vectors
from snnkd.distill.objectives.term import Shapes, Term, View


def correlation(student_features: Tensor, teacher_features: Tensor, *, temperature: float = 1.5) -> Tensor:
    r"""How the samples of a batch correlate, as the teacher has it.

    .. math::

        \mathcal L = \frac1B\|C_s - C_t\|_F, \qquad C_{ij} = \exp(\cos(h_i, h_j)/\tau)

    The exponent, which stresses samples that are alike, and :math:`1/B`, which keeps the size when the batch's
    changes, are our reading. Widths need not be equal.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: ``(B, D')`` or ``(B, C', H', W')``. No gradient reaches it.
        temperature: :math:`\tau > 0`.

    Raises:
        ValueError: batches of different sizes, or a temperature that is not above zero.
    """
    check_temperature(temperature)
    student, teacher = equal_batches("correlation", student_features, teacher_features)
    gap = torch.exp(cosines(student) / temperature) - torch.exp(cosines(teacher) / temperature)
    return (gap.square().sum() + TINY).sqrt() / max(1, len(student))


def relation_codes(teacher: Tensor, subspaces: int, levels: int) -> Tensor:
    """How alike each pair is in each part of the teacher's features ``(B, D)``: codes ``(B, B, subspaces)``.

    The features less the batch's mean are split into ``subspaces`` of equal width (the last entries are left out where
    they do not divide), and the cosine of each pair in each, from -1 to 1, into ``levels`` of equal width. (Of features
    that are never below zero, as most teachers' are, half of the codes would not occur without the mean taken off.)
    """
    teacher = teacher - teacher.mean(0)
    width = teacher.shape[1] // subspaces
    parts = teacher[:, : subspaces * width].reshape(len(teacher), subspaces, width).transpose(0, 1)
    alike = torch.stack([cosines(part) for part in parts], dim=-1)
    return ((alike + 1) / 2 * levels).long().clamp(0, levels - 1)


class Correlation(Term):
    r""":func:`correlation`, and in a second part the relations dissected.

    The teacher's features are split into subspaces and each pair's relation in each is quantised to a code
    (:func:`relation_codes`), which a perceptron on :math:`|h_i - h_j|` of the student's must predict:

    .. math::

        \mathcal L = \mathcal L_{corr} + \lambda\,\underset{i \ne j,\,m}{\mathrm{mean}}\;
            \mathrm{CE}\big(\mathrm{MLP}_m(|h^s_i - h^s_j|),\; q^m_{ij}\big)

    The source trains the part that is bound to a modality asynchronously, at a lower rate: here the perceptron's
    parameters are what :meth:`slow_parameters` gives, and the training module lowers their rate.

    Args:
        shapes: of both features.
        temperature: of the plain part.
        dissected_weight: :math:`\lambda`, zero or above.
        subspaces, levels, hidden: parts of the teacher's feature, codes of each, width of the perceptron.
    """

    name = "correlation"
    function = correlation
    features = True

    def __init__(
        self,
        shapes: Shapes,
        temperature: float = 1.5,
        dissected_weight: float = 1.0,
        subspaces: int = 8,
        levels: int = 4,
        hidden: int = 64,
    ) -> None:
        super().__init__(shapes)
        assert shapes.student is not None
        assert shapes.teacher is not None
        check_temperature(temperature)
        check_factor(dissected_weight=dissected_weight)
        if not 1 <= subspaces <= math.prod(shapes.teacher) or levels < 2 or hidden < 1:
            raise ValueError(
                f"subspaces must be from 1 to {math.prod(shapes.teacher)}, levels 2 or more and hidden 1 or more, got "
                f"{subspaces}, {levels} and {hidden}"
            )
        self.temperature, self.dissected_weight = temperature, dissected_weight
        self.subspaces, self.levels = subspaces, levels
        self.predict = nn.Sequential(
            nn.Linear(math.prod(shapes.student), hidden), nn.ReLU(), nn.Linear(hidden, subspaces * levels)
        )

    def slow_parameters(self) -> list[nn.Parameter]:
        """The perceptron's."""
        return list(self.predict.parameters())

    def forward(self, view: View) -> Tensor:
        """Both parts, of the means over time."""
        assert view.student_features is not None
        assert view.teacher_features is not None
        student, teacher = vectors(view.student_features.mean(0)), vectors(view.teacher_features.mean(0)).detach()
        plain = correlation(student, teacher, temperature=self.temperature)
        if len(student) < 2:
            return plain + zero(self.predict(student))
        pairs = others(len(student), student.device)
        codes = relation_codes(teacher, self.subspaces, self.levels)[pairs]
        # The first layer is linear up to |.|, which is not: the pairs have to be formed.
        apart = (student.unsqueeze(0) - student.unsqueeze(1)).abs()[pairs]
        scores = self.predict(apart).view(-1, self.subspaces, self.levels)
        dissected = functional.cross_entropy(scores.flatten(0, 1), codes.flatten())
        return plain + self.dissected_weight * dissected
