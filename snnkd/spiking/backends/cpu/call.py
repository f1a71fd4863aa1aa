"""What kernels are told of one call: sizes, how neurons are cut into tiles, and where the tensors lie.

All but the addresses follows from shapes and choices, which come again at every step of a training: it is worked out
once, and copied. Words are an ``array("q")``, whose items take less time to set from Python than NumPy's.
"""

import math
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnkd.spiking.backends.cpu import steps, surrogates
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.kernels import Neuron, Parameters

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


def arguments(x: Tensor, parameters: Parameters, neuron: Neuron, eps: float = 0.0) -> "array[int]":
    """Return the words for an input and its parameters; what else a kernel takes is to be filled in."""
    # With the quantities of batch norm beside those of the neuron, a tile of full width leaves the first-level cache.
    width = steps.WIDTH // 2 if form(parameters) is steps.Affine else steps.WIDTH
    a = plan(x.shape, parameters.beta.numel(), parameters.inner, neuron, eps, width)[:]
    a[w.X], a[w.BETA], a[w.THRESHOLD] = x.data_ptr(), parameters.beta.data_ptr(), parameters.threshold.data_ptr()
    a[w.MEAN], a[w.SCALE], a[w.BIAS] = map(address, (parameters.mean, parameters.scale, parameters.bias))
    return a


@lru_cache(maxsize=256)
def plan(
    shape: Sequence[int], channels: int, inner: int, neuron: Neuron, eps: float = 0.0, width: int = steps.WIDTH
) -> "array[int]":
    """Return the words that all calls with ``x`` of a shape have; not to be changed."""
    a = np.zeros(w.WORDS, np.int64)
    f = a.view(np.float64)
    time, neurons = a[w.STEPS], a[w.NEURONS] = shape[0], math.prod(shape[1:])
    a[w.INNER], a[w.CHANNELS] = inner, channels
    a[w.FIRES], a[w.DELAYED] = neuron.fires, neuron.fires and neuron.reset_delay
    f[w.SURROGATE_WIDTH], f[w.EPS] = neuron.width, eps
    if neuron.fires:
        f[w.C_SUBTRACT], f[w.C_ZERO] = neuron.reset == "subtract", neuron.reset == "zero"
        f[w.C_ATTACHED] = not neuron.detach_reset
    _split(a, time, neurons, width)
    return array("q", a.tobytes())


def _split(a: np.ndarray, time: int, neurons: int, width: int) -> None:
    """Choose the tiles: membranes within the cache, whole cache lines, and work for many threads.

    It does not ask how many there are: sums per channel then are the same for any number.
    """
    period, inner, channels = int(a[w.CHANNELS] * a[w.INNER]), int(a[w.INNER]), int(a[w.CHANNELS])
    tile = max(64, min(width, _CACHE // (4 * max(time, 1)), -(-neurons // 8)) // 64 * 64)
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


def address(values: Tensor | None) -> int:
    """Return where a tensor's memory begins; 0 for none."""
    return 0 if values is None else values.data_ptr()


def form(parameters: Parameters) -> type:
    """Return the form of parameters by which kernels are compiled."""
    if parameters.scale is not None:
        return steps.Affine
    return steps.PerChannel if parameters.beta.numel() > 1 else steps.Uniform


def surrogate(neuron: Neuron) -> Any:
    """Return the surrogate by which kernels are compiled."""
    return surrogates.BY_NAME[neuron.surrogate] if neuron.fires else surrogates.Integrator
