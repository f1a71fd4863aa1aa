"""Operators, and the short way past PyTorch's dispatcher for calls that nobody looks at.

A custom operator is what lets compilation, export and tensor subclasses see a call as one. Its way there, some 100 µs
and more where the caches are cold, is longer than the kernel of a small layer takes. So a plain call, in eager mode on
plain tensors, goes to an :class:`torch.autograd.Function` made of the same three functions: the operator's own, the one
that saves for backward, and the gradient.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, library, nn


class Operator:
    """``snnkd::name``; :attr:`custom` is the custom operator itself."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function
        self.custom = library.custom_op(f"snnkd::{name}", mutates_args=())(_filled(function))
        self.register_fake = self.custom.register_fake
        self.differentiable: type[torch.autograd.Function] | None = None

    def register_autograd(self, backward: Callable[..., Any], setup_context: Callable[..., Any]) -> None:
        """Register a gradient, as custom operators have."""
        self.custom.register_autograd(backward, setup_context=setup_context)

        def forward(ctx: Any, *args: Any) -> Any:
            # In one: given apart, PyTorch inspects the function's signature in every call.
            output = self.function(*args)
            setup_context(ctx, args, output)
            return output

        methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
        self.differentiable = type(self.name, (torch.autograd.Function,), methods)

    def refuse_derivative(self) -> None:
        """Say what to do where the derivative of a backward operator is asked for."""

        def refuse(ctx: Any, *grads: Any) -> Any:
            raise RuntimeError(
                "the fused backends have no second derivative: pass backend='reference' to differentiate twice"
            )

        def keep_nothing(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            pass

        self.register_autograd(refuse, keep_nothing)

    def __call__(self, *args: Any) -> Any:
        """Run it, by the short way where there is nothing to be seen."""
        if torch.compiler.is_compiling():
            return self.custom(*args)
        followed = False
        for value in args:
            if isinstance(value, Tensor):
                if _hides(value):
                    return self.custom(*args)
                followed = followed or value.requires_grad
        if _watched():
            return self.custom(*args)
        if followed and torch.is_grad_enabled():
            return self.custom(*args) if self.differentiable is None else self.differentiable.apply(*args)
        return self.function(*args)


def nothing(device: torch.device) -> Tensor:
    """Return an empty tensor, which stands for a gradient that was not asked for."""
    return torch.empty(0, dtype=torch.float32, device=device)


def _filled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``None`` among the results of a function :func:`nothing`: custom operators return tensors."""

    @functools.wraps(function)
    def whole(*args: Any) -> Any:
        found = function(*args)
        if not isinstance(found, tuple):
            return found
        device = next(value.device for value in found if value is not None)
        return tuple(nothing(device) if value is None else value for value in found)

    return whole


def operator(name: str) -> Callable[[Callable[..., Any]], Operator]:
    """Register a function as ``snnkd::name``."""
    return lambda function: Operator(name, function)


def _watched() -> bool:
    """Whether something has to see calls as operators: a mode, a transform, a tracer."""
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or torch._C._len_torch_function_stack() > 0
        or torch.autograd._profiler_enabled()
        or torch._C._functorch.maybe_current_level() is not None
        or torch._C._get_tracing_state() is not None
    )


def _hides(tensor: Tensor) -> bool:
    """Whether a tensor is more than memory with a shape, so that the operator has to see it."""
    return (
        type(tensor) not in (Tensor, nn.Parameter)
        or torch._C._functorch.is_legacy_batchedtensor(tensor)
        or tensor._is_zerotensor()
    )
