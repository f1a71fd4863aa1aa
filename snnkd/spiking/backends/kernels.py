"""What a fused backend is: the words that its kernels and the operators above share.

Kernels see memory and not shapes. ``x`` is ``(T, ...)`` with steps that follow each other without gaps. The ``M``
neurons of a step lie in whichever order of axes that is (all tensors of a call have the same), and neuron ``m`` of
memory has the parameters of channel ``(m // inner) % C``. That covers a single value (``C = 1``), ``(T, B, C, H, W)``
in rows (``inner = H·W``) and channels-last (``inner = 1``).

A fused backend is a module with these functions; ``x``, gradients of spikes and gradients of ``x`` have the dtype of
``x``, everything else the state's (fp32, or fp64 for fp64 input). No state is rest, and then has no gradient:

``forward(x (T, ...), state (...) | None, parameters, neuron) -> spikes (T, ...), state (...)``
``backward(grad_spikes | None, grad_state | None, x, state | None, parameters, neuron, want) -> Gradients``
``forward_two_bit(x, state | None, parameters, neuron) -> spikes, state, bits (T, ceil(M / 4)) uint8``
``backward_two_bit_(grad_x, grad_spikes | None, grad_state | None, bits, state | None, parameters, neuron)
-> grad_state | None``, and ``grad_x (T, ...)`` is filled in
``pack(x (N,)) -> uint8 (ceil(N / 8),)`` and ``unpack(bits, N, dtype) -> (N,)``: one bit a value, 1 where it is not 0
``norm_forward(x, state | None, parameters, eps, neuron) -> spikes (T, ...), state (...), mean (C,), variance (C,)``:
moments of the batch, over time and all neurons of a channel; the variance is biased
``norm_backward(grad_spikes | None, grad_state | None, x, state | None, parameters, variance, eps, neuron, want)
-> Gradients``, of which ``scale`` is that of the weight; ``want.affine`` and ``want.current`` count as set, since the
gradient of ``x`` needs that of the current and its sums, which are those of weight and bias

The last two take batch norm's weight as ``parameters.scale``, and backward the mean as ``parameters.mean``. All
allocate what they return, each tensor its own memory; none changes an argument unless its name ends in an underscore;
none keeps a tensor.
"""

from typing import NamedTuple

import torch
from torch import Tensor

RESETS = ("subtract", "zero", "none")


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of states for an input's: fp32, and fp64 for fp64."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def in_dtype(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Return values in a dtype, and at once if they have it: the smallest layers feel every operation."""
    return values if values.dtype == dtype else values.to(dtype)


def not_finite(**named: Tensor | None) -> str:
    """Say which of the arguments made a membrane NaN or infinite."""
    for name, value in named.items():
        if value is None or (good := torch.isfinite(value)).all():
            continue
        bad = int(value.numel() - good.sum())
        first = f", first at time step {int((~good.flatten(1)).any(1).nonzero()[0])}" if name == "x" else ""
        return f"{name} must be finite, got {bad} NaN or infinite values of {value.numel()}{first}"
    return "the membrane overflowed although x is finite: is beta above 1?"


def extent(x: Tensor) -> tuple[int, int]:
    """Return the steps ``T`` of ``x (T, ...)`` and the neurons ``M`` of one."""
    return x.shape[0], x.shape[1:].numel()


def new_state(x: Tensor) -> Tensor:
    """Return uninitialised memory for the state of one step of ``x``, in its order."""
    return torch.empty_strided(x.shape[1:], x.stride()[1:], dtype=state_dtype(x.dtype), device=x.device)


class Neuron(NamedTuple):
    """The choices that make up a neuron, apart from its parameters."""

    surrogate: str = "atan"
    width: float = 2.0
    reset: str = "subtract"
    reset_delay: bool = False
    detach_reset: bool = True
    fires: bool = True
    """``False`` for the leaky integrator: the output is the membrane, there is no reset and no threshold."""


class Parameters(NamedTuple):
    """Values per channel, each ``(C,)`` in the state's dtype, and where a channel's neurons lie."""

    beta: Tensor
    threshold: Tensor
    inner: int
    mean: Tensor | None = None
    scale: Tensor | None = None
    bias: Tensor | None = None
    """With these three the current is ``scale·(x − mean) + bias`` in place of ``x``; all or none are given."""


class Want(NamedTuple):
    """Which gradients beside those of ``x`` and the state are asked for."""

    beta: bool = False
    threshold: bool = False
    affine: bool = False
    """Gradients of ``scale`` and ``bias``."""
    current: bool = False
    """Return the gradient of the current (``scale·(x − mean) + bias``) in place of that of ``x``."""


class Gradients(NamedTuple):
    """Of ``x (T, ...)`` (or of the current), the state ``(...)``, and totals per channel ``(C,)``."""

    x: Tensor
    state: Tensor | None
    beta: Tensor | None = None
    threshold: Tensor | None = None
    scale: Tensor | None = None
    bias: Tensor | None = None
