"""Counts to joules."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from snnkd.energy.hardware import Hardware

PRICES = {
    "macs": "mac",
    "neuron_updates": "mac",
    "synaptic_operations": "ac",
    "additions": "add",
    "multiplications": "multiply",
    "comparisons": "compare",
}
"""What of a row costs which operation"""
OF_NEURONS = frozenset(("LIF", "LI"))


def joules_of(kind: str, counts: Mapping[str, Any], hardware: Hardware) -> Any:
    """Energy of a row's counts (numbers or arrays); ``None`` where something in them has no figure.

    On a chip the synaptic operation's figure has the neurons in it, so that these cost nothing beside it.
    """
    if hardware.is_chip and kind in OF_NEURONS:
        return 0.0 * counts["synaptic_operations"]
    total: Any = 0.0 * counts["synaptic_operations"]
    for name, operation in PRICES.items():
        price = hardware.joules(operation)
        if price is not None:
            total = total + price * counts[name]
        elif np.any(counts[name]):
            return None
    return total
