"""Distillation experts (DE-RRD, Kang et al., CIKM 2020, arXiv 2012.04357)."""

import math

import torch
from torch import Tensor, nn

from snnkd.distill.objectives._relations import vectors
from snnkd.distill.objectives.term import Shapes, Term, View


def distillation_experts(student_features: Tensor, teacher_features: Tensor, gates: Tensor) -> Tensor:
    r"""Each sample's teacher feature reconstructed by the expert that is chosen for it.

    .. math::

        \mathcal L = \frac1B\sum_b \frac1D\Big\|h_t - \sum_m g_m E_m(h_s)\Big\|^2, \qquad
        g = \mathrm{softmax}\Big(\frac{\log \mathrm{gate}(h_t) + \mathrm{Gumbel}}{T}\Big)

    One expert for all samples would blur what a small student can keep of a large teacher. :math:`1/D` makes the size
    independent of the width; in the source it is a sum.

    Args:
        student_features: :math:`E_m(h_s)`, the experts' answers, ``(B, M, D)``: see :class:`DistillationExperts`.
        teacher_features: ``(B, D)`` or ``(B, C, H, W)``, flattened. No gradient reaches it.
        gates: *g*, ``(B, M)``, which sums to one.

    Raises:
        ValueError: shapes that do not fit.
    """
    teacher = vectors(teacher_features.detach())
    expected = (len(teacher), gates.shape[-1], teacher.shape[1])
    if student_features.shape != expected or len(gates) != len(teacher):
        raise ValueError(f"experts' answers must be (B, M, D) {expected}, got {tuple(student_features.shape)}")
    answer = (gates.unsqueeze(-1) * student_features).sum(1)
    return (answer - teacher).square().mean()


class DistillationExperts(Term):
    r""":func:`distillation_experts` with learned experts, two-layer perceptrons, and a learned gate.

    The gate is a softmax of a linear map of the teacher's feature. The temperature falls from ``temperature`` to
    ``coldest`` as :math:`T = T_0 (T_1/T_0)^p` with the progress *p*; noise is drawn in training only.

    Args:
        shapes: of both features.
        experts: *M*, 1 or more.
        hidden: width of an expert.
        temperature, coldest: at the start and at the end, above zero.
    """

    name = "distillation_experts"
    function = distillation_experts
    features = True

    def __init__(
        self, shapes: Shapes, experts: int = 4, hidden: int = 64, temperature: float = 1.0, coldest: float = 0.1
    ) -> None:
        super().__init__(shapes)
        assert shapes.student is not None
        assert shapes.teacher is not None
        if experts < 1 or hidden < 1:
            raise ValueError(f"experts and hidden must be 1 or more, got {experts} and {hidden}")
        if not (temperature > 0 and coldest > 0):
            raise ValueError(f"temperature and coldest must be above zero, got {temperature} and {coldest}")
        self.temperature, self.coldest = temperature, coldest
        before, after = math.prod(shapes.student), math.prod(shapes.teacher)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(before, hidden), nn.ReLU(), nn.Linear(hidden, after)) for _ in range(experts)
        )
        self.gate = nn.Linear(after, experts)

    def forward(self, view: View) -> Tensor:
        """Choose and reconstruct."""
        assert view.student_features is not None
        assert view.teacher_features is not None
        student, teacher = vectors(view.student_features.mean(0)), vectors(view.teacher_features.mean(0))
        answers = torch.stack([expert(student) for expert in self.experts], dim=1)
        return distillation_experts(answers, teacher, self.gates(teacher.detach(), view.progress))

    def gates(self, teacher: Tensor, progress: float) -> Tensor:
        """Weights of the experts for teacher features ``(B, D)``: ``(B, M)``."""
        scores = self.gate(teacher).log_softmax(-1)
        if self.training:
            scores = scores - torch.empty_like(scores).exponential_().log()  # plus Gumbel noise
        heat = self.temperature * (self.coldest / self.temperature) ** progress
        return (scores / heat).softmax(-1)
