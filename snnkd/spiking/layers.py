"""Layers: thin shells that own the parameters of the functions in :mod:`snnkd.spiking.functional`."""

import copy
import numbers
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from snnkd.spiking.backends import BACKENDS
from snnkd.spiking.backends.kernels import RESETS
from snnkd.spiking.functional import li, lif, norm_lif
from snnkd.spiking.surrogate import SpikeFunction, Surrogate, resolve


class _Leaky(nn.Module):
    """What LIF and LI share: a decay in (0, 1), fixed or learned, one or one per channel."""

    beta_value: Tensor
    _constants: tuple[str, ...] = ("beta_value", "threshold")

    def __init__(self, beta: float | Tensor, learn_beta: bool, channels: int | None, backend: str | None) -> None:
        super().__init__()
        if channels is not None and (isinstance(channels, bool) or not isinstance(channels, int) or channels < 1):
            raise ValueError(f"channels must be a whole number above 0 or None, got {channels!r}")
        refuse_no_bool(learn_beta=learn_beta)
        value = initial("beta", beta, channels)
        if not ((value > 0) & (value < 1) if learn_beta else (value >= 0) & (value <= 1)).all():
            ends = ", both excluded as it is learned" if learn_beta else ""
            raise ValueError(f"beta must lie between 0 and 1{ends}, got {beta}")
        if backend not in (None, *BACKENDS):
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)} or None, got {backend!r}")
        # Learned in logit space: the decay stays in (0, 1) whatever the optimiser does.
        self.learn_beta = learn_beta
        self.backend = backend
        if learn_beta:
            self.beta_logit = nn.Parameter(torch.logit(value))
        else:
            self.register_buffer("beta_value", value)

    @property
    def beta(self) -> Tensor:
        """The decay, a scalar or ``(C,)``."""
        return torch.sigmoid(self.beta_logit) if self.learn_beta else self.beta_value

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # A constant goes where the layer goes and keeps its precision: in bfloat16 a decay of 0.999 would be 1.
        kept = {name: value for name, value in self._buffers.items() if name in self._constants and value is not None}
        super()._apply(fn, recurse)
        for name, value in kept.items():
            moved = self._buffers[name]
            if moved is not None and moved.dtype != value.dtype and moved.dtype != torch.float64:
                self._buffers[name] = value.to(moved.device)
        return self

    def extra_repr(self) -> str:
        """Name what the parameters do not show."""
        return f"beta={shown(self.beta)}, learn_beta={self.learn_beta}, backend={self.backend}"


def initial(name: str, value: float | Tensor, channels: int | None) -> Tensor:
    """Return a parameter's first value, fp32, a scalar or one per channel; ``ValueError`` for what is neither."""
    if isinstance(value, Tensor):
        given = value.detach().to(torch.float32, copy=True)
        if given.ndim > 1 or (given.ndim == 1 and channels not in (None, len(given))):
            raise ValueError(
                f"{name} must be a number or one value per channel ({channels},), got {tuple(given.shape)}"
            )
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        given = torch.tensor(float(value))
    else:
        raise ValueError(f"{name} must be a number or a tensor of one per channel, got {value!r}")
    if not torch.isfinite(given).all():
        raise ValueError(f"{name} must be finite, got {value}")
    return given if channels is None or given.ndim else given.expand(channels).clone()


def refuse_no_bool(**values: bool) -> None:
    """Refuse what is neither True nor False, such as an argument that landed in another's place."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")


def shown(value: Tensor) -> str:
    """Return a scalar, or the range of values per channel, for a layer's ``repr``."""
    low, high = float(value.detach().min()), float(value.detach().max())
    text = f"{low:g}" if low == high else f"{low:g}..{high:g}"
    return text if value.ndim == 0 else f"{text} ({len(value)} channels)"


