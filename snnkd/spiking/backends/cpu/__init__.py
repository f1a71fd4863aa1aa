"""The CPU backend: Numba kernels, fused over time and tiled over neurons, on torch's own threads.

fp32, fp64, and bfloat16 input with fp32 state. See :mod:`snnkd.spiking.backends.kernels` for what the functions take
and return. The kernels are compiled at their first use for a dtype, some seconds, and kept on disk by Numba.
"""

import torch
from torch import Tensor

from snnkd.errors import NotFiniteError
from snnkd.spiking.backends.cpu import bits as bit_kernels
from snnkd.spiking.backends.cpu import neuron as kernels
from snnkd.spiking.backends.cpu import team
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.call import DTYPES, address, arguments, form, surrogate
from snnkd.spiking.backends.cpu.norm import norm_backward, norm_forward
from snnkd.spiking.backends.cpu.packing import pack, unpack
from snnkd.spiking.backends.kernels import (
    Gradients,
    Neuron,
    Parameters,
    Want,
    extent,
    new_state,
    not_finite,
    state_dtype,
)

__all__ = [
    "backward",
    "backward_two_bit_",
    "forward",
    "forward_two_bit",
    "norm_backward",
    "norm_forward",
    "pack",
    "unpack",
]


def forward(x: Tensor, state: Tensor | None, parameters: Parameters, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """Spikes (or membranes) and the last state.

    Raises:
        ValueError: a NaN or infinite value came in, or the membrane grew beyond its dtype.
    """
    spikes, last = torch.empty_like(x), new_state(x)
    a = arguments(x, parameters, neuron)
    a[w.OUT], a[w.STATE], a[w.STATE_OUT] = spikes.data_ptr(), address(state), last.data_ptr()
    team.run(kernels.forward(form(parameters), *DTYPES[x.dtype]), a, x.numel(), state_dtype(x.dtype))
    if a[w.NOT_FINITE]:
        # A value that is not finite never leaves the membrane again, so that the last state tells of every step.
        raise NotFiniteError(_blame(x, state, parameters))
    return spikes, last


def _blame(x: Tensor, state: Tensor | None, parameters: Parameters) -> str:
    named = {name: value for name, value in parameters._asdict().items() if isinstance(value, Tensor)}
    return not_finite(x=x, state=state, **named)


def forward_two_bit(
    x: Tensor, state: Tensor | None, parameters: Parameters, neuron: Neuron
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`forward`, with the bits that :func:`backward_two_bit_` needs."""
    spikes, last = torch.empty_like(x), new_state(x)
    time, neurons = extent(x)
    bits = torch.empty(time, -(-neurons // 4), dtype=torch.uint8, device="cpu")
    a = arguments(x, parameters, neuron)
    a[w.OUT], a[w.STATE], a[w.STATE_OUT] = spikes.data_ptr(), address(state), last.data_ptr()
    a[w.BITS] = bits.data_ptr()
    team.run(kernels.forward(form(parameters), *DTYPES[x.dtype]), a, x.numel(), state_dtype(x.dtype))
    if a[w.NOT_FINITE]:
        raise NotFiniteError(_blame(x, state, parameters))
    return spikes, last, bits


def backward(
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    state: Tensor | None,
    parameters: Parameters,
    neuron: Neuron,
    want: Want,
) -> Gradients:
    """Gradients of :func:`forward`, from its input alone."""
    a = arguments(x, parameters, neuron)
    grad_x, grad_state_in = torch.empty_like(x), None if state is None else torch.empty_like(state)
    of_neuron, of_affine = want.beta or want.threshold, want.affine and parameters.scale is not None
    a[w.LEARN_NEURON], a[w.LEARN_AFFINE], a[w.SCALED] = of_neuron, of_affine, not want.current
    sums: list[Tensor | None] = [None] * 4
    if of_neuron or of_affine:
        channels, chunks = a[w.CHANNELS], a[w.CHUNKS]
        totals = torch.empty(chunks, 4, channels, dtype=torch.float64, device="cpu")
        a[w.TOTALS] = totals.data_ptr()
        # Each of its own, to be handed on. Without neurons nobody writes them.
        make = torch.empty if chunks else torch.zeros
        for k in (0, 1) * of_neuron + (2, 3) * of_affine:
            own = sums[k] = make(channels, dtype=parameters.beta.dtype, device="cpu")
            a[w.SUM_BETA + k] = own.data_ptr()
    a[w.STATE], a[w.GRAD_X] = address(state), grad_x.data_ptr()
    a[w.GRAD], a[w.GRAD_STATE], a[w.GRAD_STATE_IN] = map(address, (grad_spikes, grad_state, grad_state_in))
    kernel = kernels.backward(form(parameters), surrogate(neuron), *DTYPES[x.dtype])
    team.run(kernel, a, x.numel(), state_dtype(x.dtype), rows=len(x) + 1)
    return Gradients(grad_x, grad_state_in, *sums)


def backward_two_bit_(
    grad_x: Tensor,
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    bits: Tensor,
    state: Tensor | None,
    parameters: Parameters,
    neuron: Neuron,
) -> Tensor | None:
    """Gradients of input, into ``grad_x``, and state for the rectangular surrogate with a detached reset."""
    grad_state_in = None if state is None else torch.empty_like(state)
    a = arguments(grad_x, parameters, neuron)
    a[w.BITS], a[w.STATE], a[w.GRAD_X] = bits.data_ptr(), address(state), grad_x.data_ptr()
    a[w.GRAD], a[w.GRAD_STATE], a[w.GRAD_STATE_IN] = map(address, (grad_spikes, grad_state, grad_state_in))
    kernel = bit_kernels.backward(form(parameters), *DTYPES[grad_x.dtype])
    team.run(kernel, a, grad_x.numel(), state_dtype(grad_x.dtype))
    return grad_state_in
