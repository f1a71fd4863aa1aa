r"""Memory traffic, by an analytical model: what is read and written, where it lies, what that costs.

Each layer has its own memories, as chips for spikes have: for weights, for the sums or membranes of its neurons, and
for what comes in. Each lies in the smallest level of the hardware's memory that it fits into. Two dataflows:

**event-driven** (for layers whose inputs are events; :math:`A` is the number of an event's address bits)

=========== ========================================================= =========================
weights     one read a synaptic operation                             :math:`b` bits
sums        one read and one write a synaptic operation               :math:`b` bits
events      one write and one read an event, counted where it enters  :math:`A` bits
membranes   one read and one write a neuron update                    :math:`b` bits
=========== ========================================================= =========================

**dense** (for layers with analog inputs, and for all of them where asked for): every product reads a weight and an
input, the sum stays in a register, every output is written once. Registers have no figure of their own: it is in that
of arithmetic. Nothing is reused from one product to the next, so this is an upper bound for hardware with local
buffers; event-driven chips have little to reuse. After the counting of Lemaire et al. 2022 (arXiv 2210.13107), with
measured operations in place of rates.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snnkd.energy.hardware import Hardware, Level

if TYPE_CHECKING:
    from snnkd.energy.report import EnergyReport, LayerReport

DATAFLOWS = ("event-driven", "dense")


@dataclass(frozen=True)
class Traffic:
    """One kind of access of one layer, per sample."""

    layer: str
    what: str
    """``weights``, ``sums``, ``events``, ``membranes``, ``inputs`` or ``outputs``"""
    level: str
    accesses: float
    bits: int
    """Of one access"""
    joules: float


@dataclass(frozen=True)
class MemoryEstimate:
    """All traffic of a sample."""

    bits: int
    dataflow: str
    rows: tuple[Traffic, ...]

    @property
    def joules(self) -> float:
        """Energy of a sample's traffic."""
        return sum(row.joules for row in self.rows)

    def by(self, key: str) -> dict[str, float]:
        """Joules by ``layer``, ``what`` or ``level``."""
        found: dict[str, float] = {}
        for row in self.rows:
            found[getattr(row, key)] = found.get(getattr(row, key), 0.0) + row.joules
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "bits": self.bits,
            "dataflow": self.dataflow,
            "joules": self.joules,
            "by_level": self.by("level"),
            "by_what": self.by("what"),
            "rows": [vars(row) for row in self.rows],
        }


def estimate_memory(report: "EnergyReport", bits: int | None = None, dataflow: str = "event-driven") -> MemoryEstimate:
    """Estimate a report's traffic.

    Args:
        report: what was counted.
        bits: of weights, sums and membranes: 8, 16 or 32; those of the hardware when left out.
        dataflow: ``event-driven``, or ``dense`` for every layer.

    Raises:
        ValueError: bits or a dataflow that there are not, or hardware without figures of memory.
    """
    bits = report.hardware.bits if bits is None else bits
    if bits not in (8, 16, 32):
        raise ValueError(f"bits must be 8, 16 or 32, got {bits!r}")
    if dataflow not in DATAFLOWS:
        raise ValueError(f"dataflow must be one of {', '.join(DATAFLOWS)}, got {dataflow!r}")
    if not report.hardware.memory:
        raise ValueError(f"{report.hardware.name} has no figures of memory: take a profile that has, 45nm-fp32 say")
    rows = [row for layer in report.layers for row in _of_layer(layer, report, bits, dataflow)]
    return MemoryEstimate(bits, dataflow, tuple(rows))


def level_for(hardware: Hardware, size: float) -> Level:
    """Return the smallest memory that holds ``size`` bytes, or the largest that there is."""
    return next((level for level in hardware.memory if level.capacity >= size), hardware.memory[-1])


def _of_layer(layer: "LayerReport", report: "EnergyReport", bits: int, dataflow: str) -> Iterator[Traffic]:
    hardware = report.hardware

    def row(what: str, size: float, accesses: float, width: int) -> Traffic:
        level = level_for(hardware, size)
        return Traffic(layer.name, what, level.name, accesses, width, accesses * level.joules(width))

    outputs = layer.outputs * bits / 8  # bytes
    if layer.neuron_updates:
        yield row("membranes", outputs, 2 * layer.neuron_updates, bits)
    if not layer.dense_operations:
        return
    weights = layer.parameters * bits / 8
    inputs = layer.dense_operations / report.steps / max(_fan_out(layer), 1.0)  # values in a step
    products = layer.dense_operations if dataflow == "dense" else layer.macs
    if products:
        yield row("weights", weights, products, bits)
        yield row("inputs", inputs * bits / 8, products, bits)
        yield row("outputs", outputs, float(layer.outputs * report.steps), bits)
    if dataflow != "dense" and layer.synaptic_operations:
        address = 8 * math.ceil(max(math.log2(max(inputs, 2.0)), 1) / 8)
        events = layer.synaptic_operations / max(_fan_out(layer), 1.0)
        yield row("weights", weights, layer.synaptic_operations, bits)
        yield row("sums", outputs, 2 * layer.synaptic_operations, bits)
        yield row("events", inputs * address / 8, 2 * events, address)


def _fan_out(layer: "LayerReport") -> float:
    """Weights that an input meets, on average over all inputs."""
    return layer.dense_operations / layer.inputs if layer.inputs else 0.0
