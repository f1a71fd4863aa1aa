"""A teacher whose maps come from any backbone of timm (extra ``timm``, imported when one is built)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.errors import ModelError
from snnkd.models.blocks import over_time
from snnkd.models.network import EyeNetwork, Features, Output
from snnkd.models.teacher import FrameTeacher


class TimmTeacher(FrameTeacher):
    r"""A backbone of timm on frames ``(T, B, 1, H, W)`` in [0, 1], with the frame teacher's head.

    The backbone sees the frame and its difference to the clip's first one, two channels; its last map, pooled over
    space, becomes the embedding :math:`e[t] = \mathrm{ReLU}(W_e\,\overline{f[t]} + b)`, and mean and maximum of it so
    far are classified, as :class:`~snnkd.models.teacher.FrameTeacher` does. What timm calls feature levels are the
    features ``stage1`` … here.

    Args:
        backbone: a name that ``timm.list_models()`` knows, of one that gives feature levels (``resnet18``,
            ``convnext_atto``, ``mobilenetv3_small_100``).
        input_size: ``(W, H)`` of the frames.
        pretrained: begin with timm's weights, which are downloaded then. A model folder holds its own: one that is
            read is built without.
        embedding, dropout, difference_gain, classes: as of the frame teacher.

    Raises:
        ModelError: timm is not installed, or does not know the backbone, or it gives no maps at this size.
    """

    def __init__(
        self,
        backbone: str,
        input_size: tuple[int, int] = (64, 64),
        pretrained: bool = False,
        embedding: int = 128,
        dropout: float = 0.2,
        difference_gain: float = 4.0,
        classes: int = 7,
    ) -> None:
        EyeNetwork.__init__(
            self,
            input_size,
            classes,
            backbone=backbone,
            embedding=embedding,
            dropout=dropout,
            difference_gain=difference_gain,
        )
        self.difference_gain = difference_gain
        self.backbone = _made(backbone, pretrained)
        self._shapes = _shapes(self.backbone, backbone, self.input_size)
        self.embed = nn.Linear(list(self._shapes.values())[-1][0], embedding)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * embedding, self.classes)

    @property
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """``stage1`` … : the backbone's levels, ``(C, H, W)``; ``embedding``: ``(D,)``."""
        return {**self._shapes, "embedding": (self.arguments["embedding"],)}

    def run(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> Output:
        """Run over a whole clip; the teacher keeps no state from clip to clip."""
        self.check_input(x)
        if state is not None:
            raise ValueError("TimmTeacher sees whole clips and takes no state")
        maps, features = self.maps(x)
        e = functional.relu(over_time(self.embed, maps.mean((3, 4))))
        features["embedding"] = e
        return Output(self.classified(e), features, None)

    def maps(self, frames: Tensor) -> tuple[Tensor, Features]:
        """Frames ``(T, B, 1, H, W)`` to the backbone's last level, and every level by name."""
        x = torch.cat([frames - 0.5, self.difference_gain * (frames - frames[:1])], dim=2)
        levels = self.backbone(x.flatten(0, 1))
        features = {name: level.unflatten(0, x.shape[:2]) for name, level in zip(self._shapes, levels, strict=True)}
        return features[f"stage{len(levels)}"], features


def _made(backbone: str, pretrained: bool) -> Any:
    try:
        import timm
    except ImportError as error:
        raise ModelError(
            f"TimmTeacher: timm cannot be imported ({error}): install it with  pip install 'snnkd[timm]'"
        ) from None
    try:
        return timm.create_model(backbone, pretrained=pretrained, in_chans=2, features_only=True)
    except Exception as error:  # timm raises RuntimeError, ValueError and what the Hub raises
        reason = " ".join(str(error).split())
        raise ModelError(f"TimmTeacher: timm does not make a backbone of {backbone!r}: {reason}") from None


@torch.no_grad()
def _shapes(backbone: nn.Module, name: str, size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    width, height = size
    training = backbone.training
    try:
        levels = backbone.eval()(torch.zeros(1, 2, height, width))
    except Exception as error:  # each architecture has its own way to refuse a size
        reason = " ".join(str(error).split())
        raise ModelError(f"TimmTeacher: {name} does not take frames of {width}×{height}: {reason}") from None
    backbone.train(training)
    channels = backbone.feature_info.channels()  # type: ignore[union-attr,operator]  # set by timm
    if [level.shape[1] for level in levels] != list(channels) or any(level.ndim != 4 for level in levels):
        raise ModelError(f"TimmTeacher: {name} gives no maps (C, H, W): choose a convolutional backbone")
    return {f"stage{number}": tuple(level.shape[1:]) for number, level in enumerate(levels, start=1)}
