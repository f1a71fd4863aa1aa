"""From shapes to memory: kernels see ``(T, M)`` in memory order, whatever the order of the axes."""

from collections.abc import Sequence

import torch
from torch import Tensor


def dense_strides(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a tensor that holds its axes in this one's order, without gaps and time outermost.

    Channels-last stays channels-last, a part of the channels of such a tensor too. Axes of one element, whose stride
    means nothing, get 1 unless all is contiguous. Where elements lie on top of each other, contiguous ones.
    """
    contiguous = [1]
    for size in reversed(shape[1:]):
        contiguous.insert(0, contiguous[0] * size)
    if contiguous == list(strides):
        return tuple(strides)
    result = [1] * len(shape)
    expected, reached = 1, 0
    for stride, size, axis in sorted((strides[a], shape[a], a) for a in range(1, len(shape)) if shape[a] != 1):
        if stride <= reached:
            return tuple(contiguous)
        result[axis] = expected
        expected, reached = expected * size, stride * (size - 1)
    result[0] = expected
    return tuple(result)


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
