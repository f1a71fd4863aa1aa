"""Spikes as bits, and back; see :mod:`snnkd.spiking.backends.kernels`."""

from array import array

import torch
from torch import Tensor

from snnkd.spiking.backends.cpu import bits as kernels
from snnkd.spiking.backends.cpu import team
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.call import DTYPES, plan
from snnkd.spiking.backends.kernels import Neuron


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


def _run_packing(x: Tensor, bits: Tensor, back: bool) -> "array[int]":
    a = plan((1, len(x)), 1, 1, Neuron())[:]
    a[w.X], a[w.BITS] = x.data_ptr(), bits.data_ptr()
    team.run(kernels.packing(*DTYPES[x.dtype], back), a, len(x))
    return a
