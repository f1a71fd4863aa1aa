"""``snnkd::li``: the leaky integrator; backward keeps its input where the decay is learned."""

from typing import Any

import torch
from torch import Tensor

from snnkd.spiking import backends
from snnkd.spiking.backends.kernels import Neuron, Want
from snnkd.spiking.operators.dispatch import nothing, operator
from snnkd.spiking.operators.memory import Memory, fake_gradients, fake_outputs, total

_INTEGRATOR = Neuron(fires=False)


@operator("li")
def li(x: Tensor, state: Tensor | None, beta: Tensor) -> tuple[Tensor, Tensor]:
    """Membranes ``(T, ...)`` and the last one."""
    m = Memory(x.shape, x.stride(), x.dtype, state, beta, torch.zeros_like(beta))
    return backends.fused(x.device).forward(m.ordered(x), m.state, m.parameters, _INTEGRATOR)


@li.register_fake
def _(x: Tensor, state: Tensor | None, beta: Tensor) -> tuple[Tensor, Tensor]:
    return fake_outputs(x)


@operator("li_backward")
def li_backward(
    grad_membranes: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    state: Tensor | None,
    beta: Tensor,
    want_beta: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, state and beta."""
    m = Memory(x.shape, x.stride(), x.dtype, state, beta, torch.zeros_like(beta))
    grads = m.grads(grad_membranes, grad_state)
    want = Want(beta=want_beta)
    g = backends.fused(x.device).backward(*grads, m.ordered(x), m.state, m.parameters, _INTEGRATOR, want)
    return g.x, g.state, total(g.beta if want_beta else None, beta)


@li_backward.register_fake
def _(
    grad_membranes: Any, grad_state: Any, x: Tensor, state: Tensor | None, beta: Tensor, want_beta: bool
) -> tuple[Tensor, Tensor, Tensor]:
    return (*fake_gradients(x, state), torch.empty_like(beta) if want_beta else nothing(x.device))


def _save(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Any) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs)


def _gradient(ctx: Any, grad_membranes: Tensor | None, grad_state: Tensor | None) -> tuple[Tensor | None, ...]:
    needs = ctx.needs_input_grad
    grads = li_backward(grad_membranes, grad_state, *ctx.saved_tensors, needs[2])
    return tuple(g if need else None for g, need in zip(grads, needs, strict=True))


li.register_autograd(_gradient, setup_context=_save)
li_backward.refuse_derivative()
