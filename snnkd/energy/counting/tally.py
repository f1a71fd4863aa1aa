"""The counts of one layer, by time step and sample."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from snnkd.energy.counting.levels import ANALOG, KINDS, SILENT

QUANTITIES = (
    "accumulates",  # a spike meets a weight
    "macs",  # an analog value meets a weight
    "updates",  # a membrane is decayed and added to
    "additions",
    "multiplications",
    "comparisons",
    "spikes",
    "neurons",  # that might have fired
    "nonzeros",  # inputs
    "inputs",
    "dense",  # input values, zero or not, that meet a nonzero weight
    "folded_additions",  # not done, because they went into weights, or into the events of the next layer
    "folded_multiplications",
    "uncounted",  # elements of what has no count
)


@dataclass
class Tally:
    """A row of the profile. Quantities are float64 ``(T, B)`` once a clip is over."""

    name: str
    kind: str
    parameters: int = 0
    """Nonzero weights"""
    outputs: int = 0
    """Values that it gives for a sample in a step"""
    totals: dict[str, Tensor] = field(default_factory=dict)
    kinds: Tensor | None = None
    """``(B,)`` of the inputs, places in :data:`~snnkd.energy.counting.levels.KINDS`; ``None`` where there are none"""
    _calls: list[dict[str, Tensor]] = field(default_factory=list)
    _kinds: list[Tensor] = field(default_factory=list)

    def add(self, kinds: Tensor | None = None, **counts: Tensor) -> None:
        """Note one call: counts ``(T', B)``, ``T'`` being the clip's steps or one of a network that is stepped."""
        self._calls.append({name: count.detach().double().cpu() for name, count in counts.items()})
        if kinds is not None:
            self._kinds.append(kinds.cpu())

    def finish(self, steps: int, batch: int) -> None:
        """The clip is over: join its calls. What is one analog input of a sample makes all of them products."""
        totals = {name: torch.zeros(steps, batch, dtype=torch.float64) for name in QUANTITIES}
        single = [call for call in self._calls if len(next(iter(call.values()))) != steps or steps == 1]
        for number, call in enumerate(single):
            # Called m times in each step, or less often than there are steps, or out of step: then at the end.
            step = number * steps // len(single) if len(single) >= steps else number
            for name, count in call.items():
                totals[name][step] += count[0]
        for call in self._calls:
            if steps > 1 and len(next(iter(call.values()))) == steps:
                for name, count in call.items():
                    totals[name] += count
        if self._kinds:
            self.kinds = torch.stack(self._kinds).amax(0)
            analog = self.kinds == ANALOG
            totals["macs"] += torch.where(analog, totals["dense"], 0.0)
            totals["accumulates"] = torch.where(analog, 0.0, totals["accumulates"])
        self.totals = totals
        self._calls.clear()
        self._kinds.clear()

    @property
    def input_kind(self) -> str:
        """The kind of its inputs over all samples, the most general one."""
        if self.kinds is None:
            return ""
        return KINDS[int(self.kinds.max())] if len(self.kinds) else KINDS[SILENT]
