"""The fusion teacher: frames through an ANN, events through an SNN, joined at every step."""

import itertools
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.models.blocks import SpikingStage, halved, over_time
from snnkd.models.network import Modality, Output
from snnkd.models.teacher import FrameTeacher
from snnkd.spiking import LI


class FusionTeacher(FrameTeacher):
    r"""An ANN on frames and an SNN on events, ``(T, B, 3, H, W)``: the frame's channel, then OFF and ON counts.

    The frames' branch is :class:`~snnkd.models.teacher.FrameTeacher`'s up to the last map :math:`f[t]`; the events' is
    a spiking stage per width, whose last spikes are averaged by leaky integrators, :math:`r[t]`. Joined at each step,

    .. math::

        e[t] = \mathrm{ReLU}(W_f f[t] + W_e r[t] + b)

    is the embedding, of which mean and maximum so far are classified, as the frame teacher's are. No step sees what
    comes later.

    Args:
        input_size: ``(W, H)``.
        channels: widths of the frames' branch.
        spiking_channels: widths of the events' branch.
        embedding, dropout, difference_gain: as of the frame teacher.
        beta: decay of the spiking neurons at the start.
        classes: number of emotions.
    """

    modality: ClassVar[Modality] = "both"
    in_channels: ClassVar[int] = 3

    def __init__(
        self,
        input_size: tuple[int, int] = (64, 64),
        channels: tuple[int, ...] = (16, 32, 64, 128),
        spiking_channels: tuple[int, ...] = (16, 32, 64, 128),
        embedding: int = 128,
        dropout: float = 0.2,
        difference_gain: float = 4.0,
        beta: float = 0.8,
        classes: int = 7,
    ) -> None:
        super().__init__(input_size, channels, embedding, dropout, difference_gain, classes)
        self.arguments |= {"spiking_channels": list(spiking_channels), "beta": beta}
        widths = [2, *spiking_channels]
        self.stages = nn.ModuleList(
            SpikingStage(before, after, 0, beta, slow=0.0 if number else 0.5)
            for number, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.stages.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        width, height = halved(self.input_size, len(spiking_channels))
        self.rate = LI(beta=0.9, learn_beta=True)
        self.embed_events = nn.Linear(spiking_channels[-1] * height * width, embedding, bias=False)

    def run(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> Output:
        """Run over a whole clip; the teacher keeps no state from clip to clip."""
        self.check_input(x)
        if state is not None:
            raise ValueError("FusionTeacher sees whole clips and takes no state")
        f, features = self.maps(x[:, :, :1])
        s = (x[:, :, 1:] > 0).to(x.dtype)
        for number, stage in enumerate(self.stages, start=1):
            s, _ = stage(s)
            features[f"spikes{number}"] = s
        rate = (1 - self.rate.beta) * self.rate(s.flatten(2))[0]
        e = functional.relu(over_time(self.embed, f.flatten(2)) + over_time(self.embed_events, rate))
        features["embedding"] = e
        return Output(self.classified(e), features, None)

    @property
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """The frame teacher's, and ``spikes1`` … of the events' branch."""
        shapes = {}
        for number, channels in enumerate(self.arguments["spiking_channels"], start=1):
            width, height = halved(self.input_size, number)
            shapes[f"spikes{number}"] = (channels, height, width)
        return {**super().feature_shapes, **shapes}