class LIF(_Leaky):
    r"""Leaky integrate-and-fire neurons, as :func:`snnkd.spiking.lif`, whose arguments it takes.

    Holds no state: ``forward(x, state=None)`` returns ``(spikes, state)``. A checkpoint has decay and threshold, fixed
    or learned, and no membrane. Fixed ones stay in fp32 when the layer is cast to half precision.

    Args:
        beta: decay, of training its start: a number in [0, 1], or a tensor ``(C,)``.
        threshold: firing threshold, of training its start: a number, or a tensor ``(C,)``. A learned one is not held
            above zero; below it, a neuron fires at rest.
        learn_beta: learn the decay (as :math:`\beta = \sigma(b)`, which keeps it between 0 and 1).
        learn_threshold: learn the threshold.
        channels: one decay and threshold per channel of ``(T, B, C, ...)``; ``None`` for one of each.
        surrogate, reset, reset_delay, detach_reset, backend: as in :func:`snnkd.spiking.lif`.

    Raises:
        ValueError: an argument out of range or of the wrong kind, by name.
    """

    def __init__(
        self,
        beta: float | Tensor = 0.9,
        threshold: float | Tensor = 1.0,
        *,
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
        refuse_no_bool(learn_threshold=learn_threshold, reset_delay=reset_delay, detach_reset=detach_reset)
        value = initial("threshold", threshold, channels)
        resolve(surrogate)  # refuse an unknown surrogate here and not at the first batch
        self.surrogate = surrogate
        self.reset = reset
        self.reset_delay = reset_delay
        self.detach_reset = detach_reset
        if learn_threshold:
            self.threshold = nn.Parameter(value)
        else:
            self.register_buffer("threshold", value)

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
        learned = isinstance(self.threshold, nn.Parameter)
        return (
            f"beta={shown(self.beta)}, threshold={shown(self.threshold)}, learn_beta={self.learn_beta}, "
            f"learn_threshold={learned}, surrogate={name}, reset={self.reset}, reset_delay={self.reset_delay}, "
            f"detach_reset={self.detach_reset}, backend={self.backend}"
        )


class NormLIF(LIF):
    r"""Batch norm and LIF neurons in one, as :func:`snnkd.spiking.norm_lif`: ``(T, B, C, ...)`` to spikes.

    :attr:`norm` is a :class:`torch.nn.BatchNorm2d` that holds what batch norm holds (weight, bias, running statistics)
    under its names; its own ``forward`` is never called. Statistics are this process's own: they are not gathered over
    the processes of data-parallel training, as ``SyncBatchNorm`` would.

    Args:
        channels: ``C``; decay and threshold are one per channel.
        eps, momentum: of batch norm.
        beta, threshold, learn_beta, learn_threshold, surrogate, reset, reset_delay, detach_reset, backend: as in
            :class:`LIF`.
    """

    def __init__(
        self,
        channels: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        beta: float | Tensor = 0.9,
        threshold: float | Tensor = 1.0,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        surrogate: str | Surrogate | SpikeFunction = "atan",
        reset: str = "subtract",
        reset_delay: bool = False,
        detach_reset: bool = True,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            beta,
            threshold,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            channels=channels,
            surrogate=surrogate,
            reset=reset,
            reset_delay=reset_delay,
            detach_reset=detach_reset,
            backend=backend,
        )
        self.norm = nn.BatchNorm2d(channels, eps, momentum)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``x (T, B, C, ...)``, what a convolution gave, to spikes of its shape and the new state."""
        norm = self.norm
        if x.ndim < 3 or x.shape[2] != norm.num_features:
            raise ValueError(
                f"x must be (T, B, {norm.num_features}, ...) for this layer, got {tuple(x.shape)}: is time missing?"
            )
        mean, variance, weight, bias = norm.running_mean, norm.running_var, norm.weight, norm.bias
        if type(norm) is not nn.BatchNorm2d or mean is None or weight is None:
            raise ValueError(f"norm must stay a BatchNorm2d with running statistics and affine, got {norm}")
        seen = norm.num_batches_tracked
        assert seen is not None
        assert variance is not None
        # Its own mode counts, as where statistics are frozen; and no momentum means the average over all batches.
        momentum = 1 / (int(seen) + 1) if norm.momentum is None else norm.momentum
        result = norm_lif(
            x,
            mean,
            variance,
            weight,
            bias,
            self.beta,
            self.threshold,
            training=norm.training,
            momentum=momentum,
            eps=norm.eps,
            surrogate=self.surrogate,
            reset=self.reset,
            reset_delay=self.reset_delay,
            detach_reset=self.detach_reset,
            state=state,
            backend=self.backend,
        )
        if norm.training:
            seen.add_(1)
        return result

    @torch.no_grad()
    def fold(self, convolution: nn.Conv2d) -> tuple[nn.Conv2d, LIF]:
        """Return the convolution before this layer with the batch norm folded in, and the neurons without it.

        For inference: both are copies, and together they give what convolution and layer give in evaluation.

        Raises:
            ValueError: no convolution, or one with other channels.
        """
        if not isinstance(convolution, nn.Conv2d):
            raise ValueError(f"convolution must be a Conv2d, got {type(convolution).__name__}")
        if convolution.out_channels != self.norm.num_features:
            raise ValueError(
                f"convolution must have {self.norm.num_features} output channels, got {convolution.out_channels}"
            )
        folded = fuse_conv_bn_eval(copy.deepcopy(convolution).eval(), copy.deepcopy(self.norm).eval())
        neurons = LIF(
            learn_beta=self.learn_beta,
            learn_threshold=isinstance(self.threshold, nn.Parameter),
            channels=self.norm.num_features,
            surrogate=self.surrogate,
            reset=self.reset,
            reset_delay=self.reset_delay,
            detach_reset=self.detach_reset,
            backend=self.backend,
        )
        for name in ("beta_logit" if self.learn_beta else "beta_value", "threshold"):
            value = getattr(self, name)
            setattr(neurons, name, nn.Parameter(value.clone()) if isinstance(value, nn.Parameter) else value.clone())
        return folded, neurons.eval()


class LI(_Leaky):
    """Leaky integrator readout, as :func:`snnkd.spiking.li`; ``forward(x, state=None) -> (membrane, state)``."""

    def __init__(
        self,
        beta: float | Tensor = 0.9,
        *,
        learn_beta: bool = False,
        channels: int | None = None,
        backend: str | None = None,
    ) -> None:
        super().__init__(beta, learn_beta, channels, backend)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``x (T, ...)`` and the state after the previous call to the membrane ``(T, ...)`` and the new state."""
        return li(x, self.beta, state=state, backend=self.backend)
