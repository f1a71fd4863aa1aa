r"""A price for synaptic operations: energy that a training can feel.

Spikes are not alike: one that meets many weights costs more. With :math:`f_{l,i}` the nonzero weights that input *i* of
layer *l* meets (its fan-out: exact at borders, for any stride, padding, dilation and groups, and for pruned weights),

.. math::

    \mathrm{SOP} = \sum_{l,t,i} s_{l,i}[t]\, f_{l,i}, \qquad
    \mathcal R = \max\Big(0,\; \frac{\mathrm{SOP}}{D} - r^*\Big), \qquad D = \sum_{l,t,i} f_{l,i}

*D* being the operations of the same layers without spikes. SOP is linear in the spikes, so that the gradient of each is
its fan-out, and goes on through the surrogate. Dropout leaves its expectation as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from snnkd.energy.counting import fan_out

SYNAPSES = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


class Operations:
    """Synaptic operations of one forward pass: a differentiable count, and that of the same layers without spikes."""

    def __init__(self) -> None:
        self.counts: list[Tensor] = []
        self.dense = 0.0

    @property
    def total(self) -> Tensor:
        """SOP of the whole batch, a scalar."""
        return torch.stack(self.counts).sum() if self.counts else torch.zeros(())

    def share(self) -> Tensor:
        """SOP / D."""
        return self.total / max(self.dense, 1.0)

    def add(self, layer: nn.Module, x: Tensor) -> None:
        """Count what a layer is given."""
        f = fan_out_of(layer, x).to(x.device)
        self.counts.append((x.float() * f).sum(dtype=torch.float64 if x.numel() > 1 << 24 else None).float())
        self.dense += float(f.sum()) * (x.numel() // max(f.numel(), 1))


def energy_price(operations: Operations, target: float) -> Tensor:
    r"""The price :math:`\mathcal R` of a forward pass.

    Raises:
        ValueError: a target out of range, or a pass in which no layer with weights saw spikes.
    """
    if not 0 <= target <= 1:
        raise ValueError(f"target must be from 0 to 1, got {target}")
    if not operations.counts:
        raise ValueError("no layer saw spikes: there is nothing to price")
    return (operations.share() - target).clamp(min=0)


@torch.no_grad()
def fan_out_of(layer: nn.Module, x: Tensor) -> Tensor:
    """Fan-out of each entry of a row of a layer's input: ``(N, C, ...)`` to ``(C, ...)``, ``(…, K)`` to ``(K,)``."""
    if isinstance(layer, nn.Linear):
        return fan_out.of_matrix(layer.weight.t())
    assert isinstance(layer, nn.modules.conv._ConvNd)
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise ValueError(f"a convolution with padding {layer.padding!r} ({layer.padding_mode}) has no fan-out here")
    settings = (layer.stride, layer.padding, layer.dilation, layer.transposed, layer.output_padding, layer.groups)
    return fan_out.of_convolution(x.shape, layer.weight, *settings)


@contextmanager
def recorded_operations(network: nn.Module) -> Iterator[Operations]:
    """Count the synaptic operations of the passes inside, of layers past the first: in a student these see spikes.

    Fan-outs are worked out anew for each training step, as pruning changes them; they cost one small convolution.
    """
    found = Operations()
    layers = [module for module in network.modules() if isinstance(module, SYNAPSES)][1:]

    def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.add(layer, inputs[0])

    handles = [layer.register_forward_pre_hook(hook) for layer in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
