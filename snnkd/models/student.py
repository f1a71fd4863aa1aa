"""The student: a light convolutional SNN that sees nothing but events."""

import itertools
from typing import ClassVar

import torch
from torch import Tensor, nn

from snnkd.errors import ModelError
from snnkd.models.blocks import SpikingConv, halved, over_time, stage_shapes
from snnkd.models.network import EyeNetwork, Features, Modality, Output
from snnkd.spiking import LI


class EventStudent(EyeNetwork):
    r"""Convolutional SNN on event bins ``(T, B, 2, H, W)``.

    One :class:`~snnkd.models.blocks.SpikingConv` of stride 2 per entry of ``channels``, then a linear readout of the
    last spikes into leaky integrators, whose membranes are the logits:

    .. math::

        s_l[t] = \mathrm{LIF}(\mathrm{BN}(W_l * s_{l-1}[t])), \qquad
        z[t] = \beta z[t-1] + (1-\beta)\,(W s_L[t] + b)

    With ``binary_input`` the first layer sees whether a pixel fired in the window and not how often, so that it needs
    no multiplication either; a burst of a hot pixel then counts as one event. Every synaptic input past the first
    layer is binary in either case.

    Args:
        input_size: ``(W, H)`` of the event bins.
        channels: width of each layer.
        beta: decay per step at the start of training (learned, one per channel).
        readout_beta: decay of the readout at the start of training (learned).
        binary_input: see 1 where any event fell, else 0.
        dropout: on the spikes that the readout sees, in training.
        pack_spikes: keep spikes as bits between forward and backward: less than half the memory of a training step,
            for some more time.
        classes: number of emotions.
    """

    modality: ClassVar[Modality] = "events"
    in_channels: ClassVar[int] = 2

    def __init__(
        self,
        input_size: tuple[int, int] = (64, 64),
        channels: tuple[int, ...] = (16, 32, 64, 128),
        beta: float = 0.8,
        readout_beta: float = 0.9,
        binary_input: bool = True,
        dropout: float = 0.3,
        pack_spikes: bool = False,
        classes: int = 7,
    ) -> None:
        super().__init__(
            input_size,
            classes,
            channels=list(channels),
            beta=beta,
            readout_beta=readout_beta,
            binary_input=binary_input,
            dropout=dropout,
            pack_spikes=pack_spikes,
        )
        for name, flag in {"binary_input": binary_input, "pack_spikes": pack_spikes}.items():
            if not isinstance(flag, bool):
                raise ModelError(f"EventStudent: {name} must be true or false, got {flag!r}")
        self.binary_input = binary_input
        widths = [self.in_channels, *channels]
        self.stages = nn.ModuleList(
            # Event counts are no spikes: the first layer's input is packed where it is binary.
            SpikingConv(before, after, 2, beta, packed=pack_spikes and (binary_input or number > 0))
            for number, (before, after) in enumerate(itertools.pairwise(widths))
        )
        # Channels last is what convolutions on CPUs and tensor cores run fastest on; inputs follow the weights.
        self.stages.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        width, height = halved(self.input_size, len(channels))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels[-1] * height * width, self.classes)
        self.readout = LI(beta=readout_beta, learn_beta=True)

    @property
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """``stage1`` … : the spikes of each layer, ``(C, H, W)``."""
        return {**stage_shapes(self.input_size, self.arguments["channels"])}

    def run(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> Output:
        """Run over all steps of ``x (T, B, 2, H, W)``, event counts, from ``state`` (``None``: from rest)."""
        self.check_input(x)
        states: list[Tensor | None] = list(state) if state is not None else [None] * (len(self.stages) + 1)
        features: Features = {}
        after: list[Tensor] = []
        if self.binary_input:
            x = (x > 0).to(x.dtype)
        for number, stage in enumerate(self.stages, start=1):
            x, last = stage(x, states[number - 1])
            features[f"stage{number}"] = x
            after.append(last)
        current = over_time(self.head, self.dropout(x.flatten(2)))
        logits, last = self.readout((1 - self.readout.beta) * current, states[-1])
        return Output(logits, features, (*after, last))
