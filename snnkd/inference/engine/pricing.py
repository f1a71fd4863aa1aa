"""What a step of the event-driven network costs, by what it counted: the figures of :mod:`snnkd.energy`, exactly.

Of a step only synaptic operations and spikes hang on the input. The rest is the same in every one: each neuron's
membrane is decayed, added to and compared, as are slow synapses and the readout without comparing, and a shortcut is
an addition. It is told by the table of operations, and not by a profile of the network, which would take longer than
a short recording; that both tell the same is held by tests.
"""

import numpy as np
from numpy.typing import NDArray

from snnkd.energy import Hardware
from snnkd.energy.pricing import joules_of
from snnkd.energy.report import COUNTED
from snnkd.inference.engine import kernel


class StepPrices:
    r"""Energy of the steps of a table of operations on ``hardware``.

    .. math::

        E[t] = E_0 + \sum_l e_l\,n_l[t] + \sum_k e_k\,s_k[t]

    with :math:`n_l` synaptic operations of layer *l*, :math:`s_k` spikes of layer *k*, each of which resets by a
    subtraction, and :math:`E_0` of what is the same in every step.
    """

    def __init__(self, table: NDArray[np.int64], hardware: Hardware) -> None:
        self.constant = 0.0
        synaptic: list[float] = []
        fired: list[float] = []
        for row in table:
            inputs = float(row[kernel.CHANNELS] * row[kernel.HEIGHT] * row[kernel.WIDTH])
            outputs = row[kernel.OUT_CHANNELS] * max(1.0, float(row[kernel.OUT_HEIGHT] * row[kernel.OUT_WIDTH]))
            if row[kernel.CODE] == kernel.FIRE:
                self.constant += _price("LIF", hardware, neuron_updates=inputs, comparisons=inputs)
                fired.append(_price("LIF", hardware, additions=1.0, spikes=1.0))
                continue
            kind = "Linear" if row[kernel.CODE] == kernel.READ else "Conv2d"
            synaptic.append(_price(kind, hardware, synaptic_operations=1.0))
            if kind == "Linear":
                self.constant += _price("LI", hardware, neuron_updates=outputs)
                continue
            if row[kernel.CODE] == kernel.FROM_COUNTS:  # held to what the first layer sees at most
                self.constant += _price("elementwise", hardware, comparisons=inputs)
            if row[kernel.ADDS] or row[kernel.SLOW]:
                # Of a shortcut; or of a bias, which slow synapses keep apart from the weights.
                self.constant += _price("elementwise", hardware, additions=outputs)
            slow = float(row[kernel.SLOW] * row[kernel.OUT_HEIGHT] * row[kernel.OUT_WIDTH])
            self.constant += _price("LI", hardware, neuron_updates=slow)
        self.synaptic, self.fired = np.array(synaptic), np.array(fired)

    def joules(self, operations: NDArray[np.int64], spikes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the energy of each step ``(T,)`` of its counts by layer, ``(T, S)`` and ``(T, L)``."""
        total: NDArray[np.float64] = self.constant + operations @ self.synaptic + spikes @ self.fired
        return total


def _price(kind: str, hardware: Hardware, **counts: float) -> float:
    """Of a row of a profile; what the hardware has no figure for is left out, as in the profile's steps."""
    priced = joules_of(kind, dict.fromkeys(COUNTED, 0.0) | counts, hardware)
    return 0.0 if priced is None else float(priced)
