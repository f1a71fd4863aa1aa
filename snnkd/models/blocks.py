"""Blocks that the networks share."""

from torch import Tensor, nn
from torch.nn import functional

from snnkd.spiking import NormLIF, PackedConv2d


def over_time(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a layer that knows no time to ``(T, B, ...)``: time and batch are one axis for it."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class SpikingConv(nn.Module):
    """Convolution, batch norm and LIF: ``(T, B, C_in, H, W)`` to binary ``(T, B, C_out, H/stride, W/stride)``.

    The stride takes the place of pooling, so that what the next layer receives is spikes and nothing else. With
    ``packed`` the input, which then must be spikes, is kept for backward as bits.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, beta: float, packed: bool = False) -> None:
        super().__init__()
        convolution = PackedConv2d if packed else nn.Conv2d
        self.conv = convolution(in_channels, out_channels, 3, stride, padding=1, bias=False)
        # Currents out of sparse events have a variance far below the 1 that running statistics begin with: at the usual
        # 0.1 a short training would be evaluated on statistics that silence the layer.
        self.lif = NormLIF(out_channels, momentum=0.3, beta=beta, learn_beta=True)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spikes and the state after the last step."""
        return self.lif(over_time(self.conv, x), state)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a shortcut (He et al. 2016): ``(N, C_in, H, W)`` to ``(N, C_out, H/s, W/s)``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``relu(conv2(relu(conv1(x))) + shortcut(x))``, each convolution normalised."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def stage_shapes(size: tuple[int, int], channels: list[int]) -> dict[str, tuple[int, int, int]]:
    """Return ``(C, H, W)`` of ``stage1``, ``stage2``, … where every stage halves the resolution."""
    shapes = {}
    for number, width in enumerate(channels, start=1):
        columns, rows = halved(size, number)
        shapes[f"stage{number}"] = (width, rows, columns)
    return shapes


def halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    """Return ``(W, H)`` after that many stride-2 3×3 convolutions with padding 1 (each rounds up)."""
    width, height = size
    for _ in range(times):
        width, height = (width + 1) // 2, (height + 1) // 2
    return width, height
