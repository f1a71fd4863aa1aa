r"""Fair comparison: beside dense networks of the same shape, in 32 bit and in 8, and where the advantage ends.

A **dense ANN of the same shape** multiplies every input of every layer in each of the *T* steps, with the energy of a
MAC in 45 nm. With :math:`E_0` what the spiking network spends apart from synapses that see events (neurons, analog
layers, sums), :math:`D` the dense operations of those synapses and :math:`r` the share of them that events use,

.. math::

    E(r) = E_0 + r\,D\,E_{AC}, \qquad r^* = \frac{E_{ANN} - E_0}{D\,E_{AC}}

is the **break-even**: below :math:`r^*` the spiking network is the cheaper one. A network of *T* binary steps carries
as much as one of :math:`\lceil \log_2(T+1) \rceil` bits, which is what to compare it with (Yan et al., arXiv
2409.08290).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snnkd.energy.hardware import Hardware, load_hardware

if TYPE_CHECKING:
    from snnkd.energy.report import EnergyReport

DENSE = {"dense ANN, fp32": "45nm-fp32", "dense ANN, int8": "45nm-int8"}


@dataclass(frozen=True)
class Comparison:
    """One report beside dense networks of its shape, and beside another one."""

    report: "EnergyReport"
    other: "EnergyReport | None" = None

    @property
    def event_share(self) -> float:
        """:math:`r`: synaptic operations over the dense operations of layers that see events alone."""
        dense = self._of_events("dense_operations")
        return self._of_events("synaptic_operations") / dense if dense else 0.0

    def _of_events(self, name: str) -> float:
        layers = (layer for layer in self.report.layers if layer.dense_operations and not layer.macs)
        return float(sum(getattr(layer, name) for layer in layers))

    @property
    def fixed_joules(self) -> float:
        """:math:`E_0`: what is spent whether events come to these layers or not."""
        return self.report.joules - self._of_events("synaptic_operations") * (self.report.hardware.joules("ac") or 0.0)

    def dense_joules(self, hardware: str | Hardware = "45nm-fp32", steps: int | None = None) -> float:
        """Energy of the dense ANN of this shape, run in each of the clip's steps, or in ``steps`` of them."""
        known = load_hardware(hardware) if isinstance(hardware, str) else hardware
        mac = known.joules("mac")
        if mac is None:
            raise ValueError(f"{known.name} has no figure for a multiply-accumulate: take 45nm-fp32 or 45nm-int8")
        share = 1.0 if steps is None else steps / self.report.steps
        return self.report.dense_operations * share * mac

    def break_even(self, hardware: str = "45nm-fp32", steps: int | None = None) -> float | None:
        """:math:`r^*` against the dense ANN; ``None`` where no event-driven layer is there, below zero for never."""
        price = self.report.hardware.joules("ac")
        dense = self._of_events("dense_operations")
        if not dense or price is None:
            return None
        return (self.dense_joules(hardware, steps) - self.fixed_joules) / (dense * price)

    @property
    def bits(self) -> int:
        """Bits of a network that carries as much as the clip's binary steps."""
        return math.ceil(math.log2(self.report.steps + 1))

    def sensitivity(self) -> dict[str, dict[str, float]]:
        """Energy where one thing is other than it was measured.

        ``rate``: events times 0.25 to 4, all else as it is. ``steps``: clips of other length, at equal activity in each
        step. ``bits``: the same counts in 45 nm at 8, 16 and 32 bits. ``memory``: these with traffic. ``memory_size``:
        energy with traffic, were the memories of all layers as large as one of the levels.
        """
        report, fixed = self.report, self.fixed_joules
        events = report.joules - fixed
        found = {
            "rate": {f"{factor:g}": fixed + factor * events for factor in (0.25, 0.5, 1, 2, 4)},
            "steps": {
                str(steps): report.joules * steps / report.steps
                for steps in sorted({1, max(1, report.steps // 2), report.steps, 2 * report.steps})
            },
            "bits": {},
            "memory": {},
            "memory_size": {},
        }
        if not report.hardware.is_chip:
            for bits, name in ((8, "45nm-int8"), (16, "45nm-fp16"), (32, "45nm-fp32")):
                other = report.on(name)
                found["bits"][str(bits)] = other.joules
                found["memory"][str(bits)] = other.joules + other.memory(bits).joules
        if report.hardware.memory:
            traffic = report.memory().rows
            for level in report.hardware.memory:
                moved = sum(row.accesses * level.joules(row.bits) for row in traffic)
                found["memory_size"][level.name] = report.joules + moved
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        found: dict[str, Any] = {
            "regime": {
                "steps": self.report.steps,
                "event_share": self.event_share,
                "spike_rate": self.report.spike_rate,
                "hardware": self.report.hardware.name,
                "equivalent_bits": self.bits,
            },
            "dense": {
                name: {
                    "joules": self.dense_joules(hardware),
                    "times": self.dense_joules(hardware) / self.report.joules if self.report.joules else None,
                    "break_even_event_share": self.break_even(hardware),
                    "joules_of_one_pass": self.dense_joules(hardware, 1),
                }
                for name, hardware in DENSE.items()
            },
            "sensitivity": self.sensitivity(),
        }
        if self.other is not None:
            found["other"] = {"joules": self.other.joules, "times": self.times}
        return found

    @property
    def times(self) -> float | None:
        """How many times as much the other network spends."""
        if self.other is None or not self.report.joules:
            return None
        return self.other.joules / self.report.joules

    def table(self, names: tuple[str, str] = ("this network", "the other"), width: int = 110) -> str:
        """Return the comparison for the terminal."""
        from snnkd.energy.table import comparison_table

        return comparison_table(self, names, width)
