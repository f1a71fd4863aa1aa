"""From shapes to memory: kernels see ``(T, M)`` in memory order, whatever the order of the axes."""

from collections.abc import Sequence

import torch
from torch import Tensor


def dense_strides(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a tensor whose steps follow each other without gaps, else contiguous ones.

    A step may hold its axes in any order, so that channels-last stays channels-last. Axes of one element, whose stride
    means nothing, get 1 unless all is contiguous.
    """
    contiguous = [1]
    for size in reversed(shape[1:]):
        contiguous.insert(0, contiguous[0] * size)
    if contiguous == list(strides):
        return tuple(strides)
    result = [1 if size == 1 else stride for stride, size in zip(strides, shape, strict=True)]
    steps = sorted((stride, size) for stride, size in zip(result[1:], shape[1:], strict=True) if size != 1)
    expected = 1
    for stride, size in steps:
        if stride != expected:
            return tuple(contiguous)
        expected *= size
    if shape[0] == 1 or strides[0] == expected:
        return (expected, *result[1:])
    return tuple(contiguous)


def ordered(x: Tensor, strides: tuple[int, ...]) -> Tensor:
    """Return ``x`` with these ``strides``; a copy where its memory has another order."""
    if x.stride() == strides and not x.is_conj() and not x.is_neg():
        return x
    differs = any(size != 1 and a != b for size, a, b in zip(x.shape, x.stride(), strides, strict=True))
    if differs or x.is_conj() or x.is_neg():
        return torch.empty_strided(x.shape, strides, dtype=x.dtype, device=x.device).copy_(x)
    return x.as_strided(x.shape, strides)


def flat(x: Tensor) -> Tensor:
    """View ``x``, dense in any order of axes, as ``(N,)`` in the order of its memory."""
    return x.as_strided((x.numel(),), (1,))
