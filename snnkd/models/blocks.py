"""Blocks that the networks share."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnkd.spiking import LI, LIF, NormLIF, PackedConv2d

# Currents out of sparse events have a variance far below the 1 that running statistics begin with: at the usual 0.1 a
# short training would be evaluated on statistics that silence the layer.
MOMENTUM = 0.3

States = tuple[Tensor, ...]


def over_time(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a layer that knows no time to ``(T, B, ...)``: time and batch are one axis for it."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class SlowSynapses(nn.Module):
    r"""Synapses that keep their current for a while, in a share of the channels of a layer.

    .. math::

        i_c[t] = \alpha_c\,i_c[t-1] + x_c[t] \quad (c < n), \qquad i_c[t] = x_c[t] \quad (c \ge n)

    Events tell change, and a face is told apart by where a change has led: a slow channel's current is the sum of the
    latest changes, what a frame's difference to an earlier frame is to a camera. The filter is linear, so it works
    on the current after the weights, whose inputs stay events (the synaptic current of a second-order neuron).

    Args:
        channels: of the layer.
        share: of them, the first ones, that are slow; rounded down.
        decays: :math:`\alpha` of the first and of the last slow channel at the start, evenly between; learned.
    """

    def __init__(self, channels: int, share: float, decays: tuple[float, float] = (0.8, 0.97)) -> None:
        super().__init__()
        self.number = int(share * channels)
        self.filter = LI(torch.linspace(*decays, self.number), learn_beta=True, channels=self.number)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``(T, B, C, H, W)`` of currents to the same, and the slow channels' state."""
        # As images, for which PyTorch keeps channels last when it cuts and joins.
        slow, fast = x.flatten(0, 1).split([self.number, x.shape[2] - self.number], dim=1)
        kept, state = self.filter(slow.unflatten(0, x.shape[:2]), state)
        return torch.cat([kept.flatten(0, 1).to(x.dtype), fast], dim=1).unflatten(0, x.shape[:2]), state


class SpikingStage(nn.Module):
    r"""Convolution of stride 2, residual blocks with a membrane shortcut, neurons: spikes to half the resolution.

    Without blocks: convolution, batch norm and LIF. With them the normalised current :math:`u` of the convolution is
    carried past each block and summed (Hu et al. 2021, arXiv 2112.08954), so that a gradient reaches the first layers
    undamped while every convolution still sees nothing but spikes:

    .. math::

        u_0 = \mathrm{BN}(W s), \qquad
        u_{b+1} = u_b + \mathrm{BN}(W''_b\,\mathrm{LIF}(\mathrm{BN}(W'_b\,\mathrm{LIF}(u_b)))), \qquad
        s' = \mathrm{LIF}(u_B)

    Decay and threshold are learned, one per channel. The stride takes the place of pooling.

    Args:
        in_channels, out_channels: ``(T, B, C_in, H, W)`` to binary ``(T, B, C_out, ⌈H/2⌉, ⌈W/2⌉)``.
        blocks: number of residual blocks.
        beta: decay at the start.
        slow: share of channels with :class:`SlowSynapses`.
        packed: keep what convolutions see, which then must be spikes, as bits for backward; ``packed_input`` is that
            of the first convolution alone.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        blocks: int,
        beta: float,
        slow: float = 0.0,
        packed: bool = False,
        packed_input: bool = False,
    ) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, 2, packed_input)
        self.synapses = SlowSynapses(out_channels, slow) if int(slow * out_channels) else None
        self.norm = nn.BatchNorm2d(out_channels, momentum=MOMENTUM) if blocks else None
        self.blocks = nn.ModuleList(MembraneBlock(out_channels, beta, packed) for _ in range(blocks))
        self.lif: LIF = (
            LIF(beta, learn_beta=True, learn_threshold=True, channels=out_channels)
            if blocks
            else NormLIF(out_channels, momentum=MOMENTUM, beta=beta, learn_beta=True, learn_threshold=True)
        )

    @property
    def states(self) -> int:
        """How many tensors its state has."""
        return (self.synapses is not None) + 2 * len(self.blocks) + 1

    def forward(self, x: Tensor, state: States | None = None) -> tuple[Tensor, States]:
        """Spikes and the state after the last step: of slow synapses, blocks and neurons, in this order."""
        before = list(state) if state is not None else [None] * self.states
        after: list[Tensor] = []
        x = over_time(self.conv, x)
        if self.synapses is not None:
            x, last = self.synapses(x, before.pop(0))
            after.append(last)
        if self.norm is not None:
            x = over_time(self.norm, x)
        for block in self.blocks:
            x, *lasts = block(x, before.pop(0), before.pop(0))
            after += lasts
        spikes, last = self.lif(x, before.pop(0))
        return spikes, (*after, last)


class MembraneBlock(nn.Module):
    """One residual block of :class:`SpikingStage`, current to current."""

    def __init__(self, channels: int, beta: float, packed: bool) -> None:
        super().__init__()
        self.lif1 = LIF(beta, learn_beta=True, learn_threshold=True, channels=channels)
        self.conv1 = convolution(channels, channels, 1, packed)
        self.lif2 = NormLIF(channels, momentum=MOMENTUM, beta=beta, learn_beta=True, learn_threshold=True)
        self.conv2 = convolution(channels, channels, 1, packed)
        self.norm = nn.BatchNorm2d(channels, momentum=MOMENTUM)

    def forward(
        self, u: Tensor, first: Tensor | None = None, second: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Current ``(T, B, C, H, W)`` and the states of both layers of neurons to the same after the last step."""
        spikes, first = self.lif1(u, first)
        spikes, second = self.lif2(over_time(self.conv1, spikes), second)
        return u + over_time(self.norm, over_time(self.conv2, spikes)), first, second


def convolution(in_channels: int, out_channels: int, stride: int, packed: bool) -> nn.Conv2d:
    """A 3×3 convolution without bias; ``packed`` keeps its input, which then must be spikes, as bits for backward."""
    kind = PackedConv2d if packed else nn.Conv2d
    return kind(in_channels, out_channels, 3, stride, padding=1, bias=False)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a shortcut (He et al. 2016): ``(N, C_in, H, W)`` to ``(N, C_out, H/s, W/s)``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``relu(conv2(relu(conv1(x))) + shortcut(x))``, each convolution normalised."""
        y = functional.relu(self.norm1(self.conv1(x)))
        # What a 1×1 convolution of that stride sees, cut out beforehand: on processors with AVX2 alone oneDNN's own, of
        # fewer than eight channels that lie last, writes past its buffer in backward, or gives wrong gradients.
        kept = x[:, :, :: self.stride, :: self.stride]
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(kept))


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
