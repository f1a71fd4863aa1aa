"""Running a network and making a report of what was counted."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnkd.energy.counting import KINDS, Counter, Tally
from snnkd.energy.counting.counter import Inputs
from snnkd.energy.hardware import Hardware, load_hardware
from snnkd.energy.pricing import joules_of
from snnkd.energy.report import COUNTED, EnergyReport, LayerReport

SOURCES = {
    "synaptic_operations": ("accumulates",),
    "macs": ("macs",),
    "dense_operations": ("dense",),
    "neuron_updates": ("updates",),
    "spikes": ("spikes",),
    "additions": ("additions",),
    "multiplications": ("multiplications",),
    "comparisons": ("comparisons",),
    "folded": ("folded_additions", "folded_multiplications"),
    "uncounted": ("uncounted",),
}
EXTRA = ("neurons", "nonzeros", "inputs")
assert tuple(SOURCES) == COUNTED


@dataclass
class _Row:
    """One layer over all clips so far."""

    name: str
    kind: str
    parameters: int = 0
    outputs: int = 0
    worst: int = -1
    """The most general kind of inputs"""
    samples: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    steps: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Sums over samples"""

    def add(self, tally: Tally, before: int, steps: int) -> None:
        """Take a batch of clips in; ``before``: how many samples came before this layer was first met."""
        self.parameters, self.outputs = max(self.parameters, tally.parameters), max(self.outputs, tally.outputs)
        if tally.kinds is not None:
            self.worst = max(self.worst, int(tally.kinds.max()))
        for name, counts in (counts_of(tally) | {key: tally.totals[key].numpy() for key in EXTRA}).items():
            self.samples.setdefault(name, [np.zeros(before)] if before else []).append(counts.sum(0))
            self.steps[name] = self.steps.get(name, np.zeros(steps)) + counts.sum(1)


class Profiler:
    """Counts batch by batch; keeps figures per sample and no activation.

    Args:
        network: any module on ``(T, B, ...)``; it is run in evaluation mode, without gradients, in float32.
        inputs: what the input is made of, see :class:`~snnkd.energy.counting.Counter`. Left out it is what a network
            of this library says that it reads, else ``auto``.
    """

    def __init__(self, network: nn.Module, inputs: Inputs | None = None) -> None:
        said: dict[str, Inputs] = {"events": "events", "frames": "analog"}
        self.counter = Counter(network, inputs or said.get(getattr(network, "modality", ""), "auto"))
        self.network = network
        self.samples = 0
        self.steps = 0
        self._rows: dict[tuple[str, str, int], _Row] = {}

    @torch.no_grad()
    def add(self, batch: Tensor) -> Tensor:
        """Run a batch ``(T, B, ...)`` and count it; return what the network gave.

        Raises:
            ValueError: a batch that is not time first or is empty, another number of steps than before, or a NaN
                activation, naming the layer.
        """
        if batch.ndim < 3 or 0 in batch.shape:
            raise ValueError(f"batch must be (T, B, C, H, W), time first and not empty, got {tuple(batch.shape)}")
        steps, number = batch.shape[:2]
        if self.steps not in (0, steps):
            raise ValueError(f"batch has {steps} time steps, and those before it {self.steps}: profile them apart")
        training = self.network.training
        self.network.eval()
        try:
            with self.counter:
                output: Tensor = self.network(batch)
        finally:
            self.network.train(training)
        for key, tally in self.counter.layers.items():
            row = self._rows.setdefault(key, _Row(tally.name, tally.kind))
            row.add(tally, 0 if row.samples else self.samples, steps)
        self.samples, self.steps = self.samples + number, steps
        return output

    def report(self, hardware: str | Hardware = "45nm-fp32") -> EnergyReport:
        """Return what was counted so far, priced.

        Raises:
            ValueError: nothing was run yet, or nothing in the network can be counted.
            ConfigError: a profile that cannot be used.
        """
        known = load_hardware(hardware) if isinstance(hardware, str) else hardware
        rows = list(self._rows.values())
        whole = [{name: np.concatenate(parts) for name, parts in row.samples.items()} for row in rows]
        if not any(counts[name].any() for counts in whole for name in (*COUNTED, "inputs")):
            raise ValueError("nothing was counted: the network did not run, or has no layer that can be counted")
        neurons, spikes = (sum(float(counts[name].sum()) for counts in whole) for name in ("neurons", "spikes"))
        return EnergyReport(
            known,
            tuple(_layer(row, counts, known) for row, counts in zip(rows, whole, strict=True)),
            self.steps,
            tuple({name: counts[name] for name in COUNTED} for counts in whole),
            tuple({name: row.steps[name] / self.samples for name in COUNTED} for row in rows),
            spikes / neurons if neurons else None,
        )


def counts_of(tally: Tally) -> dict[str, NDArray[np.float64]]:
    """A row's ``(T, B)`` counts by the report's names."""
    return {name: np.sum([tally.totals[s].numpy() for s in sources], axis=0) for name, sources in SOURCES.items()}


def step_joules(counter: Counter, hardware: Hardware) -> NDArray[np.float64]:
    """Return the energy of each step and sample ``(T, B)`` of what was counted last, of all that has a price."""
    total = np.zeros((counter.steps, counter.batch))
    for tally in counter.layers.values():
        priced = joules_of(tally.kind, counts_of(tally), hardware)
        total += 0.0 if priced is None else priced
    return total


def _layer(row: _Row, counts: dict[str, NDArray[np.float64]], hardware: Hardware) -> LayerReport:
    means = {name: float(counts[name].mean()) for name in COUNTED}
    inputs = float(counts["inputs"].sum())
    return LayerReport(
        row.name,
        row.kind,
        "current" if row.worst < 0 else KINDS[row.worst],
        float(counts["nonzeros"].sum()) / inputs if inputs else 0.0,
        float(counts["inputs"].mean()),
        **means,
        parameters=row.parameters,
        outputs=row.outputs,
        joules=joules_of(row.kind, means, hardware),
    )


def profile(
    network: nn.Module,
    batch: Tensor,
    hardware: str | Hardware = "45nm-fp32",
    *,
    inputs: Inputs | None = None,
    method: str = "exact",
) -> EnergyReport:
    """Run ``network`` on ``batch`` and report what one sample costs.

    Args:
        network: any module on ``(T, B, ...)``: convolutions, linear layers, matrix products, pooling, norms, sums and
            neurons (this library's and snnTorch's), as modules or as functions.
        batch: ``(T, B, C, H, W)``, or ``(T, B, D)``, time first; figures are per sample.
        hardware: a name of :func:`available_hardware`, or a YAML file.
        inputs: what the batch is made of, see :class:`Profiler`.
        method: ``exact``, or ``rate`` for the formulas of papers (:mod:`snnkd.energy.approximation`).

    Raises:
        ValueError: a batch that is not ``(T, B, ...)`` or empty, or a NaN activation (naming the layer).
        ConfigError: a profile that cannot be used.
    """
    if method not in ("exact", "rate"):
        raise ValueError(f"method must be exact or rate, got {method!r}")
    known = load_hardware(hardware) if isinstance(hardware, str) else hardware
    profiler = Profiler(network, inputs)
    profiler.add(batch)
    report = profiler.report(known)
    if method == "exact":
        return report
    from snnkd.energy.approximation import by_rate

    return by_rate(report, network)
