"""What every network of the library is: logits per time step, and named feature maps when asked."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from snnkd.errors import ModelError

Modality = Literal["events", "frames", "both"]
Features = dict[str, Tensor]


class Output(NamedTuple):
    """What :meth:`EyeNetwork.run` returns."""

    logits: Tensor
    """``(T, B, K)``"""
    features: Features
    """Feature maps by name, each ``(T, B, ...)``"""
    state: tuple[Tensor, ...] | None
    """State after the last step; ``None`` for a network that keeps none"""


class EyeNetwork(nn.Module):
    """Base of the networks: ``(T, B, C, H, W)`` to logits ``(T, B, K)``.

    ``arguments`` are the constructor's, as JSON can hold them: :mod:`snnkd.models.pretrained` writes them into
    ``config.json`` and builds the network from them again.
    """

    modality: ClassVar[Modality]
    """Which of a sample's tensors the network reads; ``both`` are the frame's channel and the events' two, in one."""
    in_channels: ClassVar[int]

    def __init__(self, input_size: tuple[int, int], classes: int, **arguments: Any) -> None:
        super().__init__()
        self.input_size = (int(input_size[0]), int(input_size[1]))
        self.classes = int(classes)
        if min(self.input_size) < 16 or self.classes < 2:
            raise ModelError(
                f"{type(self).__name__}: input_size must be at least 16x16 and classes at least 2, "
                f"got {self.input_size} and {self.classes}"
            )
        channels = arguments.get("channels", [1])
        if not channels or not all(isinstance(width, int) and 1 <= width <= 65_536 for width in channels):
            raise ModelError(
                f"{type(self).__name__}: channels must be one or more numbers from 1 to 65536, got {channels}"
            )
        self.arguments = {"input_size": list(self.input_size), "classes": self.classes, **arguments}

    @abstractmethod
    def run(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> Output:
        """Run over all steps of ``x (T, B, C, H, W)`` from ``state``; see :class:`Output`."""

    @property
    @abstractmethod
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each feature map, without time and batch: ``(C, H, W)`` or ``(D,)``."""

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(T, B, K)`` of a clip ``x (T, B, C, H, W)`` that starts from rest."""
        return self.run(x).logits

    def take(self, sample: Mapping[str, Any]) -> Tensor:
        """Return what this network reads of a sample or a batch (:mod:`snnkd.datasets.sample`)."""
        if self.modality == "both":
            return torch.cat([sample["frames"], sample["events"]], dim=-3)
        taken: Tensor = sample[self.modality]
        return taken

    def check_input(self, x: Tensor) -> None:
        """Raise ``ValueError`` where ``x`` is not ``(T, B, C, H, W)`` of this network's size."""
        width, height = self.input_size
        expected = (self.in_channels, height, width)
        if x.ndim != 5 or tuple(x.shape[2:]) != expected:
            raise ValueError(
                f"{type(self).__name__} takes (T, B, {', '.join(map(str, expected))}), time first, got {tuple(x.shape)}"
            )


def predict(logits: Tensor) -> Tensor:
    """Read the clip's logits ``(B, K)`` from logits over time ``(T, B, K)``: their mean."""
    return logits.mean(0)


def parameter_count(network: nn.Module) -> int:
    """Return how many numbers training adjusts."""
    return sum(p.numel() for p in network.parameters())
