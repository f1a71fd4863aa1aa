"""The neuron as a pure function: ``(x, state) -> (spikes, state)``."""

import math
import numbers

import torch
from torch import Tensor

from snnkd.errors import NotFiniteError
from snnkd.spiking import operators
from snnkd.spiking.backends import choose, reference
from snnkd.spiking.backends.kernels import RESETS, in_dtype, not_finite, state_dtype
from snnkd.spiking.surrogate import SpikeFunction, Surrogate, resolve, spike_function


def lif(
    x: Tensor,
    beta: float | Tensor = 0.9,
    threshold: float | Tensor = 1.0,
    surrogate: str | Surrogate | SpikeFunction = "atan",
    reset: str = "subtract",
    reset_delay: bool = False,
    detach_reset: bool = True,
    state: Tensor | None = None,
    backend: str | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Leaky integrate-and-fire over time.

    .. math::

        h[t] = \beta\, v[t-1] + x[t], \qquad s[t] = [h[t] > \theta]

    and then, by ``reset``: ``subtract`` :math:`v = h - \theta s`, ``zero`` :math:`v = (1-s)h`, ``none``
    :math:`v = h`. With ``reset_delay`` the spike of step ``t`` resets at step ``t+1``, as in snnTorch:

    .. math::

        r = [v[t-1] > \theta], \quad
        v[t] = \beta v[t-1] + x[t] - r\theta \;\text{ or }\; \beta(1-r)v[t-1] + x[t], \quad s[t] = [v[t] > \theta]

    Args:
        x: input current ``(T, ...)``, time first; with per-channel parameters ``(T, B, C, ...)``.
        beta: decay per step, a number, a scalar tensor or one per channel ``(C,)``; any finite value here, 0 to 1 in
            the layers.
        threshold: firing threshold, of the same forms.
        surrogate: a name of :data:`snnkd.spiking.SURROGATES`, a :class:`~snnkd.spiking.Surrogate` with a width, or
            a callable ``u -> s`` that gives the step forward (such as snnTorch's, with their parentheses), for which
            the reference backend is used.
        reset: ``"subtract"``, ``"zero"`` or ``"none"``.
        reset_delay: reset one step late; the state then is the membrane before its reset.
        detach_reset: whether the reset is kept out of the gradient.
        state: the membrane ``v`` after the previous call, ``(...)``; zeros where ``None``. For one step at a time,
            give ``x[t : t + 1]`` and the state that came back; in training, ``state.detach()`` between stretches.
        backend: ``"cpu"`` or ``"cuda"`` (fused kernels: fp32, fp64, bf16, on CUDA fp16, too), ``"reference"`` (plain
            PyTorch, differentiable twice), or ``None`` for the best that there is for ``x``.

    Returns:
        Spikes ``(T, ...)``, 0 or 1 in the dtype and memory order of ``x``, and the state after the last step,
        ``(...)``, in fp32 (fp64 for fp64 input). Both carry gradient, of which backward keeps ``x`` alone, or two bits
        a step for the rectangular surrogate with a detached reset and fixed parameters.

    Raises:
        ValueError: an argument of the wrong kind or shape, by name; on the CPU also a NaN or infinite value. On other
            devices, where looking would mean waiting, NaN in ``x`` gives NaN spikes and a NaN state from there on.
    """
    if reset not in RESETS:
        raise ValueError(f"reset must be one of {', '.join(RESETS)}, got {reset!r}")
    state = checked_state(x, state)
    chosen = resolve(surrogate)
    beta = parameter("beta", beta, x)
    threshold = parameter("threshold", threshold, x)
    if choose(backend, x, isinstance(chosen, Surrogate)) == "reference":
        b, theta = broadcastable(beta, x), broadcastable(threshold, x)
        spikes, last = reference.lif(
            x, b, theta, spike_function(chosen), reset, reset_delay, detach_reset, rest(x, state)
        )
        refuse_not_finite(last, x=x, state=state, beta=beta, threshold=threshold)
        return spikes, last
    assert isinstance(chosen, Surrogate)
    learned = beta.requires_grad or threshold.requires_grad
    followed = torch.is_grad_enabled() and (x.requires_grad or (state is not None and state.requires_grad))
    if chosen.name == "rectangle" and detach_reset and followed and not learned:
        spikes, last, _ = operators.lif_two_bit(x, state, beta, threshold, chosen.chosen_width, reset, reset_delay)
        return spikes, last
    choices = (chosen.name, chosen.chosen_width, reset, reset_delay, detach_reset)
    return operators.lif(x, state, beta, threshold, None, None, None, *choices)


def li(
    x: Tensor, beta: float | Tensor = 0.9, state: Tensor | None = None, backend: str | None = None
) -> tuple[Tensor, Tensor]:
    r"""Leaky integrator, the readout that never fires: :math:`v[t] = \beta\, v[t-1] + x[t]`.

    Shapes, ``state``, ``backend`` and errors as in :func:`lif`. Returns the membrane at every step ``(T, ...)``
    in the dtype of ``x`` (beyond whose range they are infinite), and the last one in fp32.
    """
    state = checked_state(x, state)
    beta = parameter("beta", beta, x)
    if choose(backend, x, built_in=True) == "reference":
        membranes, last = reference.li(x, broadcastable(beta, x), rest(x, state))
        refuse_not_finite(last, x=x, state=state, beta=beta)
        return membranes, last
    return operators.li(x, state, beta)


def norm_lif(
    x: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor,
    bias: Tensor,
    beta: float | Tensor = 0.9,
    threshold: float | Tensor = 1.0,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    surrogate: str | Surrogate | SpikeFunction = "atan",
    reset: str = "subtract",
    reset_delay: bool = False,
    detach_reset: bool = True,
    state: Tensor | None = None,
    backend: str | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Batch norm and :func:`lif` in one pass: the normalised current is never written.

    .. math:: \mathrm{LIF}\Big(\gamma\,\frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b\Big)

    In ``training`` the statistics are the batch's, over time, batch and space of each channel, they carry gradient,
    and the running ones are updated in place as by :func:`torch.nn.functional.batch_norm`; else they are the running
    ones.

    Args:
        x: ``(T, B, C, ...)``.
        running_mean, running_var, weight, bias: ``(C,)``, of batch norm.
        beta, threshold, surrogate, reset, reset_delay, detach_reset, state, backend: as in :func:`lif`.
        training: normalise with the batch's statistics.
        momentum: weight of the batch in the running statistics.
        eps: added to the variance, above 0.

    Returns:
        As :func:`lif`.

    Raises:
        ValueError: as :func:`lif`; in training also for a single value per channel, which has no variance.
    """
    if reset not in RESETS:
        raise ValueError(f"reset must be one of {', '.join(RESETS)}, got {reset!r}")
    state = checked_state(x, state)
    if x.ndim < 3:
        raise ValueError(f"x must be (T, B, C, ...) for norm_lif, got {tuple(x.shape)}")
    channels, device = x.shape[2:3], x.device
    named = ("weight", weight), ("bias", bias), ("running_mean", running_mean), ("running_var", running_var)
    for name, value in named:
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} must be a tensor of one value per channel, got {type(value).__name__}")
        if value.shape != channels:
            raise ValueError(f"{name} must hold one value per channel of x {tuple(x.shape)}, got {tuple(value.shape)}")
        if value.device != device:
            raise ValueError(f"{name} is on {value.device} and x on {device}: move one of them")
    count = x.numel() // max(x.shape[2], 1)
    if training and count < 2:
        raise ValueError(f"x must hold more than one value per channel to train batch norm, got {tuple(x.shape)}")
    positive = isinstance(eps, numbers.Real) and not isinstance(eps, bool)
    # As with beta: while compiling, the number may be one that stands for many.
    if not positive or not (torch.compiler.is_compiling() or (math.isfinite(eps) and eps > 0)):
        raise ValueError(f"eps must be finite and above 0, got {eps!r}")
    chosen = resolve(surrogate)
    beta = parameter("beta", beta, x)
    threshold = parameter("threshold", threshold, x)
    if choose(backend, x, isinstance(chosen, Surrogate)) == "reference":
        refuse_not_finite(x, x=x)  # before it gets into the running statistics
        images = x.flatten(0, 1)
        # Of one image in channels-last, torch's gradient is wrong (2.13).
        images = images.contiguous() if len(images) == 1 else images
        y = torch.nn.functional.batch_norm(
            images, running_mean, running_var, weight, bias, training, momentum, eps
        ).unflatten(0, x.shape[:2])
        return lif(y, beta, threshold, chosen, reset, reset_delay, detach_reset, state, "reference")
    assert isinstance(chosen, Surrogate)
    choices = (chosen.name, chosen.chosen_width, reset, reset_delay, detach_reset)
    if not training:
        scale = weight * torch.rsqrt(running_var + eps)
        # A copy: backward keeps it, and training goes on changing the running mean in place.
        mean = running_mean.to(state_dtype(x.dtype), copy=True)
        affine = (mean, *(value.to(state_dtype(x.dtype)) for value in (scale, bias)))
        return operators.lif(x, state, beta, threshold, *affine, *choices)
    learned = [in_dtype(value, beta.dtype) for value in (weight, bias)]
    spikes, last, mean, variance = operators.norm_lif(x, state, beta, threshold, *learned, eps, *choices)
    running_mean.lerp_(in_dtype(mean, running_mean.dtype), momentum)
    # Batch norm trains on the biased variance and remembers the unbiased one.
    running_var.lerp_(in_dtype(variance, running_var.dtype) * (count / (count - 1)), momentum)
    return spikes, last


def checked_state(x: Tensor, state: Tensor | None) -> Tensor | None:
    """Return ``state`` in the dtype that states have, after a look at both."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 1:
        what = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(
            f"x must be a floating-point tensor with time first, (T, ...), got {what}: call .float() on it"
        )
    if state is None:
        return None
    if not isinstance(state, Tensor) or not state.is_floating_point():
        what = str(state.dtype) if isinstance(state, Tensor) else type(state).__name__
        raise ValueError(f"state must be a floating-point tensor, got {what}")
    if state.shape != x.shape[1:]:
        raise ValueError(f"state must have the shape of one step of x, {tuple(x.shape[1:])}, got {tuple(state.shape)}")
    if state.device != x.device:
        raise ValueError(f"state is on {state.device} and x on {x.device}: move one of them")
    return in_dtype(state, state_dtype(x.dtype))


def rest(x: Tensor, state: Tensor | None) -> Tensor:
    """Return ``state``, or for ``None`` that of neurons at rest."""
    return torch.zeros(x.shape[1:], dtype=state_dtype(x.dtype), device=x.device) if state is None else state


def parameter(name: str, value: float | Tensor, x: Tensor) -> Tensor:
    """Bring ``beta`` or ``threshold`` onto the device of ``x`` in the state's dtype, a scalar or ``(C,)``."""
    if not isinstance(value, Tensor):
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        # While compiling, the number may be one that stands for many.
        if not number or not (torch.compiler.is_compiling() or math.isfinite(value)):
            raise ValueError(f"{name} must be a finite number or a tensor, got {value!r}")
        return torch.full((), float(value), dtype=state_dtype(x.dtype), device=x.device)
    if not value.is_floating_point():
        raise ValueError(f"{name} must be a floating-point tensor, got {value.dtype}")
    if value.device != x.device:
        raise ValueError(f"{name} is on {value.device} and x on {x.device}: move one of them")
    if value.ndim > 0 and (x.ndim < 3 or value.shape != x.shape[2:3]):
        raise ValueError(
            f"{name} must be a scalar or one value per channel of x (T, B, C, ...), "
            f"got {tuple(value.shape)} for x {tuple(x.shape)}"
        )
    return in_dtype(value, state_dtype(x.dtype))


def broadcastable(value: Tensor, x: Tensor) -> Tensor:
    """Give a value per channel the axes that it needs against one step ``(B, C, ...)``."""
    return value.reshape(-1, *[1] * (x.ndim - 3)) if value.ndim else value


def refuse_not_finite(last: Tensor, **named: Tensor | None) -> None:
    """Raise for a state that is not finite, as the kernels do; where looking is free and values are there to see."""
    hidden = torch.compiler.is_compiling() or torch._C._functorch.maybe_current_level() is not None
    if last.device.type == "cpu" and not hidden and not torch.isfinite(last).all():
        raise NotFiniteError(not_finite(**named))
