"""The backends of the neuron, chosen in one place.

``reference`` is the definition: plain PyTorch on any device, any callable as surrogate, differentiable twice. ``cpu``
and ``cuda`` are fused kernels behind the operators of :mod:`snnkd.spiking.operators`.
"""

import importlib.util
from functools import cache
from types import ModuleType

import torch
from torch import Tensor
from torch.autograd import forward_ad

BACKENDS = ("reference", "cpu", "cuda")

_DTYPES = {
    "cpu": (torch.float32, torch.float64, torch.bfloat16),
    "cuda": (torch.float32, torch.float64, torch.bfloat16, torch.float16),
}


def choose(name: str | None, x: Tensor, built_in: bool) -> str:
    """Return the backend called ``name``, or for ``None`` the best for ``x``.

    A surrogate that is not ``built_in``, and dtypes and devices without kernels, are for the reference alone.

    Raises:
        ValueError: no such backend, or it cannot do this.
    """
    if name is None:
        device = x.device.type
        # torch.func's transforms and forward-mode differentiation see through plain operations only.
        plain = torch._C._functorch.maybe_current_level() is None and forward_ad._current_level < 0
        built_in = built_in and plain
        return device if built_in and x.dtype in _DTYPES.get(device, ()) and available(device) else "reference"
    if name not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)} or None, got {name!r}")
    if name == "reference":
        return name
    if not built_in:
        raise ValueError(f"surrogate must be a built-in one for backend {name!r}; a callable needs backend='reference'")
    if x.device.type != name:
        raise ValueError(f"x must be on a {name} device for backend {name!r}, got {x.device}")
    if x.dtype not in _DTYPES[name]:
        kinds = ", ".join(str(d).removeprefix("torch.") for d in _DTYPES[name])
        raise ValueError(f"x must be {kinds} for backend {name!r}, got {x.dtype}: use one of them or 'reference'")
    if not available(name):
        raise ValueError(f"backend {name!r} needs the package triton, which is not installed")
    return name


def available(device: str) -> bool:
    """Whether the fused backend of a device type can be loaded."""
    return device == "cpu" or (device == "cuda" and importlib.util.find_spec("triton") is not None)


def fused(device: torch.device) -> ModuleType:
    """Return the fused backend for a device."""
    return _fused(device.type)


@cache
def _fused(device: str) -> ModuleType:
    return importlib.import_module(f"snnkd.spiking.backends.{device}")
