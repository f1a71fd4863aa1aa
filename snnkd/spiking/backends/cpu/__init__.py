"""The CPU backend: Numba kernels, fused over time and tiled over neurons, on torch's own threads.

fp32, fp64, and bfloat16 input with fp32 state. See :mod:`snnkd.spiking.backends.kernels` for what the functions take
and return. The kernels are compiled at their first use for a dtype, some seconds, and kept on disk by Numba.
"""

import math

import numpy as np
import torch
from torch import Tensor

from snnkd.errors import NotFiniteError
from snnkd.spiking.backends.cpu import bits as bit_kernels
from snnkd.spiking.backends.cpu import channels as channel_kernels
from snnkd.spiking.backends.cpu import neuron as kernels
from snnkd.spiking.backends.cpu import steps, surrogates, team
from snnkd.spiking.backends.cpu import words as w
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

# A bfloat16 goes through NumPy as the 16 bits that it is.
DTYPES = {
    torch.float32: (np.float32, np.float32),
    torch.float64: (np.float64, np.float64),
    torch.bfloat16: (np.float32, np.uint16),
}
"""Types of state and element for each dtype of input."""

_CACHE = 1 << 19
"""Bytes of membranes that a tile may hold in backward: well inside a core's second-level cache."""

_CHUNK = 1 << 15
"""Neuron-steps that a thread takes at a time at least: each time leaves sums per channel behind."""


def _address(values: Tensor | None) -> int:
    return 0 if values is None else values.data_ptr()


def _form(parameters: Parameters) -> type:
    if parameters.scale is not None:
        return steps.Affine
    return steps.PerChannel if parameters.beta.numel() > 1 else steps.Uniform


def _arguments(x: Tensor, parameters: Parameters, neuron: Neuron) -> np.ndarray:
    """Fill in what the kernels share."""
    a = np.zeros(w.WORDS, np.int64)
    f = a.view(np.float64)
    time, neurons = a[w.STEPS], a[w.NEURONS] = extent(x)
    a[w.INNER], a[w.CHANNELS] = parameters.inner, parameters.beta.numel()
    a[w.FIRES], a[w.DELAYED] = neuron.fires, neuron.fires and neuron.reset_delay
    f[w.SURROGATE_WIDTH] = neuron.width
    if neuron.fires:
        f[w.C_SUBTRACT], f[w.C_ZERO] = neuron.reset == "subtract", neuron.reset == "zero"
        f[w.C_ATTACHED] = not neuron.detach_reset
    _split(a, time, neurons)
    for word, value in (
        (w.X, x),
        (w.BETA, parameters.beta),
        (w.THRESHOLD, parameters.threshold),
        (w.MEAN, parameters.mean),
        (w.SCALE, parameters.scale),
        (w.BIAS, parameters.bias),
    ):
        a[word] = _address(value)
    return a


