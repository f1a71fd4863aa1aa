"""What a network costs per sample, and where the energy goes."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnkd.energy.hardware import Hardware, load_hardware

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from snnkd.energy.comparison import Comparison
    from snnkd.energy.memory import MemoryEstimate

VERSION = 2
"""Of the JSON form"""
COUNTED = (
    "synaptic_operations",
    "macs",
    "dense_operations",
    "neuron_updates",
    "spikes",
    "additions",
    "multiplications",
    "comparisons",
    "folded",
    "uncounted",
)
SHOWN = ("joules", "synaptic_operations", "macs", "spikes")
Counts = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class LayerReport:
    """One row, per sample (all time steps of one clip)."""

    name: str
    kind: str
    """``Conv2d``, ``Linear``, ``matmul``, ``LIF``, ``LI``, ``BatchNorm``, ``elementwise``, …"""
    input: str
    """What its inputs were made of (:mod:`snnkd.energy.counting.levels`), or ``current`` where no weights are"""
    input_rate: float
    """Share of nonzero inputs"""
    inputs: float
    """Input values of all steps"""
    synaptic_operations: float
    """Accumulates: an event meets a nonzero weight"""
    macs: float
    """An analog value meets a nonzero weight"""
    dense_operations: float
    """Input values, zero or not, that meet a nonzero weight: what a network without spikes would multiply"""
    neuron_updates: float
    spikes: float
    additions: float
    """Resets, residual sums, means, shifts"""
    multiplications: float
    comparisons: float
    """With thresholds, in ReLUs and in maxima"""
    folded: float
    """Additions and multiplications that went into weights, or into the events of the next layer"""
    uncounted: float
    """Elements of what has no count: exponentials and the like"""
    parameters: int
    """Nonzero weights"""
    outputs: int
    """Values that it gives in a step"""
    joules: float | None
    """``None`` where the hardware's figures do not cover it"""


