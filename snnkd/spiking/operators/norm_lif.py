r"""``snnkd::norm_lif``: batch norm with the batch's own statistics, and the neuron behind it, in one.

.. math:: y = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}(x - \mu) + b, \qquad s = \mathrm{LIF}(y)

with :math:`\mu, \sigma^2` over time, batch and space of a channel. Forward reads the input twice (three times on the
CPU, where the mean is far from its first guess) and writes the spikes; :math:`y` exists in the cache only. Backward
gets :math:`\bar y` from the neuron's own backward, and then

.. math::

    \bar x = a\Big(\bar y - \tfrac1N\textstyle\sum\bar y - \hat x\,\tfrac1N\sum\bar y\hat x\Big), \quad
    \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \quad a = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}

which is :math:`\bar x = a\bar y + q x + r`, computed in place, with, per channel,
:math:`q = -\frac aN\frac{1}{\sqrt{\sigma^2 + \epsilon}}\sum\bar y\hat x` and :math:`r = -\frac aN\sum\bar y - q\mu`.
(Ioffe and Szegedy 2015.)
"""

from typing import Any

import torch
from torch import Tensor

from snnkd.spiking import backends
from snnkd.spiking.backends.kernels import Neuron, Want, state_dtype
from snnkd.spiking.operators.dispatch import nothing, operator
from snnkd.spiking.operators.memory import Memory, fake_gradients, fake_outputs, total

_NAMES = ("beta", "threshold", "mean", "weight", "bias")


def _memory(x: Tensor, state: Tensor | None, *parameters: Tensor | None) -> Memory:
    m = Memory(x.shape, x.stride(), x.dtype, state, *parameters, names=_NAMES)
    weight = parameters[3]
    assert weight is not None
    if weight.numel() != m.channels:
        # There is one mean for each of its values.
        raise ValueError(f"weight must hold one value per channel, {m.channels}, got {tuple(weight.shape)}")
    return m


@operator("norm_lif")
def norm_lif(
    x: Tensor,
    state: Tensor | None,
    beta: Tensor,
    threshold: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    surrogate: str,
    width: float,
    reset: str,
    reset_delay: bool,
    detach_reset: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spikes, the last state, and the batch's mean and (biased) variance ``(C,)``."""
    m = _memory(x, state, beta, threshold, None, weight, bias)
    neuron = Neuron(surrogate, width, reset, reset_delay, detach_reset)
    return backends.fused(x.device).norm_forward(m.ordered(x), m.state, m.parameters, eps, neuron)


@norm_lif.register_fake
def _(x: Tensor, state: Tensor | None, beta: Any, threshold: Any, weight: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    moments = x.new_empty(weight.numel(), dtype=state_dtype(x.dtype))
    return (*fake_outputs(x), moments, torch.empty_like(moments))


@operator("norm_lif_backward")
def norm_lif_backward(
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    state: Tensor | None,
    beta: Tensor,
    threshold: Tensor,
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    surrogate: str,
    width: float,
    reset: str,
    reset_delay: bool,
    detach_reset: bool,
    want_beta: bool,
    want_threshold: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, state, beta, threshold, weight and bias."""
    m = _memory(x, state, beta, threshold, mean, weight, bias)
    variance = m.per_channel("variance", variance)
    neuron = Neuron(surrogate, width, reset, reset_delay, detach_reset)
    want = Want(want_beta, want_threshold, affine=True, current=True)
    grads = m.grads(grad_spikes, grad_state)
    backend = backends.fused(x.device)
    g = backend.norm_backward(*grads, m.ordered(x), m.state, m.parameters, variance, eps, neuron, want)
    return (
        g.x,
        g.state,
        total(g.beta if want_beta else None, beta),
        total(g.threshold if want_threshold else None, threshold),
        total(g.scale, weight),
        total(g.bias, bias),
    )


@norm_lif_backward.register_fake
def _(
    grad_spikes: Any, grad_state: Any, x: Tensor, state: Tensor | None, beta: Tensor, threshold: Tensor, weight: Tensor,
    bias: Tensor, mean: Any, variance: Any, eps: Any, surrogate: Any, width: Any, reset: Any, reset_delay: Any,
    detach_reset: Any, want_beta: bool, want_threshold: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    return (
        *fake_gradients(x, state),
        torch.empty_like(beta) if want_beta else nothing(x.device),
        torch.empty_like(threshold) if want_threshold else nothing(x.device),
        torch.empty_like(weight),
        torch.empty_like(bias),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*output[2:])
    ctx.save_for_backward(*inputs[:6], *output[2:])
    ctx.choices = inputs[6:]


def _gradient(ctx: Any, grad_spikes: Tensor | None, grad_state: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
    needs = ctx.needs_input_grad
    grads = norm_lif_backward(grad_spikes, grad_state, *ctx.saved_tensors, *ctx.choices, needs[2], needs[3])
    return (*(g if need else None for g, need in zip(grads, needs[:6], strict=True)), *(None,) * 6)


norm_lif.register_autograd(_gradient, setup_context=_save)
norm_lif_backward.refuse_derivative()
