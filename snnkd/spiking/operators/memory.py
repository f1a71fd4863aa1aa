"""The tensors of one call as kernels see them, and back."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from snnkd.spiking.backends.kernels import Parameters, in_dtype, state_dtype
from snnkd.spiking.layout import dense_strides, ordered
from snnkd.spiking.operators.dispatch import nothing

_strides = lru_cache(maxsize=256)(dense_strides)  # an operator runs on sizes that are known, the same at every step


_NAMES = ("beta", "threshold", "mean", "scale", "bias")


class Memory:
    """State and parameters for an input of ``shape``, ``strides`` and ``dtype``, in the order of its memory.

    Kernels get addresses: what is not of the dtype or the size that they take for granted ends here.

    Raises:
        ValueError: the state has another shape or dtype; a parameter has another dtype than states have, or neither one
            value nor one per channel.
    """

    def __init__(
        self,
        shape: Sequence[int],
        strides: Sequence[int],
        dtype: torch.dtype,
        state: Tensor | None,
        *parameters: Tensor | None,
        names: Sequence[str] = _NAMES,
    ) -> None:
        self.shape, self.strides, self.dtype = tuple(shape), _strides(tuple(shape), tuple(strides)), dtype
        if state is not None:
            if tuple(state.shape) != tuple(shape[1:]) or state.dtype != state_dtype(dtype):
                expected = f"{state_dtype(dtype)} {tuple(shape[1:])}"
                raise ValueError(f"state must be {expected}, got {state.dtype} {tuple(state.shape)}")
            # A state of rest stays away: a step of zeros would be a large share of what backward keeps.
            state = ordered(state, self.strides[1:])
        self.state = state
        for name, p in zip(names, parameters, strict=False):
            if p is not None:
                self._check(name, p)
        self.channels = max([p.numel() for p in parameters if p is not None])
        # How far it is from one channel to the next: what lies between belongs to one.
        self.inner = self.strides[2] if self.channels > 1 else 1
        beta, threshold, *affine = [None if p is None else self._spread(p) for p in parameters]
        self.parameters = Parameters(beta, threshold, self.inner, *affine)  # type: ignore[arg-type]

    def per_channel(self, name: str, values: Tensor) -> Tensor:
        """Return further values, one or one per channel, as ``(C,)``, one after the other in memory."""
        self._check(name, values)
        return self._spread(values)

    def _check(self, name: str, values: Tensor) -> None:
        real, channels = state_dtype(self.dtype), self.shape[2] if len(self.shape) > 2 else 1
        if values.dtype != real or values.numel() not in (1, channels):
            raise ValueError(
                f"{name} must be {real} with one value or one per channel of x {self.shape}, "
                f"got {values.dtype} {tuple(values.shape)}"
            )

    def _spread(self, values: Tensor) -> Tensor:
        if values.shape == (self.channels,) and values.is_contiguous():
            return values
        return values.reshape(-1).expand(self.channels).contiguous()

    def ordered(self, x: Tensor) -> Tensor:
        """Return the input, or a gradient of the output, in the order of this memory."""
        return ordered(x, self.strides)

    def grads(self, spikes: Tensor | None, state: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return what comes in from behind, in this order and in the dtypes of input and state."""
        return (
            None if spikes is None else ordered(in_dtype(spikes, self.dtype), self.strides),
            None if state is None else ordered(in_dtype(state, state_dtype(self.dtype)), self.strides[1:]),
        )


def total(values: Tensor | None, parameter: Tensor | None) -> Any:
    """Give totals per channel the form of a parameter, which may be one for all; ``None`` for none of either."""
    if values is None or parameter is None:
        return None
    if values.shape == parameter.shape:
        return values
    return (values.sum() if parameter.numel() == 1 else values).reshape(parameter.shape)


def shaped(values: Tensor, shape: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Give memory a shape, as a tensor of its own: a view could not be changed in place by who gets it."""
    storage, offset = values.untyped_storage(), values.storage_offset()
    return values.new_empty(0).set_(storage, offset, tuple(shape), tuple(strides))


def fake_outputs(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return tensors like the output and the last state."""
    strides = dense_strides(x.shape, x.stride())
    output = torch.empty_strided(x.shape, strides, dtype=x.dtype, device=x.device)
    last = torch.empty_strided(x.shape[1:], strides[1:], dtype=state_dtype(x.dtype), device=x.device)
    return output, last


def fake_gradients(x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return tensors like the gradients of input and state; an empty one for no state."""
    of_x, of_state = fake_outputs(x)
    return of_x, of_state if state is not None else nothing(x.device)
