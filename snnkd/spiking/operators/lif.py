"""``snnkd::lif``: the neuron; backward keeps its input and recomputes the membranes."""

from typing import Any

import torch
from torch import Tensor

from snnkd.spiking import backends
from snnkd.spiking.backends.kernels import Neuron, Want
from snnkd.spiking.operators.dispatch import nothing, operator
from snnkd.spiking.operators.memory import Memory, fake_gradients, fake_outputs, total


@operator("lif")
def lif(
    x: Tensor,
    state: Tensor | None,
    beta: Tensor,
    threshold: Tensor,
    mean: Tensor | None,
    scale: Tensor | None,
    bias: Tensor | None,
    surrogate: str,
    width: float,
    reset: str,
    reset_delay: bool,
    detach_reset: bool,
) -> tuple[Tensor, Tensor]:
    """Run the neuron, on ``scale·(x − mean) + bias`` where these are given (each ``(C,)``)."""
    m = Memory(x.shape, x.stride(), x.dtype, state, beta, threshold, mean, scale, bias)
    neuron = Neuron(surrogate, width, reset, reset_delay, detach_reset)
    return backends.fused(x.device).forward(m.ordered(x), m.state, m.parameters, neuron)


@lif.register_fake
def _(x: Tensor, state: Tensor | None, *rest: Any) -> tuple[Tensor, Tensor]:
    return fake_outputs(x)


@operator("lif_backward")
def lif_backward(
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    state: Tensor | None,
    beta: Tensor,
    threshold: Tensor,
    mean: Tensor | None,
    scale: Tensor | None,
    bias: Tensor | None,
    surrogate: str,
    width: float,
    reset: str,
    reset_delay: bool,
    detach_reset: bool,
    want_beta: bool,
    want_threshold: bool,
    want_affine: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, state, beta, threshold, scale and bias."""
    m = Memory(x.shape, x.stride(), x.dtype, state, beta, threshold, mean, scale, bias)
    neuron = Neuron(surrogate, width, reset, reset_delay, detach_reset)
    want = Want(want_beta, want_threshold, want_affine)
    grads = m.grads(grad_spikes, grad_state)
    g = backends.fused(x.device).backward(*grads, m.ordered(x), m.state, m.parameters, neuron, want)
    return (
        g.x,
        g.state,
        total(g.beta if want_beta else None, beta),
        total(g.threshold if want_threshold else None, threshold),
        total(g.scale, scale),
        total(g.bias, bias),
    )


@lif_backward.register_fake
def _(
    grad_spikes: Any, grad_state: Any, x: Tensor, state: Tensor | None, beta: Tensor, threshold: Tensor,
    mean: Any, scale: Tensor | None, bias: Tensor | None, surrogate: Any, width: Any, reset: Any, reset_delay: Any,
    detach_reset: Any, want_beta: bool, want_threshold: bool, want_affine: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    return (
        *fake_gradients(x, state),
        torch.empty_like(beta) if want_beta else nothing(x.device),
        torch.empty_like(threshold) if want_threshold else nothing(x.device),
        torch.empty_like(scale) if want_affine and scale is not None else nothing(x.device),
        torch.empty_like(bias) if want_affine and bias is not None else nothing(x.device),
    )


def _save_input(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs[:7])
    ctx.choices = inputs[7:]


def _lif_gradient(ctx: Any, grad_spikes: Tensor | None, grad_state: Tensor | None) -> tuple[Tensor | None, ...]:
    needs = ctx.needs_input_grad
    if needs[4]:
        raise RuntimeError("the mean of lif's affine current has no gradient: detach it, or use norm_lif")
    # `want_affine` is for both: one costs nothing without the other.
    want = (needs[2], needs[3], needs[5] or needs[6])
    x, state, b, th, scale, bias = lif_backward(grad_spikes, grad_state, *ctx.saved_tensors, *ctx.choices, *want)
    found = (x, state, b, th, None, scale, bias)
    return (*(g if need else None for g, need in zip(found, needs[:7], strict=True)), *(None,) * 5)


lif.register_autograd(_lif_gradient, setup_context=_save_input)
lif_backward.refuse_derivative()
