"""Layers: thin shells that own the parameters of the functions in :mod:`snnkd.spiking.functional`."""

import math

import torch
from torch import Tensor, nn

from snnkd.spiking.functional import RESETS, li, lif
from snnkd.spiking.surrogate import SpikeFunction, Surrogate, spike_function


class _Leaky(nn.Module):
    """What LIF and LI share: a decay in (0, 1), fixed or learned, one or one per channel."""

    def __init__(self, beta: float, learn_beta: bool, channels: int | None, backend: str | None) -> None:
        super().__init__()
        if not 0 < beta < 1:
            raise ValueError(f"beta must lie between 0 and 1, got {beta}")
        shape = () if channels is None else (channels,)
        # Learned in logit space: the decay stays in (0, 1) whatever the optimiser does.
        logit = torch.full(shape, math.log(beta / (1 - beta)))
        self.learn_beta = learn_beta
        self.backend = backend
        if learn_beta:
            self.beta_logit = nn.Parameter(logit)
        else:
            self.register_buffer("beta_value", torch.full(shape, beta), persistent=False)

    @property
    def beta(self) -> Tensor:
        """The decay, a scalar or ``(C,)``."""
        return torch.sigmoid(self.beta_logit) if self.learn_beta else self.get_buffer("beta_value")


class LIF(_Leaky):
    r"""Leaky integrate-and-fire neurons, as :func:`snnkd.spiking.lif`, whose arguments it takes.

    Holds no state: ``forward(x, state=None)`` returns ``(spikes, state)``, and the checkpoint holds parameters only.

    Args:
        beta: decay at the start of training.
        threshold: firing threshold at the start of training.
        learn_beta: learn the decay (as :math:`\beta = \sigma(b)`).
        learn_threshold: learn the threshold.
        channels: one decay and threshold per channel of ``(T, B, C, ...)``; ``None`` for one of each.
        surrogate, reset, reset_delay, detach_reset, backend: as in :func:`snnkd.spiking.lif`.
    """

    def __init__(
        self,
        beta: float = 0.9,
        threshold: float = 1.0,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        channels: int | None = None,
        surrogate: str | Surrogate | SpikeFunction = "atan",
        reset: str = "subtract",
        reset_delay: bool = False,
        detach_reset: bool = True,
        backend: str | None = None,
    ) -> None:
        super().__init__(beta, learn_beta, channels, backend)
        if reset not in RESETS:
            raise ValueError(f"reset must be one of {', '.join(RESETS)}, got {reset!r}")
        spike_function(surrogate)  # refuse an unknown surrogate here and not at the first batch
        self.surrogate = surrogate
        self.reset = reset
        self.reset_delay = reset_delay
        self.detach_reset = detach_reset
        value = torch.full(() if channels is None else (channels,), float(threshold))
        if learn_threshold:
            self.threshold = nn.Parameter(value)
        else:
            self.register_buffer("threshold", value, persistent=False)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``x (T, ...)`` and the state after the previous call to spikes ``(T, ...)`` and the new state."""
        return lif(
            x,
            self.beta,
            self.threshold,
            surrogate=self.surrogate,
            reset=self.reset,
            reset_delay=self.reset_delay,
            detach_reset=self.detach_reset,
            state=state,
            backend=self.backend,
        )

    def extra_repr(self) -> str:
        """Name what the parameters do not show."""
        name = self.surrogate if isinstance(self.surrogate, str | Surrogate) else "callable"
        return f"reset={self.reset}, reset_delay={self.reset_delay}, surrogate={name}, learn_beta={self.learn_beta}"


class LI(_Leaky):
    """Leaky integrator readout, as :func:`snnkd.spiking.li`; ``forward(x, state=None) -> (membrane, state)``."""

    def __init__(
        self, beta: float = 0.9, learn_beta: bool = False, channels: int | None = None, backend: str | None = None
    ) -> None:
        super().__init__(beta, learn_beta, channels, backend)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``x (T, ...)`` and the state after the previous call to the membrane ``(T, ...)`` and the new state."""
        return li(x, self.beta, state=state, backend=self.backend)
