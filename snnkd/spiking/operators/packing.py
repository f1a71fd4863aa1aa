"""``snnkd::pack_bits`` and ``snnkd::unpack_bits``: one bit a value."""

import torch
from torch import Tensor

from snnkd.spiking import backends
from snnkd.spiking.layout import dense_strides, flat, ordered
from snnkd.spiking.operators.dispatch import operator
from snnkd.spiking.operators.memory import shaped


@operator("pack_bits")
def pack_bits(x: Tensor) -> Tensor:
    """Return ``ceil(N / 8)`` bytes with a bit for each value that is not 0, in memory order."""
    return backends.fused(x.device).pack(flat(ordered(x, dense_strides(x.shape, x.stride()))))


@pack_bits.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty(((x.numel() + 7) // 8,), dtype=torch.uint8, device=x.device)


@operator("unpack_bits")
def unpack_bits(bits: Tensor, shape: list[int], strides: list[int], dtype: torch.dtype) -> Tensor:
    """Return the zeros and ones that were packed, in the ``shape`` and order that they had."""
    size = torch.Size(shape).numel()
    return shaped(backends.fused(bits.device).unpack(bits, size, dtype), shape, dense_strides(shape, strides))


@unpack_bits.register_fake
def _(bits: Tensor, shape: list[int], strides: list[int], dtype: torch.dtype) -> Tensor:
    return torch.empty_strided(shape, dense_strides(shape, strides), dtype=dtype, device=bits.device)
