"""A student as an event-driven network: norms folded into weights, one compiled call for any number of steps."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnkd.energy import Hardware
from snnkd.energy.counting.levels import MOST
from snnkd.errors import ModelError
from snnkd.inference.engine import kernel
from snnkd.inference.engine.pricing import StepPrices
from snnkd.inference.engine.steps import Floats, Steps
from snnkd.models import EventStudent, EyeNetwork
from snnkd.models.blocks import MembraneBlock, SpikingStage
from snnkd.spiking import LI, LIF, NormLIF


class Counts(NamedTuple):
    """What steps gave, and what they did."""

    logits: Floats
    """``(T, K)``"""
    operations: NDArray[np.int64]
    """``(T, S)``: synaptic operations of each layer with weights, in the order of the network"""
    spikes: NDArray[np.int64]
    """``(T, L)``: of each layer of neurons"""


@dataclass
class _Table:
    """Rows of operations, and the flat arrays that they point into, as they are put together."""

    rows: list[list[int]] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)
    fan_outs: list[NDArray[np.int64]] = field(default_factory=list)
    states: int = 0
    synaptic: int = 0
    neurons: int = 0
    currents: int = 1
    spikes: int = 1
    positions: int = 1

    def put(self, values: Tensor) -> int:
        place = sum(len(each) for each in self.weights)
        self.weights.append(values.detach().double().cpu().reshape(-1).numpy().astype(np.float32))
        return place

    def put_fan_out(self, weight: Tensor, height: int, width: int, stride: int) -> int:
        """Nonzero weights that each input ``(H, W, C)`` meets."""
        place = sum(len(each) for each in self.fan_outs)
        nonzero = (weight.detach() != 0).double().sum(0, keepdim=True)  # (1, C, 3, 3)
        rows, columns = -(-height // stride), -(-width // stride)
        ones = torch.ones(1, weight.shape[1], rows, columns, dtype=torch.float64)
        # What output positions hand back to each input; a stride leaves open which of two sizes this was.
        met = nn.functional.conv_transpose2d(
            ones,
            nonzero.transpose(0, 1),
            stride=stride,
            padding=1,
            output_padding=(height - (rows - 1) * stride - 1, width - (columns - 1) * stride - 1),
            groups=weight.shape[1],
        )
        self.fan_outs.append(met[0].permute(1, 2, 0).reshape(-1).numpy().round().astype(np.int64))
        return place

    def row(self, code: int, **columns: int) -> None:
        row = [0] * kernel.COLUMNS
        row[kernel.CODE] = code
        for name, value in columns.items():
            row[getattr(kernel, name)] = value
        self.rows.append(row)

    def convolution(
        self,
        code: int,
        weight: Tensor,
        scale: Tensor,
        bias: Tensor,
        size: tuple[int, int],
        stride: int,
        target: int,
        adds: bool = False,
        slow: LI | None = None,
    ) -> tuple[int, int]:
        """Add a 3×3 convolution of ``size (H, W)``, times ``scale``, plus ``bias``; returns its output's size."""
        out, depth = weight.shape[:2]
        height, width = size
        rows, columns = -(-height // stride), -(-width // stride)
        number = 0 if slow is None else len(slow.beta)
        folded = weight.detach().double() * scale.double()[:, None, None, None]
        self.row(
            code,
            CHANNELS=depth,
            HEIGHT=height,
            WIDTH=width,
            OUT_CHANNELS=out,
            OUT_HEIGHT=rows,
            OUT_WIDTH=columns,
            STRIDE=stride,
            WEIGHT=self.put(folded.permute(2, 3, 1, 0)),
            BIAS=self.put(bias),
            TARGET=target,
            ADDS=int(adds),
            SLOW=number,
            SLOW_DECAY=0 if slow is None else self.put(slow.beta),
            SLOW_STATE=self.states,
            FAN_OUT=self.put_fan_out(weight, height, width, stride),
            PLACE=self.synaptic,
        )
        self.synaptic += 1
        self.states += number * rows * columns
        self.currents = max(self.currents, out * rows * columns)
        return rows, columns

    def fire(self, neurons: LIF, channels: int, size: tuple[int, int], target: int) -> None:
        """Add a layer of neurons."""
        each = torch.ones(channels, dtype=torch.float64)
        number = channels * size[0] * size[1]
        self.row(
            kernel.FIRE,
            CHANNELS=channels,
            HEIGHT=size[0],
            WIDTH=size[1],
            DECAY=self.put(neurons.beta.detach().double() * each),
            THRESHOLD=self.put(neurons.threshold.detach().double() * each),
            STATE=self.states,
            TARGET=target,
            PLACE=self.neurons,
        )
        self.neurons += 1
        self.states += number
        self.spikes = max(self.spikes, number)
        self.positions = max(self.positions, size[0] * size[1])


CURRENT, SHORTCUT = 0, 1
"""The buffers: of one layer, and what a stage's blocks add to"""


class EventDriven:
    r"""A trained :class:`~snnkd.models.EventStudent` that computes only where there are spikes.

    Batch norms are folded, :math:`W' = \tfrac{\gamma}{\sigma} W` and :math:`b' = \beta - \tfrac{\gamma}{\sigma}\mu`,
    in float64, then rounded to float32. Of a step the cost is that of its synaptic operations, which it counts as it
    goes: those of :mod:`snnkd.energy`, exactly.

    Args:
        network: the student; its weights are copied.
        hardware: price the steps on it.

    Raises:
        ModelError: a network that this cannot run (:meth:`runs`).
    """

    def __init__(self, network: EyeNetwork, hardware: Hardware | None = None) -> None:
        if not self.runs(network, hardware):
            raise ModelError(f"{type(network).__name__}: is not run event by event: only an EventStudent is")
        assert isinstance(network, EventStudent)
        self.most = 1 if network.binary_input else network.max_count
        width, height = network.input_size
        self.input_size, self.classes = network.input_size, network.classes
        table = _Table()
        size, code = (height, width), kernel.FROM_COUNTS
        for stage in network.stages:
            assert isinstance(stage, SpikingStage)
            size = _add_stage(table, stage, size, code)
            code = kernel.CONVOLVE
        _add_readout(table, network, size)
        self._table = np.array(table.rows, np.int64)
        self._prices = None if hardware is None else StepPrices(self._table, hardware)
        self._weights = np.concatenate(table.weights)
        self._fan_outs = np.concatenate(table.fan_outs)
        self._states, self._layers = table.states, (table.synaptic, table.neurons)
        self._buffers = np.empty((2, table.currents), np.float32)
        self._channels = np.empty(table.spikes + 1, np.int32)  # one more: written before it is known to have fired
        self._begins = np.empty(table.positions + 1, np.int64)

    @staticmethod
    def runs(network: EyeNetwork, hardware: Hardware | None = None) -> bool:
        """Whether a network's layers are those that this knows, with the neurons' defaults.

        Counts of more than 15 are no events for the profile, but analog values: they are not priced here.
        """
        if type(network) is not EventStudent:
            return False
        if hardware is not None and not network.binary_input and network.max_count > MOST:
            return False
        kinds = (LIF, NormLIF, LI)
        neurons = [module for module in network.modules() if isinstance(module, LIF)]
        return all(type(n) in kinds and n.reset == "subtract" and not n.reset_delay for n in neurons)

    def rest(self) -> Floats:
        """Return the state at rest."""
        return np.zeros(self._states, np.float32)

    def run(self, bins: NDArray[Any], state: Floats) -> Steps:
        """Run over counts ``(T, 2, H, W)``, unsigned integers; ``state`` is changed into that after the last step.

        Not to be called from two threads at once: it has one set of buffers.
        """
        counts = self.count(bins, state)
        joules = None if self._prices is None else self._prices.joules(counts.operations, counts.spikes)
        return Steps(counts.logits, joules)

    def count(self, bins: NDArray[Any], state: Floats) -> Counts:
        """Run as :meth:`run` does, and tell the synaptic operations and the spikes of each layer."""
        steps = len(bins)
        logits = np.empty((steps, self.classes), np.float32)
        operations = np.empty((steps, self._layers[0]), np.int64)
        spikes = np.empty((steps, self._layers[1]), np.int64)
        kernel.run_steps(
            bins,
            self.most,
            self._table,
            self._weights,
            self._fan_outs,
            state,
            self._buffers,
            self._channels,
            self._begins,
            logits,
            operations,
            spikes,
        )
        return Counts(logits, operations, spikes)

    def spike_maps(self, bins: NDArray[Any], state: Floats) -> list[NDArray[np.bool_]]:
        """Run as :meth:`run` does, slowly, and return each layer's spikes ``(T, C, H, W)``."""
        fires = [i for i, row in enumerate(self._table) if row[kernel.CODE] == kernel.FIRE]
        sizes = [tuple(self._table[i, [kernel.HEIGHT, kernel.WIDTH, kernel.CHANNELS]].tolist()) for i in fires]
        maps = [np.zeros((len(bins), *size), np.bool_) for size in sizes]
        whole = self._table
        try:
            for t in range(len(bins)):
                for i in range(len(whole)):
                    self._table = whole[i : i + 1]
                    self.count(bins[t : t + 1], state)
                    if i in fires:
                        height, width, channels = sizes[fires.index(i)]
                        begins = self._begins[: height * width + 1]
                        positions = np.repeat(np.arange(height * width), np.diff(begins))
                        flat = maps[fires.index(i)][t].reshape(-1, channels)
                        flat[positions, self._channels[: begins[-1]]] = True
        finally:
            self._table = whole
        return [each.transpose(0, 3, 1, 2) for each in maps]


def _add_stage(table: _Table, stage: SpikingStage, size: tuple[int, int], code: int) -> tuple[int, int]:
    slow = None if stage.synapses is None else stage.synapses.filter
    channels = stage.conv.out_channels
    norm = stage.norm if stage.norm is not None else stage.lif.norm
    assert isinstance(norm, nn.BatchNorm2d)
    target = SHORTCUT if len(stage.blocks) else CURRENT
    size = table.convolution(code, stage.conv.weight, *_folded(norm), size, 2, target, slow=slow)
    for block in stage.blocks:
        assert isinstance(block, MembraneBlock)
        table.fire(block.lif1, channels, size, SHORTCUT)
        table.convolution(kernel.CONVOLVE, block.conv1.weight, *_folded(block.lif2.norm), size, 1, CURRENT)
        table.fire(block.lif2, channels, size, CURRENT)
        table.convolution(kernel.CONVOLVE, block.conv2.weight, *_folded(block.norm), size, 1, SHORTCUT, adds=True)
    table.fire(stage.lif, channels, size, target)
    return size


def _add_readout(table: _Table, network: EventStudent, size: tuple[int, int]) -> None:
    share = 1 - network.readout.beta.detach().double()
    classes, channels = network.classes, network.head.in_features // (size[0] * size[1])
    weight = network.head.weight.detach().double().reshape(classes, channels, *size)
    fan_out = (weight != 0).sum(0).permute(1, 2, 0).reshape(-1)
    table.row(
        kernel.READ,
        CHANNELS=channels,
        HEIGHT=size[0],
        WIDTH=size[1],
        OUT_CHANNELS=classes,
        WEIGHT=table.put((share * weight).permute(2, 3, 1, 0)),
        BIAS=table.put(share * network.head.bias.detach().double()),
        SLOW_DECAY=table.put(network.readout.beta),
        STATE=table.states,
        FAN_OUT=sum(len(each) for each in table.fan_outs),
        PLACE=table.synaptic,
    )
    table.fan_outs.append(fan_out.numpy().astype(np.int64))
    table.synaptic += 1
    table.states += classes


def _folded(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and bias of a batch norm in evaluation, in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.detach().double() - scale * norm.running_mean.double()
