"""``snnkd::lif_two_bit``: the rectangular surrogate with a detached reset; backward keeps two bits a step.

Where :math:`w` says whether the membrane lay in the surrogate's window, the gradient needs the bits :math:`s` and
:math:`w` and nothing else, so that the input is free to go. The gradients of ``beta`` and ``threshold`` would need the
membranes: not here.
"""

from typing import Any

import torch
from torch import Tensor

from snnkd.spiking import backends
from snnkd.spiking.backends.kernels import Neuron
from snnkd.spiking.operators.dispatch import operator
from snnkd.spiking.operators.memory import Memory, fake_gradients, fake_outputs


@operator("lif_two_bit")
def lif_two_bit(
    x: Tensor, state: Tensor | None, beta: Tensor, threshold: Tensor, width: float, reset: str, reset_delay: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes, the last state, and the bits ``(T, ceil(M / 4))``."""
    m = Memory(x.shape, x.stride(), x.dtype, state, beta, threshold)
    neuron = Neuron("rectangle", width, reset, reset_delay)
    return backends.fused(x.device).forward_two_bit(m.ordered(x), m.state, m.parameters, neuron)


@lif_two_bit.register_fake
def _(x: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    bits = torch.empty((x.shape[0], (x.shape[1:].numel() + 3) // 4), dtype=torch.uint8, device=x.device)
    return (*fake_outputs(x), bits)


@operator("lif_two_bit_backward")
def lif_two_bit_backward(
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    bits: Tensor,
    state: Tensor | None,
    beta: Tensor,
    threshold: Tensor,
    width: float,
    reset: str,
    reset_delay: bool,
    shape: list[int],
    strides: list[int],
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Gradients of an input of ``shape``, ``strides`` and ``dtype``, and of the state."""
    m = Memory(shape, strides, dtype, state, beta, threshold)
    grads = m.grads(grad_spikes, grad_state)
    neuron = Neuron("rectangle", width, reset, reset_delay)
    x = torch.empty_strided(shape, m.strides, dtype=dtype, device=bits.device)
    before = backends.fused(bits.device).backward_two_bit_(x, *grads, bits, m.state, m.parameters, neuron)
    return x, before


@lif_two_bit_backward.register_fake
def _(
    grad_spikes: Any, grad_state: Any, bits: Tensor, state: Any, beta: Any, threshold: Any,
    width: Any, reset: Any, reset_delay: Any, shape: list[int], strides: list[int], dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return fake_gradients(torch.empty_strided(shape, strides, dtype=dtype, device=bits.device), state)


def _save_bits(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, state, beta, threshold, *choices = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[2])
    ctx.save_for_backward(output[2], state, beta, threshold)
    ctx.choices = (*choices, list(x.shape), list(x.stride()), x.dtype)


def _gradient(
    ctx: Any, grad_spikes: Tensor | None, grad_state: Tensor | None, _bits: None
) -> tuple[Tensor | None, ...]:
    grads = lif_two_bit_backward(grad_spikes, grad_state, *ctx.saved_tensors, *ctx.choices)
    found = [g if need else None for g, need in zip(grads, ctx.needs_input_grad, strict=False)]
    return (*found, None, None, None, None, None)


lif_two_bit.register_autograd(_gradient, setup_context=_save_bits)
lif_two_bit_backward.refuse_derivative()
