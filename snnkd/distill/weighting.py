"""Weights of the terms that are learned with the student (Kendall et al. 2018, arXiv 1705.07115)."""

from collections.abc import Collection

import torch
from torch import Tensor, nn


class LearnedWeights(nn.Module):
    r"""Each term's weight as the inverse of a learned variance:

    .. math::

        \mathcal L = \sum_i \tfrac12 e^{-s_i}\,\mathcal L_i + \tfrac12 s_i, \qquad s_i = \log\sigma_i^2

    A term that stays large gets a small weight, and :math:`s_i` keeps weights from all going to zero. The start,
    :math:`s_i = -\log(2w_i)`, makes the first step that of the fixed weights :math:`w_i`. Weights stay within
    :math:`e^{\pm 4}` of where they began, :math:`s_i` being its start :math:`+ 4\tanh(r_i/4)` of the parameter
    :math:`r_i`, so that a term near zero cannot take over, and none is caught at the bound.

    Args:
        names: of the terms.
        weights: :math:`w_i`, above zero.

    Raises:
        ValueError: a weight that is not above zero.
    """

    start: Tensor

    def __init__(self, names: list[str], weights: list[float]) -> None:
        super().__init__()
        for name, weight in zip(names, weights, strict=True):
            if not weight > 0:
                raise ValueError(f"{name}: a learned weight must begin above zero, got {weight}")
        self.names = names
        self.register_buffer("start", -torch.log(2 * torch.tensor(weights)), persistent=False)
        self.moved = nn.Parameter(torch.zeros(len(weights)))

    def bounded(self) -> Tensor:
        """:math:`s`, within 4 of its start."""
        return self.start + 4 * torch.tanh(self.moved / 4)

    def forward(self, losses: dict[str, Tensor], absent: Collection[str] = ()) -> dict[str, Tensor]:
        """Return each term of the sum by name, its share of the penalty included.

        ``absent`` are terms that the batch said nothing of, such as of labels that it does not have: they are zero,
        and their weights do not move.
        """
        s = self.bounded()
        parts = {name: 0.5 * (torch.exp(-s[i]) * losses[name] + s[i]) for i, name in enumerate(self.names)}
        return {name: 0 * part if name in absent else part for name, part in parts.items()}

    @torch.no_grad()
    def weights(self) -> dict[str, float]:
        """Return the present weights by name."""
        return dict(zip(self.names, (0.5 * torch.exp(-self.bounded())).tolist(), strict=True))
