r"""Surrogate gradients: what the backward pass uses in place of the step's derivative.

The forward pass is always the exact step :math:`s = [u > 0]` with :math:`u = h - \theta`. Its derivative is zero
almost everywhere, so backward uses :math:`\partial s/\partial u := g(u)`:

===============  ==========================================================  =================
name             :math:`g(u)`                                                default width
===============  ==========================================================  =================
``atan``         :math:`\frac{\alpha/2}{1 + (\frac{\pi}{2}\alpha u)^2}`      :math:`\alpha=2`
``fast_sigmoid`` :math:`1 / (1 + k|u|)^2`                                    :math:`k=25`
``sigmoid``      :math:`k\,\sigma(ku)\,(1 - \sigma(ku))`                     :math:`k=4`
``triangle``     :math:`\max(0, 1 - |u|/w)`                                  :math:`w=1`
``rectangle``    :math:`1[|u| < w]`                                          :math:`w=0.5`
===============  ==========================================================  =================

Sources: atan, Fang et al. 2021 (arXiv 2007.05785); fast sigmoid, Zenke and Ganguli 2018; triangle, Bellec et al.
2018; rectangle, Wu et al. 2018 (and SEEN).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def _atan(u: Tensor, alpha: float) -> Tensor:
    return (alpha / 2) / (1 + (math.pi / 2 * alpha * u).square())


def _fast_sigmoid(u: Tensor, k: float) -> Tensor:
    return 1 / (1 + k * u.abs()).square()


def _sigmoid(u: Tensor, k: float) -> Tensor:
    sigma = torch.sigmoid(k * u)
    return k * sigma * (1 - sigma)


def _triangle(u: Tensor, w: float) -> Tensor:
    return (1 - u.abs() / w).clamp(min=0)


def _rectangle(u: Tensor, w: float) -> Tensor:
    return (u.abs() < w).to(u.dtype)


_DERIVATIVES: dict[str, tuple[Callable[[Tensor, float], Tensor], float]] = {
    "atan": (_atan, 2.0),
    "fast_sigmoid": (_fast_sigmoid, 25.0),
    "sigmoid": (_sigmoid, 4.0),
    "triangle": (_triangle, 1.0),
    "rectangle": (_rectangle, 0.5),
}

SURROGATES = tuple(_DERIVATIVES)
"""Names of the built-in surrogates."""


@dataclass(frozen=True)
class Surrogate:
    r"""A surrogate by name, with its width; ``None`` for the name's default.

    ``atan`` :math:`\frac{\alpha/2}{1 + (\frac{\pi}{2}\alpha u)^2}` (:math:`\alpha=2`), ``fast_sigmoid``
    :math:`1/(1 + k|u|)^2` (:math:`k=25`), ``sigmoid`` :math:`k\,\sigma(ku)(1 - \sigma(ku))` (:math:`k=4`), ``triangle``
    :math:`\max(0, 1 - |u|/w)` (:math:`w=1`), ``rectangle`` :math:`1[|u| < w]` (:math:`w=0.5`); ``width`` is the letter.
    """

    name: str
    width: float | None = None

    def __post_init__(self) -> None:
        if self.name not in _DERIVATIVES:
            raise ValueError(f"surrogate must be one of {', '.join(SURROGATES)} or a callable, got {self.name!r}")
        if self.width is not None and not 0 < self.width < math.inf:
            raise ValueError(f"surrogate width must be above zero and finite, got {self.width}")

    @property
    def chosen_width(self) -> float:
        """The width, or the name's default."""
        return _DERIVATIVES[self.name][1] if self.width is None else float(self.width)

    def derivative(self, u: Tensor) -> Tensor:
        """Return ``g(u)``, of the shape and dtype of ``u``."""
        return _DERIVATIVES[self.name][0](u, self.chosen_width)


class _Step(torch.autograd.Function):
    """``[u > 0]`` forward, ``g(u)`` backward; NaN stays NaN so that a broken input is seen and not silenced."""

    generate_vmap_rule = True  # torch.func's transforms go through

    @staticmethod
    def forward(u: Tensor, surrogate: Surrogate) -> Tensor:
        return torch.where(u.isnan(), u, (u > 0).to(u.dtype))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Surrogate], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.surrogate = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        # Plain differentiable operations, so that a second backward pass works.
        return grad * ctx.surrogate.derivative(u), None


SpikeFunction = Callable[[Tensor], Tensor]


def resolve(surrogate: str | Surrogate | SpikeFunction) -> Surrogate | SpikeFunction:
    """Turn a surrogate's name into a :class:`Surrogate`; refuse what is neither a name, a Surrogate nor a callable."""
    if isinstance(surrogate, str):
        return Surrogate(surrogate)
    if not isinstance(surrogate, Surrogate) and not callable(surrogate):
        raise ValueError(f"surrogate must be a name, a Surrogate or a callable, got {type(surrogate).__name__}")
    return surrogate


def spike_function(surrogate: str | Surrogate | SpikeFunction) -> SpikeFunction:
    """Turn a surrogate's name, a :class:`Surrogate` or a callable ``u -> s`` into the spike function ``u -> s``.

    A callable is used as it is: snnTorch's ``snntorch.surrogate`` functions are such callables. What it first gives is
    looked at, and refused by a ``ValueError`` where it is not a tensor of spikes.
    """
    chosen = resolve(surrogate)
    if isinstance(chosen, Surrogate):
        known = chosen
        return lambda u: _Step.apply(u, known)
    called = chosen
    looked = torch.compiler.is_compiling() or torch._C._functorch.maybe_current_level() is not None

    def look(u: Tensor) -> Tensor:
        nonlocal looked
        spikes = called(u)
        if not looked:
            _refuse_no_spikes(spikes, u)
            looked = True
        return spikes

    return look


def _refuse_no_spikes(spikes: Any, u: Tensor) -> None:
    if not isinstance(spikes, Tensor) or spikes.shape != u.shape:
        what = f"shape {tuple(spikes.shape)}" if isinstance(spikes, Tensor) else f"a {type(spikes).__name__}"
        raise ValueError(
            f"surrogate must give spikes of the shape {tuple(u.shape)} that it gets, got {what}: "
            "are its parentheses missing?"
        )
    other = (spikes != 0) & (spikes != 1) & ~spikes.isnan()
    if other.any():
        raise ValueError(
            f"surrogate must be the step, 0 or 1, in its forward pass, got {spikes[other][0].item():g}: "
            "only its derivative may be smooth"
        )
