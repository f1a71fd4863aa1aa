"""Graph-enhanced distillation: the teacher's sample graph, denoised by a variational graph auto-encoder.

The auto-encoder is that of Kipf and Welling (2016, arXiv 1611.07308); that the student learns the denoised graph is the
graph enhancement of VGAE-GE.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.distill.objectives._logits import check_factor, zero
from snnkd.distill.objectives._relations import cosines, equal_batches, others, vectors
from snnkd.distill.objectives.term import Shapes, Term, View


def graph_enhanced(
    student_features: Tensor, edges: Tensor, bias: Tensor | float = 0.0, *, sharpness: float = 5.0
) -> Tensor:
    r"""The student's cosine graph as the denoised graph of the teacher has it.

    .. math::

        \mathcal L = \underset{i \ne j}{\mathrm{mean}}\; \mathrm{BCE}\big(\sigma(a \cos(h^s_i, h^s_j) + b),\;
            \mathrm{sg}\,\hat A_{ij}\big)

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``.
        edges: :math:`\hat A`, probabilities ``(B, B)``: see :class:`GraphEnhanced`. No gradient reaches it.
        bias: *b*. Firing rates are not below zero, and neither are their cosines: without it no pair could be told
            to have no edge.
        sharpness: *a* > 0.

    Raises:
        ValueError: edges of another batch, or a sharpness that is not above zero.
    """
    if not sharpness > 0:
        raise ValueError(f"sharpness must be above zero, got {sharpness}")
    student = vectors(student_features)
    number = len(student)
    if edges.shape != (number, number):
        raise ValueError(f"edges must be ({number}, {number}), got {tuple(edges.shape)}")
    if number < 2:
        return zero(student)
    pairs = others(number, student.device)
    return functional.binary_cross_entropy_with_logits(
        sharpness * cosines(student)[pairs] + bias, edges.detach()[pairs]
    )


def nearest_neighbours(features: Tensor, neighbours: int) -> Tensor:
    """Adjacency ``(B, B)`` of 0 and 1: an edge where one of two samples is among the other's nearest by cosine."""
    number = len(features)
    alike = cosines(features).masked_fill(~others(number, features.device), -math.inf)
    chosen = alike.topk(min(neighbours, number - 1), dim=1).indices
    directed = torch.zeros_like(alike).scatter(1, chosen, 1.0)
    return torch.maximum(directed, directed.T)


def evidence_bound(logits: Tensor, adjacency: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    r"""The negative evidence lower bound of a graph, per pair.

    .. math::

        \underset{i \ne j}{\mathrm{mean}}\; w_{ij}\,\mathrm{BCE}(\sigma(z_i^\top z_j), A_{ij}) + \frac1{B^2}\sum_i
            \mathrm{KL}\big(\mathcal N(\mu_i, \sigma_i^2)\,\|\,\mathcal N(0, 1)\big)

    with edges weighted so that they count as much as the pairs without one.
    """
    number = len(logits)
    pairs = others(number, logits.device)
    known, guessed = adjacency[pairs], logits[pairs]
    edges = known.sum().clamp(min=1)
    weight = torch.where(known > 0, (len(known) - edges).clamp(min=1) / edges, torch.ones_like(known))
    fit = functional.binary_cross_entropy_with_logits(guessed, known, weight)
    divergence = 0.5 * (mean.square() + (2 * log_deviation).exp() - 2 * log_deviation - 1).sum()
    return fit + divergence / number**2


class GraphEnhanced(Term):
    r""":func:`graph_enhanced` with an auto-encoder that learns beside it.

    The teacher's features give a graph of nearest neighbours *A*. Two graph convolutions,
    :math:`\mathrm{GCN}(X) = \tilde D^{-1/2}(A + I)\tilde D^{-1/2} X W`, encode it,

    .. math::

        H = \mathrm{ReLU}(\mathrm{GCN}_1(h_t)), \quad \mu = \mathrm{GCN}_\mu(H), \quad
        \log\sigma = \mathrm{GCN}_\sigma(H), \quad z = \mu + \sigma\epsilon, \quad
        \hat A = \sigma(z z^\top)

    trained on its evidence lower bound (:func:`evidence_bound`). What it makes of an edge that its neighbourhood does
    not bear out is what the student is taught. Noise :math:`\epsilon` is drawn in training only.

    Args:
        shapes: of both features.
        neighbours: of a sample, 1 or more.
        hidden, latent: widths of the encoder.
        bound_weight: of the auto-encoder's own loss, above zero: it shares no parameter with the student.
        sharpness: as of the function, whose bias is learned, beginning where a cosine of one half is undecided.
    """

    name = "graph_enhanced"
    function = graph_enhanced
    features = True

    def __init__(
        self,
        shapes: Shapes,
        neighbours: int = 3,
        hidden: int = 32,
        latent: int = 16,
        bound_weight: float = 1.0,
        sharpness: float = 5.0,
    ) -> None:
        super().__init__(shapes)
        assert shapes.teacher is not None
        if min(neighbours, hidden, latent) < 1:
            raise ValueError(f"neighbours, hidden and latent must be 1 or more, got {neighbours}, {hidden}, {latent}")
        check_factor(bound_weight=bound_weight)
        self.neighbours, self.bound_weight, self.sharpness = neighbours, bound_weight, sharpness
        self.bias = nn.Parameter(torch.tensor(-sharpness / 2))
        self.shared = nn.Linear(math.prod(shapes.teacher), hidden, bias=False)
        self.mean = nn.Linear(hidden, latent, bias=False)
        self.log_deviation = nn.Linear(hidden, latent, bias=False)

    def forward(self, view: View) -> Tensor:
        """Encode the teacher's graph, and match the student's to what is decoded."""
        assert view.student_features is not None
        assert view.teacher_features is not None
        student, teacher = equal_batches("graph_enhanced", view.student_features.mean(0), view.teacher_features.mean(0))
        if len(student) < 2:
            return torch.stack([zero(student), *map(zero, self.parameters())]).sum()
        adjacency = nearest_neighbours(teacher, self.neighbours).to(teacher.dtype)
        mean, log_deviation = self.encode(teacher, adjacency)
        z = mean
        if self.training:
            z = mean + log_deviation.exp() * torch.randn_like(mean)
        logits = z @ z.T
        bound = evidence_bound(logits, adjacency, mean, log_deviation)
        told = graph_enhanced(student, logits.sigmoid(), self.bias, sharpness=self.sharpness)
        return told + self.bound_weight * bound

    def encode(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the deviation of each sample's latent vector, ``(B, latent)`` each."""
        with_self = adjacency + torch.eye(len(adjacency), device=x.device, dtype=x.dtype)
        scale = with_self.sum(1).rsqrt()
        spread = scale.unsqueeze(1) * with_self * scale
        # Features of unit variance over the batch: the encoder must not depend on the teacher's scale.
        x = (x - x.mean(0)) / (x.var(0, unbiased=False).mean() + 1e-6).sqrt()
        hidden = functional.relu(spread @ self.shared(x))
        return spread @ self.mean(hidden), (spread @ self.log_deviation(hidden)).clamp(-5, 5)
