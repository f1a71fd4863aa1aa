"""Batch norm and the neuron in one run of a kernel; see :mod:`snnkd.spiking.backends.kernels`."""

from array import array

import torch
from torch import Tensor

from snnkd.errors import NotFiniteError
from snnkd.spiking.backends.cpu import channels as batch_norm
from snnkd.spiking.backends.cpu import neuron as kernels
from snnkd.spiking.backends.cpu import steps, team
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.call import DTYPES, address, arguments, surrogate
from snnkd.spiking.backends.kernels import Gradients, Neuron, Parameters, Want, new_state, not_finite


def norm_forward(
    x: Tensor, state: Tensor | None, parameters: Parameters, eps: float, neuron: Neuron
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spikes, the last state, mean and biased variance.

    Raises:
        ValueError: there are no values, or one is NaN or infinite, or the membrane grew beyond its dtype.
    """
    beta, threshold, _, _, weight, bias = parameters
    if not x.numel():
        raise ValueError(f"x must hold values to have moments, got {tuple(x.shape)}")
    spikes, last, mean, variance = torch.empty_like(x), new_state(x), torch.empty_like(beta), torch.empty_like(beta)
    a = arguments(x, parameters, neuron, eps)
    room = _room(a, 2)
    a[w.MEAN], a[w.VARIANCE] = mean.data_ptr(), variance.data_ptr()
    a[w.OUT], a[w.STATE], a[w.STATE_OUT] = spikes.data_ptr(), address(state), last.data_ptr()
    team.run(kernels.forward(steps.Affine, *DTYPES[x.dtype], True), a, x.numel(), beta.dtype)
    del room
    if a[w.NOT_FINITE]:
        raise NotFiniteError(not_finite(x=x, state=state, beta=beta, threshold=threshold, weight=weight, bias=bias))
    return spikes, last, mean, variance


def norm_backward(
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    state: Tensor | None,
    parameters: Parameters,
    variance: Tensor,
    eps: float,
    neuron: Neuron,
    want: Want,
) -> Gradients:
    """Gradients of :func:`norm_forward`, from its input and the moments."""
    if not x.numel():
        raise ValueError(f"x must hold values to have moments, got {tuple(x.shape)}")
    grad_x, grad_state_in = torch.empty_like(x), None if state is None else torch.empty_like(state)
    a = arguments(x, parameters, neuron, eps)
    room = _room(a, 4)
    sums: list[Tensor | None] = [None] * 4
    of_neuron = want.beta or want.threshold
    for k in (0, 1, 2, 3) if of_neuron else (2, 3):
        own = sums[k] = torch.empty_like(variance)
        a[w.SUM_BETA + k] = own.data_ptr()
    a[w.LEARN_NEURON], a[w.LEARN_AFFINE], a[w.VARIANCE] = of_neuron, True, variance.data_ptr()
    a[w.STATE], a[w.GRAD_X] = address(state), grad_x.data_ptr()
    a[w.GRAD], a[w.GRAD_STATE], a[w.GRAD_STATE_IN] = address(grad_spikes), address(grad_state), address(grad_state_in)
    kernel = kernels.backward(steps.Affine, surrogate(neuron), *DTYPES[x.dtype], True)
    team.run(kernel, a, x.numel(), variance.dtype, rows=len(x) + 1)
    del room
    return Gradients(grad_x, grad_state_in, *sums)


def _room(a: "array[int]", quantities: int) -> Tensor:
    """Make room for totals of each chunk and channel, and for the values per channel that threads share."""
    totals = a[w.CHUNKS] * quantities * a[w.CHANNELS]
    room = torch.empty(totals + batch_norm.ROOM * a[w.CHANNELS], dtype=torch.float64, device="cpu")
    a[w.TOTALS], a[w.WEIGHT], a[w.SCALE] = room.data_ptr(), a[w.SCALE], room.data_ptr() + 8 * totals
    return room
