"""The reference backend: the definition of the neuron, one PyTorch operation per term.

Every other backend is held against this one. It runs on any device, keeps autograd's whole graph alive, and
supports double backward.
"""

import torch
from torch import Tensor

from snnkd.spiking.surrogate import SpikeFunction


def lif(
    x: Tensor,
    beta: Tensor,
    threshold: Tensor,
    spike: SpikeFunction,
    reset: str,
    reset_delay: bool,
    detach_reset: bool,
    v: Tensor,
) -> tuple[Tensor, Tensor]:
    """Run the recurrence of :func:`snnkd.spiking.lif` over the first axis of ``x``.

    ``x`` is ``(T, ...)``, ``v`` is ``(...)`` in fp32 (fp64 for fp64 input), ``beta`` and ``threshold`` broadcast
    against ``v``. Returns the spikes ``(T, ...)`` in the dtype of ``x`` and the last state.
    """
    spikes = []
    for current in x.to(v.dtype):
        if reset_delay:
            # The previous step's spike, recomputed from its membrane, resets now.
            r = spike(v - threshold)
            r = r.detach() if detach_reset else r
            if reset == "subtract":
                v = beta * v + current - r * threshold
            elif reset == "zero":
                v = beta * ((1 - r) * v) + current
            else:
                v = beta * v + current
            s = spike(v - threshold)
        else:
            h = beta * v + current
            s = spike(h - threshold)
            r = s.detach() if detach_reset else s
            if reset == "subtract":
                v = h - threshold * r
            elif reset == "zero":
                v = (1 - r) * h
            else:
                v = h
        spikes.append(s)
    if not spikes:
        return torch.empty_like(x), v
    return torch.stack(spikes).to(x.dtype), v


def li(x: Tensor, beta: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Run the leaky integrator ``v[t] = beta·v[t−1] + x[t]``; returns all ``v`` ``(T, ...)`` and the last."""
    trace = []
    for current in x.to(v.dtype):
        v = beta * v + current
        trace.append(v)
    if not trace:
        return torch.empty_like(x), v
    return torch.stack(trace).to(x.dtype), v