def _split(a: np.ndarray, time: int, neurons: int) -> None:
    """Choose the tiles: membranes within the cache, whole cache lines, and work for many threads.

    It does not ask how many there are: sums per channel then are the same for any number.
    """
    period, inner, channels = int(a[w.CHANNELS] * a[w.INNER]), int(a[w.INNER]), int(a[w.CHANNELS])
    tile = max(64, min(steps.WIDTH, _CACHE // (4 * max(time, 1)), -(-neurons // 8)) // 64 * 64)
    if channels > 1 and period > tile and period % 64 == 0:
        # Tiles of nearly one length, so that none is short.
        tile = -(-period // (-(-period // tile) * 64)) * 64
    else:
        period = neurons
        # A multiple of the channels, where they are the last axis, lets tiles share what is per channel.
        unit = math.lcm(64, channels) if inner == 1 else 64
        tile = min(tile // unit * unit if tile >= unit else tile, max(neurons, 1))
    a[w.TILE], a[w.PERIOD], a[w.SAMPLES] = tile, period, neurons // max(period, 1)
    tiles = -(-period // tile) * int(a[w.SAMPLES])
    # Neighbouring tiles on one thread, so that what its core fetches ahead of need is its own.
    a[w.CHUNK] = max(1, tiles // (32 if a[w.SAMPLES] > 1 else 64), _CHUNK // (tile * max(time, 1)))
    a[w.CHUNKS] = -(-tiles // int(a[w.CHUNK]))


def forward(x: Tensor, state: Tensor | None, parameters: Parameters, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """Spikes (or membranes) and the last state.

    Raises:
        ValueError: a NaN or infinite value came in, or the membrane grew beyond its dtype.
    """
    spikes, last = torch.empty_like(x), new_state(x)
    a = _arguments(x, parameters, neuron)
    a[w.OUT], a[w.STATE], a[w.STATE_OUT] = spikes.data_ptr(), _address(state), last.data_ptr()
    team.run(kernels.forward(_form(parameters), *DTYPES[x.dtype]), a, x.numel(), state_dtype(x.dtype))
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
    a = _arguments(x, parameters, neuron)
    a[w.OUT], a[w.STATE], a[w.STATE_OUT] = spikes.data_ptr(), _address(state), last.data_ptr()
    a[w.BITS] = bits.data_ptr()
    team.run(kernels.forward(_form(parameters), *DTYPES[x.dtype]), a, x.numel(), state_dtype(x.dtype))
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
    a = _arguments(x, parameters, neuron)
    grad_x, grad_state_in = torch.empty_like(x), None if state is None else torch.empty_like(state)
    of_neuron, of_affine = want.beta or want.threshold, want.affine
    a[w.LEARN_NEURON], a[w.LEARN_AFFINE], a[w.SCALED] = of_neuron, of_affine, not want.current
    learns, channels = of_neuron or of_affine, int(a[w.CHANNELS])
    if learns:
        totals = torch.empty(int(a[w.CHUNKS]), 4, channels, dtype=torch.float64, device="cpu")
        # Without neurons nobody writes them.
        sums = (torch.empty if len(totals) else torch.zeros)(4, channels, dtype=state_dtype(x.dtype), device="cpu")
        a[w.TOTALS], a[w.SUMS] = totals.data_ptr(), sums.data_ptr()
    a[w.STATE], a[w.GRAD_X] = _address(state), grad_x.data_ptr()
    a[w.GRAD], a[w.GRAD_STATE], a[w.GRAD_STATE_IN] = map(_address, (grad_spikes, grad_state, grad_state_in))
    surrogate = surrogates.BY_NAME[neuron.surrogate] if neuron.fires else surrogates.Integrator
    kernel = kernels.backward(_form(parameters), surrogate, *DTYPES[x.dtype])
    team.run(kernel, a, x.numel(), state_dtype(x.dtype), rows=len(x) + 1)
    if not learns:
        return Gradients(grad_x, grad_state_in)
    neuron_sums = (sums[0], sums[1]) if of_neuron else (None, None)
    return Gradients(grad_x, grad_state_in, *neuron_sums, *((sums[2], sums[3]) if of_affine else (None, None)))


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
    a = _arguments(grad_x, parameters, neuron)
    a[w.BITS], a[w.STATE], a[w.GRAD_X] = bits.data_ptr(), _address(state), grad_x.data_ptr()
    a[w.GRAD], a[w.GRAD_STATE], a[w.GRAD_STATE_IN] = map(_address, (grad_spikes, grad_state, grad_state_in))
    kernel = bit_kernels.backward(_form(parameters), *DTYPES[grad_x.dtype])
    team.run(kernel, a, grad_x.numel(), state_dtype(grad_x.dtype))
    return grad_state_in


def pack(x: Tensor) -> Tensor:
    """One bit a value.

    Raises:
        ValueError: a value other than 0 and 1.
    """
    bits = torch.empty(-(-len(x) // 8), dtype=torch.uint8, device="cpu")
    if _run_packing(x, bits, back=False)[w.NOT_BINARY]:
        other = x[(x != 0) & (x != 1)][0].item()
        raise ValueError(f"x must be spikes, 0 or 1, to be packed, got {other:g}: use Conv2d for currents")
    return bits


def unpack(bits: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """Return the values of :func:`pack` as 0 and 1."""
    x = torch.empty(size, dtype=dtype, device="cpu")
    _run_packing(x, bits, back=True)
    return x


def _run_packing(x: Tensor, bits: Tensor, back: bool) -> np.ndarray:
    a = np.zeros(w.WORDS, np.int64)
    a[w.NEURONS], a[w.CHANNELS], a[w.INNER] = len(x), 1, 1
    a[w.X], a[w.BITS] = x.data_ptr(), bits.data_ptr()
    _split(a, 1, len(x))
    team.run(bit_kernels.packing(*DTYPES[x.dtype], back), a, len(x))
    return a


def moments(x: Tensor, channels: int, inner: int) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of each channel of ``x (T, ...)``, ``(C,)`` in the state's dtype.

    Raises:
        ValueError: there are no values.
    """
    if not x.numel():
        raise ValueError(f"x must hold values to have moments, got {tuple(x.shape)}")
    # About one of three values of the channel. Where these turn out far from the mean, as in the corners of an image
    # whose corners are unlike the rest, once more about the mean.
    pivot = torch.empty(channels, dtype=state_dtype(x.dtype), device="cpu")
    mean, variance = _moments(x, channels, inner, pivot, given=False)
    with np.errstate(all="ignore"):  # what overflows here is told by who called, by name
        far = ((mean.numpy() - pivot.numpy()) ** 2 > 100 * variance.numpy()).any()
    if far:
        mean, variance = _moments(x, channels, inner, mean, given=True)
    return mean, variance


def _moments(x: Tensor, channels: int, inner: int, pivot: Tensor, given: bool) -> tuple[Tensor, Tensor]:
    mean, variance = torch.empty_like(pivot), torch.empty_like(pivot)
    a = np.zeros(w.WORDS, np.int64)
    a[w.STEPS], a[w.NEURONS] = extent(x)
    a[w.INNER], a[w.CHANNELS], a[w.PIVOTS_GIVEN] = inner, channels, given
    _split(a, *extent(x))
    totals = torch.empty(int(a[w.CHUNKS]), 2, channels, dtype=torch.float64, device="cpu")
    a[w.X], a[w.TOTALS], a[w.BIAS] = x.data_ptr(), totals.data_ptr(), pivot.data_ptr()
    a[w.MEAN], a[w.SCALE] = mean.data_ptr(), variance.data_ptr()
    team.run(channel_kernels.moments(*DTYPES[x.dtype]), a, x.numel(), state_dtype(x.dtype))
    return mean, variance


def norm_gradient_(
    grad: Tensor,
    x: Tensor,
    mean: Tensor,
    inverse: Tensor,
    scale: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    inner: int,
) -> None:
    """Carry the gradient of the normalised current through batch norm, in place."""
    # In NumPy, whose operations on a few numbers cost a tenth of torch's.
    m, i, s, w_, b = (value.detach().numpy() for value in (mean, inverse, scale, grad_weight, grad_bias))
    part = s * (len(m) / max(x.numel(), 1))
    slope = -part * i * w_
    offset = -part * b - slope * m
    a = np.zeros(w.WORDS, np.int64)
    a[w.STEPS], a[w.NEURONS] = extent(x)
    a[w.INNER], a[w.CHANNELS] = inner, len(m)
    _split(a, *extent(x))
    a[w.X], a[w.GRAD], a[w.BETA] = x.data_ptr(), grad.data_ptr(), scale.data_ptr()
    a[w.THRESHOLD], a[w.MEAN] = slope.ctypes.data, offset.ctypes.data
    team.run(channel_kernels.scaled_sums(*DTYPES[x.dtype]), a, x.numel(), state_dtype(x.dtype))
