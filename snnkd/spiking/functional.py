"""The neuron as a pure function: ``(x, state) -> (spikes, state)``."""

import torch
from torch import Tensor

from snnkd.spiking import backends
from snnkd.spiking.surrogate import SpikeFunction, Surrogate, spike_function

RESETS = ("subtract", "zero", "none")


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
        beta: decay per step, a number, a scalar tensor or one per channel ``(C,)``.
        threshold: firing threshold, of the same forms.
        surrogate: a name of :data:`snnkd.spiking.SURROGATES`, a :class:`~snnkd.spiking.Surrogate` with a width, or
            a callable ``u -> s`` (such as snnTorch's).
        reset: ``"subtract"``, ``"zero"`` or ``"none"``.
        reset_delay: reset one step late; the state then is the membrane before its reset.
        detach_reset: whether the reset is kept out of the gradient.
        state: the membrane ``v`` after the previous call, ``(...)``; zeros where ``None``.
        backend: ``"reference"``, or ``None`` for the best that the device has.

    Returns:
        Spikes ``(T, ...)``, 0 or 1 in the dtype of ``x``, and the state after the last step, ``(...)``, in fp32
        (fp64 for fp64 input). NaN in ``x`` gives NaN spikes, not silence. Both carry gradient.

    Raises:
        ValueError: an argument of the wrong kind or shape, by name.
    """
    if reset not in RESETS:
        raise ValueError(f"reset must be one of {', '.join(RESETS)}, got {reset!r}")
    v = initial_state(x, state)
    spike = spike_function(surrogate)
    beta = parameter("beta", beta, x, v)
    threshold = parameter("threshold", threshold, x, v)
    return backends.choose(backend).lif(x, beta, threshold, spike, reset, reset_delay, detach_reset, v)


def li(
    x: Tensor, beta: float | Tensor = 0.9, state: Tensor | None = None, backend: str | None = None
) -> tuple[Tensor, Tensor]:
    r"""Leaky integrator, the readout that never fires: :math:`v[t] = \beta\, v[t-1] + x[t]`.

    Shapes, ``state``, ``backend`` and errors as in :func:`lif`. Returns the membrane at every step ``(T, ...)``
    in the dtype of ``x``, and the last one in fp32.
    """
    v = initial_state(x, state)
    return backends.choose(backend).li(x, parameter("beta", beta, x, v), v)


def initial_state(x: Tensor, state: Tensor | None) -> Tensor:
    """Return ``state`` in the dtype that states have, or zeros of ``x``'s shape without its time axis."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 1:
        what = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x must be a floating-point tensor with time first, (T, ...), got {what}")
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    if state is None:
        return torch.zeros(x.shape[1:], dtype=dtype, device=x.device)
    if state.shape != x.shape[1:]:
        raise ValueError(f"state must have the shape of one step of x, {tuple(x.shape[1:])}, got {tuple(state.shape)}")
    if state.device != x.device:
        raise ValueError(f"state is on {state.device} and x on {x.device}: move one of them")
    return state.to(dtype)


def parameter(name: str, value: float | Tensor, x: Tensor, v: Tensor) -> Tensor:
    """Bring ``beta`` or ``threshold`` into a shape that broadcasts against the state ``(B, C, ...)``."""
    value = torch.as_tensor(value, dtype=v.dtype, device=None if isinstance(value, Tensor) else x.device)
    if value.device != x.device and value.ndim > 0:
        raise ValueError(f"{name} is on {value.device} and x on {x.device}: move one of them")
    if value.ndim == 0:
        return value
    if x.ndim < 3 or value.shape != x.shape[2:3]:
        raise ValueError(
            f"{name} must be a scalar or one value per channel of x (T, B, C, ...), "
            f"got {tuple(value.shape)} for x {tuple(x.shape)}"
        )
    return value.reshape(-1, *[1] * (x.ndim - 3))
