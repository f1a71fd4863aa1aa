"""SEEN, the network of the SEE dataset's authors (Zhang et al., SIGGRAPH 2023, arXiv 2310.04043), as a baseline.

Written from its description; names and shapes of parameters are the authors', so that their checkpoints load.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.errors import ModelError
from snnkd.spiking import Surrogate, lif

DECAY, THRESHOLD, WINDOW = 0.2, 0.3, 0.5
SCALES = 3


def neurons(x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""SEEN's neuron over ``x (T, ...)``: spikes, and the membrane of the last step.

    .. math:: m[t] = 0.2\,m[t-1]\,(1 - s[t-1]) + x[t], \qquad s[t] = [m[t] > 0.3]

    with the rectangular surrogate :math:`|m - 0.3| < 0.5` and a reset that carries gradient: :func:`snnkd.spiking.lif`
    with the delayed reset to zero.
    """
    return lif(
        x,
        DECAY,
        THRESHOLD,
        surrogate=Surrogate("rectangle", WINDOW),
        reset="zero",
        reset_delay=True,
        detach_reset=False,
        state=state,
    )


class SEEN(nn.Module):
    r"""Frames and events, each ``(B, 3, T, H, W)`` in [0, 1], to ``(B, 7)``, as the authors have it.

    The first and the last frame go through ``conv0`` and three scales of convolutions, each weighted by a softmax over
    the scales of what an ``mlp`` makes of it, ``conv1_cat``, ``conv2_f2``, ``conv3_f2`` and one step of neurons. Each
    event image goes through the same weights, without their biases, without gradient to them and with the frames'
    weights of the scales, with neurons after ``conv1_cat``, ``conv2_f2`` and ``conv3_f2``. The sum of both spikes, 0 to
    2, goes through ``fc1``, neurons, ``fc2``, and neurons whose membrane, averaged over the steps, is the output.

    No layer of the event path looks back but through its neurons, so that each is run over all steps at once.

    Args:
        classes: number of emotions.
        input_size: ``(W, H)``. The authors' is 90×90; another size changes the width of ``fc1``.
    """

    def __init__(self, classes: int = 7, input_size: tuple[int, int] = (90, 90)) -> None:
        super().__init__()
        self.input_size = input_size
        self.conv0 = nn.Conv2d(6, 3, 1)
        self.conv1_f2 = nn.Conv2d(3, 64, 3, 2, padding=1)
        self.conv1_f3 = nn.Conv2d(3, 64, 5, 2, padding=2)
        self.conv1_f4 = nn.Conv2d(3, 64, 7, 2, padding=3)
        self.mlp_f1, self.mlp_f2, self.mlp_f3 = (_scale_weight() for _ in range(SCALES))
        self.conv1_cat = nn.Conv2d(64 * SCALES, 64, 1)
        self.conv2_f2 = nn.Conv2d(64, 256, 3, 2, padding=1)
        self.conv3_f2 = nn.Conv2d(256, 512, 3, 4, padding=1)
        columns, rows = map_size(input_size, 3)
        self.fc1 = nn.Linear(512 * rows * columns, 256)
        self.fc2 = nn.Linear(256, classes)
        # Channels last is what convolutions on CPUs and tensor cores run fastest on; names and shapes stay.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, frames: Tensor, events: Tensor) -> Tensor:
        """Return ``(B, 7)``."""
        for name, x in (("frames", frames), ("events", events)):
            width, height = self.input_size
            if x.ndim != 5 or x.shape[1] != 3 or tuple(x.shape[3:]) != (height, width):
                raise ValueError(f"{name} must be (B, 3, T, {height}, {width}), got {tuple(x.shape)}")
        return self.run(frames[:, :, 0], frames[:, :, -1], events.movedim(2, 0))[0].mean(0)

    def run(self, first: Tensor, last: Tensor, events: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Frames ``(B, 3, H, W)`` and events ``(T, B, 3, H, W)`` to the last membrane at each step and the spikes."""
        steps = len(events)
        image = self.conv0(torch.cat([first, last], dim=1))
        maps = [conv(image) for conv in self.scales]
        mlps = (self.mlp_f1, self.mlp_f2, self.mlp_f3)
        weights = torch.cat([mlp(m) for mlp, m in zip(mlps, maps, strict=True)], dim=1).softmax(1)  # (B, 3, 1, 1)
        image = self.conv1_cat(torch.cat([m * weights[:, i : i + 1] for i, m in enumerate(maps)], dim=1))
        image = self.conv3_f2(self.conv2_f2(image)).flatten(1)
        held = neurons(image[None])[0]

        # (T·B, ...) through the convolutions, (T, B, ...) through the neurons
        x = events.flatten(0, 1)
        weights = weights.repeat(steps, 1, 1, 1)
        x = torch.cat([_detached(conv, x) * weights[:, i : i + 1] for i, conv in enumerate(self.scales)], dim=1)
        spikes: dict[str, Tensor] = {}
        for name, conv in (("conv1", self.conv1_cat), ("conv2", self.conv2_f2), ("conv3", self.conv3_f2)):
            x = spikes[name] = neurons(_detached(conv, x).unflatten(0, (steps, -1)))[0]
            x = x.flatten(0, 1)
        both = x.flatten(1).unflatten(0, (steps, -1)) + held
        spikes["hidden"] = neurons(self.fc1(both))[0]
        current = self.fc2(spikes["hidden"])
        membranes: list[Tensor] = []
        for t in range(steps):  # the neurons' function gives the last membrane alone
            membranes.append(neurons(current[t : t + 1], membranes[-1] if membranes else None)[1])
        return torch.stack(membranes), spikes

    @property
    def scales(self) -> tuple[nn.Conv2d, ...]:
        """The three convolutions of the first layer."""
        return (self.conv1_f2, self.conv1_f3, self.conv1_f4)

    def load_checkpoint(self, path: str | Path) -> None:
        """Load a checkpoint of the authors' (``.pth``): tensors alone are read, nothing else is unpickled.

        A wrapping ``state_dict`` or ``model`` and the prefix ``module.`` of data-parallel trainings are taken off.

        Raises:
            ModelError: a file that cannot be read so, or whose tensors are not this network's, by name.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a foreign or cut file fails in as many ways as there are bytes
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"{path}: is no checkpoint of plain tensors ({reason})") from None
        for wrapper in ("state_dict", "model"):
            if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
                content = content[wrapper]
        if not isinstance(content, dict):
            raise ModelError(f"{path}: holds no state dict but a {type(content).__name__}")
        tensors = {str(name).removeprefix("module."): tensor for name, tensor in content.items()}
        own = self.state_dict()
        for name, tensor in own.items():
            if name not in tensors:
                if name.endswith("num_batches_tracked"):  # which older checkpoints do not have
                    tensors[name] = tensor
                    continue
                raise ModelError(f"{path}: tensor {name!r} is missing: this is no checkpoint of SEEN")
            if not isinstance(tensors[name], Tensor) or tensors[name].shape != tensor.shape:
                got = tuple(getattr(tensors[name], "shape", ()))
                raise ModelError(
                    f"{path}: tensor {name!r} has shape {got}, SEEN at {self.input_size} {tuple(tensor.shape)}"
                )
        if unknown := sorted(set(tensors) - set(own)):
            raise ModelError(f"{path}: unknown tensor {unknown[0]!r}: this is no checkpoint of SEEN")
        self.load_state_dict(tensors)


def map_size(input_size: tuple[int, int], layer: int) -> tuple[int, int]:
    """Return ``(W, H)`` of the maps after the first, second or third convolution, of strides 2, 2 and 4."""
    width, height = input_size
    for stride in (2, 2, 4)[:layer]:
        width, height = (width - 1) // stride + 1, (height - 1) // stride + 1
    return width, height


def _scale_weight() -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 1))


def _detached(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """The convolution without its bias, and without gradient to its weight."""
    return functional.conv2d(x, conv.weight.detach(), None, conv.stride, conv.padding)
