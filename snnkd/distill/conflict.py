"""Gradients that disagree (Yu et al. 2020, "Gradient Surgery for Multi-Task Learning", arXiv 2001.06782)."""

from collections.abc import Sequence

import torch
from torch import Tensor


def project_conflicts(gradients: Sequence[Tensor], order: Sequence[Sequence[int]] | None = None) -> Tensor:
    r"""Sum gradients after each gave up what works against another.

    For each gradient :math:`g_i`, and in turn for each other :math:`g_j` with :math:`g_i^{pc} \cdot g_j < 0`,

    .. math::

        g_i^{pc} \leftarrow g_i^{pc} - \frac{g_i^{pc} \cdot g_j}{\|g_j\|^2}\, g_j, \qquad g = \sum_i g_i^{pc}

    beginning with :math:`g_i^{pc} = g_i`. Two gradients in conflict end at right angles to each other's origin; those
    that agree are summed as they are. A zero gradient conflicts with none.

    Args:
        gradients: of the same parameters, flat, ``(P,)`` each.
        order: for each gradient the others in the order they are looked at; with three or more the result depends on
            it. Drawn from torch's generator when left out, as the authors do.

    Returns:
        ``(P,)``.

    Raises:
        ValueError: no gradients, or of different lengths.
    """
    if not gradients or len({tuple(g.shape) for g in gradients}) > 1 or gradients[0].ndim != 1:
        raise ValueError(f"gradients must be flat and of one length, got {[tuple(g.shape) for g in gradients]}")
    squares = [float(g.dot(g)) for g in gradients]
    total = torch.zeros_like(gradients[0])
    for i, gradient in enumerate(gradients):
        others = [j for j in range(len(gradients)) if j != i]
        turn = [others[k] for k in torch.randperm(len(others)).tolist()] if order is None else order[i]
        kept = gradient
        for j in turn:
            along = float(kept.dot(gradients[j]))
            if along < 0 < squares[j]:
                kept = kept - along / squares[j] * gradients[j]
        total += kept
    return total
