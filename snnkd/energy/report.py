"""What a network costs per sample, and where the energy goes."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from snnkd.energy.counting import Counter, LayerCount
from snnkd.energy.hardware import Hardware, load_hardware

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LayerReport:
    """One layer, per sample (all time steps of one clip)."""

    name: str
    kind: str
    input: str
    """``binary``, ``analog``, or ``current`` for a neuron layer"""
    input_rate: float
    """Share of nonzero inputs"""
    synaptic_operations: float
    macs: float
    neuron_updates: float
    spikes: float
    joules: float


@dataclass(frozen=True)
class EnergyReport:
    r"""Energy per sample:

    .. math::

        E = E_{MAC}\,(\mathrm{MACs} + \text{neuron updates}) + E_{AC}\,(\text{synaptic operations} + \text{spikes})

    A neuron update is one multiplication and one addition (:math:`\beta v + x`), a spike one subtraction (the reset).
    Biases are where accumulation starts; batch norm is folded into the convolution before it; memory traffic is not
    in this estimate.
    """

    hardware: Hardware
    samples: int
    layers: tuple[LayerReport, ...]
    uncounted: tuple[str, ...]
    spike_rate: float | None
    """Spikes per neuron and step over all LIF layers; ``None`` for a network without any"""

    @property
    def synaptic_operations(self) -> float:
        """Accumulates per sample: nonzero binary input meets nonzero weight."""
        return sum(layer.synaptic_operations for layer in self.layers)

    @property
    def macs(self) -> float:
        """Multiply-accumulates per sample of layers with analog input."""
        return sum(layer.macs for layer in self.layers)

    @property
    def neuron_updates(self) -> float:
        """Membrane updates per sample."""
        return sum(layer.neuron_updates for layer in self.layers)

    @property
    def joules(self) -> float:
        """Energy per sample."""
        return sum(layer.joules for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "hardware": self.hardware.name,
            "samples": self.samples,
            "per_sample": {
                "synaptic_operations": self.synaptic_operations,
                "macs": self.macs,
                "neuron_updates": self.neuron_updates,
                "joules": self.joules,
            },
            "spike_rate": self.spike_rate,
            "layers": [vars(layer) for layer in self.layers],
            "uncounted": list(self.uncounted),
        }

    def save_json(self, path: str) -> None:
        """Write :meth:`to_json` to a file."""
        with open(path, "w") as file:
            json.dump(self.to_json(), file, indent=2)

    def table(self, width: int = 110) -> str:
        """Return the layers as a table for the terminal."""
        from snnkd.terminal import as_text, plain_table

        total = self.joules or 1.0
        table = plain_table(f"Energy per sample on {self.hardware.name}")
        table.add_column("layer", no_wrap=True)
        table.add_column("input")
        for heading in ("nonzero", "syn. ops", "MACs", "updates", "energy"):
            table.add_column(heading, justify="right")
        table.add_column("share", no_wrap=True)
        for layer in self.layers:
            share = layer.joules / total
            table.add_row(
                layer.name,
                layer.input,
                "" if layer.input == "current" else f"{layer.input_rate:.1%}",
                _count(layer.synaptic_operations),
                _count(layer.macs),
                _count(layer.neuron_updates),
                joules_text(layer.joules),
                f"{'█' * round(5 * share):<5} {share:4.0%}",
            )
        table.add_section()
        table.add_row(
            "total",
            "",
            "",
            _count(self.synaptic_operations),
            _count(self.macs),
            _count(self.neuron_updates),
            joules_text(self.joules),
            "",
        )
        notes = [f"Not counted: {', '.join(self.uncounted)}"] if self.uncounted else []
        return as_text(table, *notes, width=width)

    def plot(self) -> "Figure":
        """Draw where the energy goes, a bar per layer."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 0.32 * len(self.layers) + 1.2), layout="constrained")
        axes = figure.subplots()
        scale, unit = _unit(max((layer.joules for layer in self.layers), default=0.0))
        colours = {"binary": "#2a7f9e", "analog": "#c4572e", "current": "#8a8f98"}
        labels = {"binary": "accumulates", "analog": "multiply-accumulates", "current": "neuron updates"}
        for kind, colour in colours.items():
            chosen = [layer for layer in self.layers if layer.input == kind]
            if chosen:
                axes.barh(
                    [c.name for c in chosen], [c.joules / scale for c in chosen], color=colour, label=labels[kind]
                )
        axes.set_yticks(range(len(self.layers)), [layer.name for layer in self.layers])
        axes.invert_yaxis()
        axes.set_xlabel(f"energy per sample ({unit}), {self.hardware.name}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        return figure


def profile(network: nn.Module, batch: Tensor, hardware: str = "45nm-fp32") -> EnergyReport:
    """Run ``network`` on ``batch`` and report what one sample costs.

    Args:
        network: any module whose synapses are ``Conv2d`` and ``Linear`` and whose neurons are this library's.
        batch: ``(T, B, C, H, W)``, time first; figures are divided by ``B``.
        hardware: a name of :func:`available_hardware`, or a YAML file.

    Raises:
        ValueError: a batch that is not ``(T, B, C, H, W)`` or empty, or a NaN activation (naming the layer).
        ConfigError: a profile that cannot be used.
    """
    if batch.ndim != 5 or 0 in batch.shape:
        raise ValueError(f"batch must be (T, B, C, H, W), time first and not empty, got {tuple(batch.shape)}")
    costs = load_hardware(hardware)
    training = network.training
    network.eval()
    try:
        with torch.no_grad(), Counter(network) as counter:
            network(batch)
    finally:
        network.train(training)
    return make_report(counter, samples=batch.shape[1], hardware=costs)


def make_report(counter: Counter, samples: int, hardware: Hardware) -> EnergyReport:
    """Turn totals over ``samples`` clips into a report per sample."""
    if not any(layer.input_values or layer.neuron_updates for layer in counter.layers.values()):
        raise ValueError("nothing was counted: the network did not run, or has no layer that can be counted")
    lif = [layer for layer in counter.layers.values() if layer.fires]
    neurons = sum(layer.neuron_updates for layer in lif)
    return EnergyReport(
        hardware,
        samples,
        tuple(_per_sample(layer, samples, hardware) for layer in counter.layers.values()),
        tuple(counter.uncounted),
        sum(layer.spikes for layer in lif) / neurons if neurons else None,
    )


def _per_sample(layer: LayerCount, samples: int, hardware: Hardware) -> LayerReport:
    multiplied = layer.macs + layer.neuron_updates
    added = layer.acs + layer.spikes
    return LayerReport(
        name=layer.name,
        kind=layer.kind,
        input="current" if layer.neuron else "binary" if layer.binary else "analog",
        input_rate=layer.input_nonzeros / layer.input_values if layer.input_values else 0.0,
        synaptic_operations=layer.acs / samples,
        macs=layer.macs / samples,
        neuron_updates=layer.neuron_updates / samples,
        spikes=layer.spikes / samples,
        joules=(multiplied * hardware.mac.joules + added * hardware.ac.joules) / samples,
    )


def _unit(joules: float) -> tuple[float, str]:
    for scale, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ")):
        if joules >= scale:
            return scale, unit
    return 1e-12, "pJ"


def joules_text(joules: float) -> str:
    """Format an energy with its unit, three digits."""
    scale, unit = _unit(joules)
    return f"{joules / scale:.3g} {unit}"


def _count(number: float) -> str:
    if number >= 1e5:
        return f"{number / 1e6:.3g} M"
    return f"{number:,.0f}" if number else "·"
