r"""Counting operations from the tensors that really flowed.

A **synaptic operation** is one nonzero input meeting one nonzero weight. For a convolution with input :math:`x` and
weights :math:`W` their number is

.. math::

    \mathrm{SOP} = \sum_{\text{outputs}} \big([x \ne 0] * \textstyle\sum_o [W_o \ne 0]\big)

that is a convolution of the input's nonzeros with the count of nonzero weights per tap, which is exact at padded
borders, for any stride, dilation and groups, and for pruned weights, and costs one output channel instead of all.

Where every input is 0 or one and the same value *c* (a spike, or a spike scaled: *c* folds into the weights) an
operation is an accumulate (AC). Any other input is counted dense, one multiply-accumulate (MAC) per input value inside
the border and nonzero weight, zeros included: hardware that multiplies does not skip them. Sums of spikes {0, 1, 2} are
among the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.spiking import LI, LIF

SYNAPTIC = (nn.Conv2d, nn.Linear)


@dataclass
class LayerCount:
    """Totals of one layer over all samples and time steps that it saw."""

    name: str
    kind: str
    neuron: bool = False
    """Whether the layer holds neurons, and no synapses"""
    fires: bool = False
    """Whether these fire"""
    binary: bool = True
    """Whether all inputs so far were 0 or one value"""
    level: float | None = None
    """That value"""
    nonzero_operations: float = 0.0
    """Nonzero input meets nonzero weight"""
    dense_operations: float = 0.0
    """Input value, zero or not, meets nonzero weight"""
    neuron_updates: float = 0.0
    """Membranes updated: one multiplication and one addition each"""
    spikes: float = 0.0
    input_nonzeros: float = 0.0
    input_values: float = 0.0

    @property
    def acs(self) -> float:
        """Accumulates: the nonzero operations of a layer whose inputs are all binary."""
        return self.nonzero_operations if self.binary else 0.0

    @property
    def macs(self) -> float:
        """Multiply-accumulates: the dense operations of a layer that saw any other input."""
        return 0.0 if self.binary else self.dense_operations


class Counter:
    """Counts while active: ``with Counter(network) as counter: network(x)``; then read ``counter.layers``.

    Convolutions, linear layers, LIF and LI are counted. ``uncounted`` names modules with weights of their own that
    are not; batch norm is not among them, because it is folded into the convolution before it.

    Raises:
        ValueError: on a NaN or infinite activation, naming the layer.
    """

    def __init__(self, network: nn.Module) -> None:
        self._modules = [
            (name or type(m).__name__, m) for name, m in network.named_modules() if isinstance(m, (*SYNAPTIC, LIF, LI))
        ]
        self.layers = {
            name: LayerCount(name, type(m).__name__, isinstance(m, LIF | LI), isinstance(m, LIF))
            for name, m in self._modules
        }
        counted = (*SYNAPTIC, LIF, LI, nn.BatchNorm2d, nn.BatchNorm1d)
        self.uncounted = [
            f"{name} ({type(m).__name__})"
            for name, m in network.named_modules()
            if next(m.parameters(recurse=False), None) is not None and not isinstance(m, counted)
        ]
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "Counter":
        """Start counting."""
        for name, module in self._modules:
            self._handles.append(module.register_forward_hook(self._hook(self.layers[name])))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop counting."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hook(self, layer: LayerCount) -> Callable[..., None]:
        @torch.no_grad()
        def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
            x = inputs[0].detach()
            if not torch.isfinite(x).all():
                raise ValueError(f"layer {layer.name}: its input holds NaN or infinite values")
            if isinstance(module, LIF | LI):
                layer.neuron_updates += x.numel()
                if isinstance(module, LIF):
                    layer.spikes += float(torch.count_nonzero(output[0]))
                return
            assert isinstance(module, nn.Conv2d | nn.Linear)
            nonzero = x != 0
            if layer.binary and nonzero.any():
                layer.level = layer.level if layer.level is not None else float(x[nonzero][0])
                layer.binary = bool(((x == layer.level) == nonzero).all())
            layer.input_nonzeros += float(torch.count_nonzero(nonzero))
            layer.input_values += x.numel()
            layer.nonzero_operations += operations(module, nonzero)
            layer.dense_operations += operations(module, torch.ones_like(nonzero[:1])) * (
                x.numel() / nonzero[:1].numel()
            )

        return count


def operations(module: nn.Conv2d | nn.Linear, active: Tensor) -> float:
    """Count pairs of an active input and a nonzero weight.

    ``active`` is boolean, ``(N, C, H, W)`` for a convolution and ``(..., D)`` for a linear layer.
    """
    taps = module.weight != 0
    if isinstance(module, nn.Linear):
        per_input = active.reshape(-1, active.shape[-1]).sum(0, dtype=torch.float64)
        return float(per_input @ taps.sum(0, dtype=torch.float64))
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise ValueError(f"cannot count a convolution with padding {module.padding!r} ({module.padding_mode})")
    groups = module.groups
    # Weights (out, in/groups, kh, kw): sum over the outputs of each group; fp32 holds these counts exactly.
    kernel = taps.unflatten(0, (groups, -1)).sum(1, dtype=torch.float32)
    pairs = functional.conv2d(active.float(), kernel, None, module.stride, module.padding, module.dilation, groups)
    return float(pairs.sum(dtype=torch.float64))
