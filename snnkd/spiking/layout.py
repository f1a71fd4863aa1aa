"""From shapes to memory: kernels see ``(T, M)`` in memory order, whatever the order of the axes."""

from collections.abc import Sequence

import torch
from torch import Tensor


def dense_strides(shape: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Return the strides of a tensor whose steps follow each other without gaps, else contiguous ones.

    A step may hold its axes in any order, so that channels-last stays channels-last. Axes of one element, whose stride
    means nothing, get 1.
    """
    result = [1 if size == 1 else stride for stride, size in zip(strides, shape, strict=True)]
    steps = sorted((stride, size) for stride, size in zip(result[1:], shape[1:], strict=True) if size != 1)
    expected = 1
    for stride, size in steps:
        if stride != expected:
            break
        expected *= size
    else:
        if shape[0] == 1 or strides[0] == expected:
            return [expected, *result[1:]]
    result = [1]
    for size in reversed(shape[1:]):
        result.insert(0, result[0] * size)
    return result


def flat(x: Tensor, strides: Sequence[int], leading: int) -> Tensor:
    """View ``x`` as ``(T, M)`` (``leading`` 1) or ``(M,)`` (0) in the order of ``strides``; a copy where it differs."""
    differs = any(size != 1 and a != b for size, a, b in zip(x.shape, x.stride(), strides, strict=True))
    if differs or x.is_conj() or x.is_neg():
        x = torch.empty_strided(x.shape, tuple(strides), dtype=x.dtype, device=x.device).copy_(x)
    if not leading:
        return x.as_strided((x.numel(),), (1,))
    neurons = x.shape[1:].numel()
    return x.as_strided((x.shape[0], neurons), (neurons, 1))
