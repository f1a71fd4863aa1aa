"""How much a network fires while it is trained, and a price for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from snnkd.spiking import LIF


def spike_rate_penalty(rates: Tensor, target: float) -> Tensor:
    r"""Price of layers that fire more than a target.

    .. math::

        \mathcal R = \frac1L\sum_l \max(0,\; r_l - r^*)^2

    with :math:`r_l` the spikes of a layer per neuron and step. One-sided: a layer that gets by with fewer spikes costs
    less energy, and a layer that has fallen silent is what the loss itself speaks against.

    Args:
        rates: ``(L,)``.
        target: :math:`r^*`, from 0 to 1.

    Raises:
        ValueError: no rates, or a target out of range.
    """
    if rates.ndim != 1 or not len(rates):
        raise ValueError(f"rates must be one of each spiking layer (L,), got {tuple(rates.shape)}")
    if not 0 <= target <= 1:
        raise ValueError(f"target must be from 0 to 1, got {target}")
    return (rates - target).clamp(min=0).square().mean()


@contextmanager
def recorded_rates(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the mean of the spikes of each of this library's spiking layers that runs, with its gradient."""
    rates: list[Tensor] = []

    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        rates.append(output[0].float().mean())

    handles = [module.register_forward_hook(hook) for module in network.modules() if isinstance(module, LIF)]
    try:
        yield rates
    finally:
        for handle in handles:
            handle.remove()


def stacked(rates: list[Tensor]) -> Tensor:
    """As one tensor ``(L,)``."""
    return torch.stack(rates) if rates else torch.zeros(0)
