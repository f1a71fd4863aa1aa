"""The teacher: a compact residual ANN that sees intensity frames."""

import itertools
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.models.blocks import ResidualBlock, halved, over_time, stage_shapes
from snnkd.models.network import EyeNetwork, Features, Modality, Output


class FrameTeacher(EyeNetwork):
    r"""Residual ANN on frames ``(T, B, 1, H, W)`` in [0, 1].

    A frame enters with its difference to the clip's first frame, because an expression on an unknown face is a change
    more than an appearance. Each pair goes through a strided stem and one residual block per further width; the map
    becomes an embedding :math:`e[t]`, and what is classified at step *t* is all that was seen so far:

    .. math::

        m[t] = \Big[\tfrac1{t+1}\textstyle\sum_{i\le t} e[i],\; \max_{i\le t} e[i]\Big], \qquad z[t] = W m[t] + b

    Args:
        input_size: ``(W, H)`` of the frames.
        channels: width of the stem and of each residual block; every one halves the resolution.
        embedding: size of the embedding.
        dropout: on the pooled embedding, in training.
        difference_gain: factor on the difference to the first frame.
        classes: number of emotions.
    """

    modality: ClassVar[Modality] = "frames"
    in_channels: ClassVar[int] = 1

    def __init__(
        self,
        input_size: tuple[int, int] = (64, 64),
        channels: tuple[int, ...] = (16, 32, 64, 128),
        embedding: int = 128,
        dropout: float = 0.2,
        difference_gain: float = 4.0,
        classes: int = 7,
    ) -> None:
        super().__init__(
            input_size,
            classes,
            channels=list(channels),
            embedding=embedding,
            dropout=dropout,
            difference_gain=difference_gain,
        )
        self.difference_gain = difference_gain
        self.stem = nn.Sequential(
            nn.Conv2d(2, channels[0], 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU()
        )
        self.blocks = nn.ModuleList(ResidualBlock(before, after, 2) for before, after in itertools.pairwise(channels))
        for module in (self.stem, self.blocks):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        width, height = halved(self.input_size, len(channels))
        self.embed = nn.Linear(channels[-1] * height * width, embedding)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * embedding, self.classes)

    @property
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """``stage1`` … : the maps after the stem and each block, ``(C, H, W)``; ``embedding``: ``(D,)``."""
        return {
            **stage_shapes(self.input_size, self.arguments["channels"]),
            "embedding": (self.arguments["embedding"],),
        }

    def run(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> Output:
        """Run over a whole clip ``x (T, B, 1, H, W)``; the teacher keeps no state from clip to clip."""
        self.check_input(x)
        if state is not None:
            raise ValueError("FrameTeacher sees whole clips and takes no state")
        maps, features = self.maps(x)
        e = functional.relu(over_time(self.embed, maps.flatten(2)))
        features["embedding"] = e
        return Output(self.classified(e), features, None)

    def maps(self, frames: Tensor) -> tuple[Tensor, Features]:
        """Frames ``(T, B, 1, H, W)`` to the last block's maps, and those of every stage by name."""
        x = torch.cat([frames - 0.5, self.difference_gain * (frames - frames[:1])], dim=2)
        # Channels last is what convolutions on CPUs and tensor cores run fastest on.
        x = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])
        features: Features = {}
        x = over_time(self.stem, x)
        features["stage1"] = x
        for number, block in enumerate(self.blocks, start=2):
            x = over_time(block, x)
            features[f"stage{number}"] = x
        return x, features

    def classified(self, embedding: Tensor) -> Tensor:
        """Logits of mean and maximum of the embedding ``(T, B, D)`` so far."""
        steps = torch.arange(1, len(embedding) + 1, device=embedding.device, dtype=embedding.dtype).reshape(-1, 1, 1)
        so_far = torch.cat([embedding.cumsum(0) / steps, embedding.cummax(0).values], dim=2)
        return over_time(self.head, self.dropout(so_far))
