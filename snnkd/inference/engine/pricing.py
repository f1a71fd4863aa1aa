"""What a step of the event-driven network costs, by what it counted: the figures of :mod:`snnkd.energy`, exactly.

All but synaptic operations and spikes is the same in every step, so a profile of one step tells the rest.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from snnkd.energy import Counter, Hardware
from snnkd.energy.pricing import joules_of
from snnkd.energy.profiling import counts_of
from snnkd.models import EyeNetwork

EACH = {"Conv2d": ("synaptic_operations",), "Linear": ("synaptic_operations",), "LIF": ("spikes", "additions")}
"""What one operation, or one spike, counts as in a row of its kind; a spike's reset subtracts"""


class StepPrices:
    """Energy of steps of ``network`` on ``hardware``.

    ``joules = constant + operations · synaptic + spikes · fired``, a figure for each layer.
    """

    def __init__(self, network: EyeNetwork, hardware: Hardware) -> None:
        self.hardware = hardware
        self.constant = 0.0
        synaptic: list[float] = []
        fired: list[float] = []
        counter = Counter(network.eval(), "events")
        width, height = network.input_size
        with torch.no_grad():
            counter.run(network.run, torch.zeros(1, 1, 2, height, width))
        for tally in counter.layers.values():
            counts = {name: float(count.sum()) for name, count in counts_of(tally).items()}
            one = EACH.get(tally.kind, ())
            number = counts[one[0]] if one else 0.0
            without = {name: count - number * (name in one) for name, count in counts.items()}
            price = _price(tally.kind, without, hardware)
            self.constant += price
            if one:
                more = _price(tally.kind, {n: count + (n in one) for n, count in without.items()}, hardware) - price
                (fired if tally.kind == "LIF" else synaptic).append(more)
        self.synaptic, self.fired = np.array(synaptic), np.array(fired)

    def joules(self, operations: NDArray[np.int64], spikes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the energy of each step ``(T,)`` of its counts by layer, ``(T, S)`` and ``(T, L)``."""
        total: NDArray[np.float64] = self.constant + operations @ self.synaptic + spikes @ self.fired
        return total


def _price(kind: str, counts: Mapping[str, float], hardware: Hardware) -> float:
    priced = joules_of(kind, counts, hardware)
    return 0.0 if priced is None else float(priced)
