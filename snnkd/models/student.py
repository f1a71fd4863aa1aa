"""The students: light convolutional SNNs, on events or, for comparison, on frames."""

import itertools
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from snnkd.errors import ModelError
from snnkd.models.blocks import SpikingStage, States, halved, over_time, stage_shapes
from snnkd.models.network import EyeNetwork, Features, Modality, Output
from snnkd.spiking import LI


class StudentSize(NamedTuple):
    """Widths of the stages and residual blocks in each."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]


STUDENT_SIZES = {
    "nano": StudentSize((12, 24, 48, 96), (0, 0, 0, 0)),
    "tiny": StudentSize((16, 32, 64, 96), (0, 0, 0, 1)),
    "small": StudentSize((24, 48, 80, 128), (0, 0, 1, 1)),
}
"""At 64×64 under 0.1, 0.3 and 0.6 million parameters"""


class EventStudent(EyeNetwork):
    r"""Convolutional SNN on event bins ``(T, B, 2, H, W)``.

    One :class:`~snnkd.models.blocks.SpikingStage` per entry of ``channels``, each to half the resolution, the first
    with slow synapses, then a linear readout of the last spikes into leaky integrators, whose membranes are the logits:

    .. math::

        z[t] = \beta z[t-1] + (1-\beta)\,(W s_L[t] + b)

    Every synaptic input past the first layer is binary. With ``binary_input`` the first layer sees whether a pixel
    fired in the window and not how often, so that it needs no multiplication either; a burst of a hot pixel then counts
    as one event. Without, it sees counts up to ``max_count``.

    Args:
        input_size: ``(W, H)`` of the event bins.
        channels: width of each stage; those of ``size`` when left out.
        blocks: residual blocks in each stage; those of ``size``, or none where ``channels`` are given.
        size: ``nano``, ``tiny`` or ``small``.
        beta: decay per step at the start of training (learned, one per channel, as are the thresholds).
        readout_beta: decay of the readout at the start of training (learned).
        binary_input: see 1 where any event fell, else 0.
        max_count: counts above are seen as this.
        slow: share of the first stage's channels with slow synapses.
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
        channels: tuple[int, ...] | None = None,
        blocks: tuple[int, ...] | None = None,
        size: str = "small",
        beta: float = 0.8,
        readout_beta: float = 0.9,
        binary_input: bool = False,
        max_count: int = 4,
        slow: float = 0.5,
        dropout: float = 0.5,
        pack_spikes: bool = False,
        classes: int = 7,
    ) -> None:
        name = type(self).__name__
        if size not in STUDENT_SIZES:
            raise ModelError(f"{name}: size must be one of {', '.join(STUDENT_SIZES)}, got {size!r}")
        if channels is None:
            channels, blocks = STUDENT_SIZES[size].channels, STUDENT_SIZES[size].blocks if blocks is None else blocks
        blocks = tuple(blocks) if blocks is not None else (0,) * len(channels)
        super().__init__(
            input_size,
            classes,
            channels=list(channels),
            blocks=list(blocks),
            beta=beta,
            readout_beta=readout_beta,
            binary_input=binary_input,
            max_count=max_count,
            slow=slow,
            dropout=dropout,
            pack_spikes=pack_spikes,
        )
        for key, flag in {"binary_input": binary_input, "pack_spikes": pack_spikes}.items():
            if not isinstance(flag, bool):
                raise ModelError(f"{name}: {key} must be true or false, got {flag!r}")
        if len(blocks) != len(channels) or not all(isinstance(n, int) and 0 <= n <= 64 for n in blocks):
            raise ModelError(f"{name}: blocks must be a number from 0 to 64 for each of the channels, got {blocks}")
        if not 0 <= slow <= 1 or max_count < 1:
            raise ModelError(f"{name}: slow must be from 0 to 1 and max_count 1 or above, got {slow} and {max_count}")
        self.binary_input = binary_input
        self.max_count = max_count
        widths = [self.in_channels, *channels]
        self.stages = nn.ModuleList(
            SpikingStage(
                before,
                after,
                blocks[number],
                beta,
                slow=0.0 if number else slow,
                packed=pack_spikes,
                # Counts are no spikes: the first layer's input is packed where it is binary.
                packed_input=pack_spikes and (binary_input or number > 0),
            )
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
        """``stage1`` … : the spikes of each stage, ``(C, H, W)``."""
        return {**stage_shapes(self.input_size, self.arguments["channels"])}

    def encode(self, x: Tensor) -> Tensor:
        """What the first layer sees of the input."""
        return (x > 0).to(x.dtype) if self.binary_input else x.clamp(max=self.max_count)

    def run(self, x: Tensor, state: States | None = None) -> Output:
        """Run over all steps of ``x (T, B, 2, H, W)``, event counts, from ``state`` (``None``: from rest)."""
        self.check_input(x)
        left = list(state) if state is not None else None
        features: Features = {}
        after: list[Tensor] = []
        x = self.encode(x)
        for number, stage in enumerate(self.stages, start=1):
            assert isinstance(stage, SpikingStage)
            mine = None if left is None else tuple(left.pop(0) for _ in range(stage.states))
            x, lasts = stage(x, mine)
            features[f"stage{number}"] = x
            after += lasts
        current = over_time(self.head, self.dropout(x.flatten(2)))
        logits, last = self.readout((1 - self.readout.beta) * current, None if left is None else left[0])
        return Output(logits, features, (*after, last))


class FrameStudent(EventStudent):
    r"""The same SNN on frames ``(T, B, 1, H, W)`` in [0, 1]: what the apprenticeship paper trains.

    The first layer sees the frame and its difference to the clip's first one,
    :math:`[x[t] - \tfrac12,\; g\,(x[t] - x[0])]`, analog values; every synaptic input past it is binary.
    It sees whole clips: the first frame is the one that ``run`` is given first.

    Args:
        difference_gain: :math:`g`.
        options: as of :class:`EventStudent`, but for ``binary_input`` and ``max_count``, which events alone have.
    """

    modality: ClassVar[Modality] = "frames"

    def __init__(self, input_size: tuple[int, int] = (64, 64), *, difference_gain: float = 4.0, **options: Any) -> None:
        for key in ("binary_input", "max_count"):
            if key in options:
                raise ModelError(f"FrameStudent: has no {key}: it sees frames")
        super().__init__(input_size, binary_input=False, **options)
        self.difference_gain = difference_gain
        for key in ("binary_input", "max_count"):
            del self.arguments[key]
        self.arguments["difference_gain"] = difference_gain

    def check_input(self, x: Tensor) -> None:
        """Raise ``ValueError`` where ``x`` is no ``(T, B, 1, H, W)`` of this network's size."""
        width, height = self.input_size
        if x.ndim != 5 or tuple(x.shape[2:]) != (1, height, width):
            raise ValueError(f"FrameStudent takes (T, B, 1, {height}, {width}), time first, got {tuple(x.shape)}")

    def encode(self, x: Tensor) -> Tensor:
        """Frame and difference, two channels."""
        return torch.cat([x - 0.5, self.difference_gain * (x - x[:1])], dim=2)

    def run(self, x: Tensor, state: States | None = None) -> Output:
        """Run over a whole clip; there is no first frame to go on from, so no ``state`` is taken."""
        if state is not None:
            raise ValueError("FrameStudent sees whole clips and takes no state")
        return super().run(x)._replace(state=None)