@dataclass(frozen=True)
class EnergyReport:
    r"""Energy per sample:

    .. math::

        E = E_{MAC}\,(\text{MACs} + \text{neuron updates}) + E_{AC}\,\text{synaptic operations}
          + E_{+}\,\text{additions} + E_{\times}\,\text{multiplications} + E_{<}\,\text{comparisons}

    A neuron update is one multiplication and one addition (:math:`\beta v + x`), with a comparison; a reset by
    subtraction is an addition. Biases are where accumulation starts. A norm behind weights is folded into them, means
    and sums of spikes into the next layer. On a chip with one figure per synaptic operation that figure stands for all
    of it, and what is no synaptic operation has none: ``unpriced``. Memory is not in ``joules``: :meth:`memory`.
    """

    hardware: Hardware
    layers: tuple[LayerReport, ...]
    steps: int
    """Time steps of a clip"""
    sample_counts: tuple[Counts, ...] = field(repr=False)
    """Of each layer and sample: ``(N,)`` by the names in :data:`COUNTED`"""
    step_counts: tuple[Counts, ...] = field(repr=False)
    """Of each layer and time step, a sample's mean: ``(T,)``"""
    spike_rate: float | None = None
    """Spikes per neuron and step over all spiking layers; ``None`` for a network without any"""
    method: str = "exact"
    """``rate``: published formulas, see :mod:`snnkd.energy.approximation`"""

    @property
    def samples(self) -> int:
        """How many clips were counted."""
        return len(next(iter(self.sample_counts[0].values())))

    def per_sample(self, name: str = "joules") -> NDArray[np.float64]:
        """Each sample's ``(N,)`` joules, or what else :data:`COUNTED` names."""
        return self._over(self.sample_counts, name)

    def per_step(self, name: str = "joules") -> NDArray[np.float64]:
        """Each time step's ``(T,)`` joules, or what else :data:`COUNTED` names, mean over samples."""
        return self._over(self.step_counts, name)

    def _over(self, counts: tuple[Counts, ...], name: str) -> NDArray[np.float64]:
        from snnkd.energy.pricing import joules_of

        if name != "joules":
            return np.sum([each[name] for each in counts], axis=0)
        rows = [joules_of(layer.kind, each, self.hardware) for layer, each in zip(self.layers, counts, strict=True)]
        return np.sum([row for row in rows if row is not None], axis=0) + np.zeros(len(next(iter(counts[0].values()))))

    def _sum(self, name: str) -> float:
        return float(sum(getattr(layer, name) or 0.0 for layer in self.layers))

    @property
    def synaptic_operations(self) -> float:
        """Accumulates per sample: events meet nonzero weights."""
        return self._sum("synaptic_operations")

    @property
    def macs(self) -> float:
        """Multiply-accumulates per sample of layers with analog input."""
        return self._sum("macs")

    @property
    def dense_operations(self) -> float:
        """Multiply-accumulates per sample, were every input analog."""
        return self._sum("dense_operations")

    @property
    def neuron_updates(self) -> float:
        """Membrane updates per sample."""
        return self._sum("neuron_updates")

    @property
    def joules(self) -> float:
        """Energy per sample, of all that has a figure."""
        return self._sum("joules")

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Rows with operations that have no count, and how many elements these are, per thousand dense operations."""
        total = max(self.dense_operations, 1.0)
        return tuple(f"{x.name}: {1e3 * x.uncounted / total:.2g}‰" for x in self.layers if x.uncounted)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Rows that the hardware's figures do not cover."""
        return tuple(layer.name for layer in self.layers if layer.joules is None)

    def on(self, hardware: str | Hardware) -> "EnergyReport":
        """Return the same counts priced for other hardware."""
        from snnkd.energy.pricing import joules_of

        known = load_hardware(hardware) if isinstance(hardware, str) else hardware
        layers = tuple(replace(layer, joules=joules_of(layer.kind, vars(layer), known)) for layer in self.layers)
        return replace(self, hardware=known, layers=layers)

    def against(self, other: "EnergyReport | None" = None) -> "Comparison":
        """Compare with another network, and with dense ones of this one's shape."""
        from snnkd.energy.comparison import Comparison

        return Comparison(self, other)

    def memory(self, bits: int | None = None, dataflow: str = "event-driven") -> "MemoryEstimate":
        """Estimate the traffic of weights, activations, membranes and events, by level of the hardware's memory."""
        from snnkd.energy.memory import estimate_memory

        return estimate_memory(self, bits, dataflow)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data; its form is described in docs/energy.rst."""
        return {
            "format": "snnkd-energy",
            "version": VERSION,
            "method": self.method,
            "hardware": self.hardware.name,
            "sources": list(self.hardware.sources),
            "samples": self.samples,
            "steps": self.steps,
            "per_sample": {
                "synaptic_operations": self.synaptic_operations,
                "macs": self.macs,
                "dense_operations": self.dense_operations,
                "neuron_updates": self.neuron_updates,
                "additions": self._sum("additions"),
                "multiplications": self._sum("multiplications"),
                "comparisons": self._sum("comparisons"),
                "joules": self.joules,
            },
            "spread": {name: spread(self.per_sample(name)) for name in SHOWN},
            "per_step": {name: self.per_step(name).tolist() for name in SHOWN},
            "spike_rate": self.spike_rate,
            "layers": [asdict(layer) for layer in self.layers],
            "uncounted": list(self.uncounted),
            "unpriced": list(self.unpriced),
            "comparison": self.against().to_json(),
            "memory": self.memory().to_json() if self.hardware.memory else None,
        }

    def save_json(self, path: str) -> None:
        """Write :meth:`to_json` to a file."""
        with open(path, "w") as file:
            json.dump(self.to_json(), file, indent=2)

    def to_csv(self) -> str:
        """Return a row a layer, with a header."""
        import csv
        import io

        text = io.StringIO()
        writer = csv.DictWriter(text, list(LayerReport.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(layer) for layer in self.layers)
        return text.getvalue()

    def table(self, width: int = 110, every: bool = False) -> str:
        """Return the layers as a table for the terminal; ``every`` shows rows that cost nothing, too."""
        from snnkd.energy.table import report_table

        return report_table(self, width, every)

    def plot(self) -> "Figure":
        """Draw where the energy goes, a bar per layer."""
        from snnkd.energy.drawing import draw_layers

        return draw_layers(self)


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean, standard deviation and extremes over samples."""
    return {
        "mean": float(values.mean()),
        "deviation": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        "least": float(values.min()),
        "most": float(values.max()),
    }


def joules_text(joules: float) -> str:
    """Format an energy with its unit, three digits."""
    scale, unit = unit_of(joules)
    return f"{joules / scale:.3g} {unit}"


def unit_of(joules: float) -> tuple[float, str]:
    """The unit in which an energy is read best."""
    for scale, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ")):
        if joules >= scale:
            return scale, unit
    return 1e-12, "pJ"


def mean_interval(values: Iterable[float], seed: int = 0) -> tuple[float, float]:
    """95% interval of a mean over samples, by bootstrap."""
    data = np.asarray(list(values), float)
    drawn = np.random.default_rng(seed).choice(data, (2000, len(data))).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
