"""SEEN among the library's networks: the same clips, the same training and evaluation."""

from typing import ClassVar

import torch
from torch import Tensor

from snnkd.models.network import EyeNetwork, Modality, Output
from snnkd.models.seen import SEEN, map_size

GREY, GAIN = 0.504, 0.1


def event_images(counts: Tensor, gain: float = GAIN) -> Tensor:
    r"""Event counts ``(T, B, 2, H, W)`` as SEE's images ``(T, B, 3, H, W)`` in [0, 1].

    .. math:: g = \mathrm{clip}\big(0.504 + \gamma\,(\mathrm{ON} - \mathrm{OFF}),\, 0,\, 1\big)

    mid-grey where nothing happened, whose value is the mean of the authors' event images, ON brighter and OFF darker;
    three equal channels. The gain of an event is ours: it is not published.
    """
    grey = (GREY + gain * (counts[:, :, 1:] - counts[:, :, :1])).clamp(0, 1)
    return grey.expand(-1, -1, 3, -1, -1)


class SEENNetwork(EyeNetwork):
    """:class:`~snnkd.models.seen.SEEN` on batches of this library: frames and events ``(T, B, 3, H, W)`` to logits.

    Frames become three equal channels, windows of events grey images (:func:`event_images`). The logits are the last
    membrane at each step, so that their mean, the prediction, is SEEN's output. The first and the *last* frame of the
    clip are seen at every step: this network looks ahead, and what it tells before the clip's end is no forecast.

    Args:
        input_size: ``(W, H)``; the authors' is 90×90.
        gain: brightness of an event.
        classes: number of emotions.
    """

    modality: ClassVar[Modality] = "both"
    in_channels: ClassVar[int] = 3

    def __init__(self, input_size: tuple[int, int] = (90, 90), gain: float = GAIN, classes: int = 7) -> None:
        super().__init__(input_size, classes, gain=gain)
        self.gain = gain
        self.seen = SEEN(self.classes, self.input_size)

    @property
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """``conv1``, ``conv2``, ``conv3``: spikes of the event path, ``(C, H, W)``; ``hidden``: after ``fc1``."""
        maps = {}
        for layer, channels in enumerate((64, 256, 512), start=1):
            width, height = map_size(self.input_size, layer)
            maps[f"conv{layer}"] = (channels, height, width)
        return {**maps, "hidden": (256,)}

    def run(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> Output:
        """Run over a whole clip; as it looks at its last frame, no ``state`` is taken."""
        self.check_input(x)
        if state is not None:
            raise ValueError("SEENNetwork sees whole clips and takes no state")
        first, last = (x[t, :, :1].expand(-1, 3, -1, -1) for t in (0, -1))
        logits, features = self.seen.run(first, last, event_images(x[:, :, 1:], self.gain))
        return Output(logits, features, None)


def seen_inputs(x: Tensor, gain: float = GAIN) -> tuple[Tensor, Tensor]:
    """What :class:`~snnkd.models.seen.SEEN` itself takes for ``x (T, B, 3, H, W)``: both ``(B, 3, T, H, W)``."""
    frames = x[:, :, :1].expand(-1, -1, 3, -1, -1)
    return tuple(torch.movedim(part, 0, 2) for part in (frames, event_images(x[:, :, 1:], gain)))  # type: ignore[return-value]
