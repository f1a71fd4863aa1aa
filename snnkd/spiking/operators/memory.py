"""The tensors of one call as kernels see them, and back."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, library

from snnkd.spiking.backends.kernels import Parameters, state_dtype
from snnkd.spiking.layout import dense_strides, flat


def operator(name: str) -> Callable[[Callable[..., Any]], Any]:
    """Register a function as ``snnkd::name``."""
    return library.custom_op(f"snnkd::{name}", mutates_args=())


class Memory:
    """State and parameters, flat, for an input of ``shape``, ``strides`` and ``dtype``."""

    def __init__(
        self,
        shape: Sequence[int],
        strides: Sequence[int],
        dtype: torch.dtype,
        state: Tensor | None,
        *parameters: Tensor | None,
    ) -> None:
        self.shape, self.strides, self.dtype = tuple(shape), tuple(strides), dtype
        if state is not None and (tuple(state.shape) != self.shape[1:] or state.dtype != state_dtype(dtype)):
            expected = f"{state_dtype(dtype)} {self.shape[1:]}"
            raise ValueError(f"state must be {expected}, got {state.dtype} {tuple(state.shape)}")
        # A state of rest stays away: a step of zeros would be a large share of what backward keeps.
        self.state = None if state is None else flat(state, self.strides[1:], 0)
        self.channels = max(p.numel() for p in parameters if p is not None)
        # How far it is from one channel to the next: what lies between belongs to one.
        self.inner = self.strides[2] if self.channels > 1 else 1
        spread = [None if p is None else p.detach().reshape(-1).expand(self.channels).contiguous() for p in parameters]
        self.parameters = Parameters(spread[0], spread[1], self.inner, *spread[2:])  # type: ignore[arg-type]

    def flat(self, x: Tensor) -> Tensor:
        """View an input, or a gradient of the output, as ``(T, M)``."""
        return flat(x, self.strides, 1)

    def flat_grads(self, spikes: Tensor | None, state: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """View what comes in from behind, in the dtypes of input and state."""
        return (
            None if spikes is None else self.flat(spikes.to(self.dtype)),
            None if state is None else flat(state.to(state_dtype(self.dtype)), self.strides[1:], 0),
        )

    def steps(self, values: Tensor) -> Tensor:
        """Give ``(T, M)`` the shape of the input."""
        return shaped(values, self.shape, self.strides)

    def step(self, values: Tensor | None) -> Tensor:
        """Give ``(M,)`` the shape of the state; an empty tensor for none."""
        if values is None:
            return self.parameters.beta.new_empty(0)
        return shaped(values, self.shape[1:], self.strides[1:])

    def total(self, values: Tensor | None, parameter: Tensor | None) -> Tensor:
        """Give totals per channel the form of a parameter; an empty tensor for none."""
        if values is None or parameter is None:
            return self.parameters.beta.new_empty(0)
        return (values.sum() if parameter.numel() == 1 else values.clone()).reshape(parameter.shape)


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
    return of_x, of_state if state is not None else of_state.new_empty(0)


def differentiable_once(backward: Any) -> None:
    """Say what to do where the derivative of a backward operator is asked for."""

    def refuse(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError(
            "the fused backends have no second derivative: pass backend='reference' to differentiate twice"
        )

    def keep_nothing(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    backward.register_autograd(refuse, setup_context=keep_nothing)
