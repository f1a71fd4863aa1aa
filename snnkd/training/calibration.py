r"""Temperature scaling: probabilities that are as sure as the network is right (Guo et al., ICML 2017).

One number :math:`\tau` divides all logits, :math:`p = \mathrm{softmax}(z / \tau)`, which changes no answer. It is the
one under which the labels of validation are the most likely,

.. math:: \tau = \arg\min_\tau -\sum_i \log \mathrm{softmax}(z_i / \tau)_{y_i}

over the logits of every window of every clip there, as :class:`snnkd.Recognizer` tells windows. The sum is convex in
:math:`1/\tau`, so its derivative's only zero is found by halving.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from snnkd.models import EyeNetwork

SHARPEST, FLATTEST = 0.05, 20.0
"""The range that is looked in; a network that is always right, or never, ends at its bounds"""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature of ``logits (N, K)`` for ``labels (N,)``.

    Raises ``ValueError`` without any, and for logits that are not finite.
    """
    if not len(labels):
        raise ValueError("a temperature needs at least one label")
    z = logits.double()
    if not bool(z.isfinite().all()):
        raise ValueError("logits must be finite")
    right = z.gather(1, labels[:, None])[:, 0]
    low, high = 1 / FLATTEST, 1 / SHARPEST  # of 1/τ
    for _ in range(60):
        middle = (low + high) / 2
        slope = ((functional.softmax(middle * z, dim=1) * z).sum(1) - right).mean()
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 2 / (low + high)


@torch.no_grad()
def calibrated(network: EyeNetwork, batches: Any) -> dict[str, float]:
    """Return ``temperature`` and the likelihood of labels before and after it, over batches of clips.

    Args:
        network: on the device of its parameters; run in evaluation mode.
        batches: of a data loader, as the training's; without any the result is empty.
    """
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    logits, labels = [], []
    try:
        for batch in batches:
            z = network(network.take({key: value.to(device) for key, value in batch.items()})).float().cpu()
            logits.append(z.flatten(0, 1))
            labels.append(batch["labels"].cpu().repeat(len(z)))
    finally:
        network.train(training)
    if not labels:
        return {}
    z, y = torch.cat(logits), torch.cat(labels)
    temperature = fit_temperature(z, y)
    return {
        "temperature": round(temperature, 4),
        "val_window_nll": round(functional.cross_entropy(z, y).item(), 4),
        "val_window_nll_calibrated": round(functional.cross_entropy(z / temperature, y).item(), 4),
    }
