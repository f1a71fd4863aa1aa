r"""Membranes: ours by their operators, snnTorch's by their modules.

A step of a neuron is :math:`h = \beta v + x` (one multiply-accumulate, an addition where nothing decays), a comparison
with the threshold, and at a spike the reset: an addition where it subtracts, a write where it sets to zero.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from snnkd.energy.counting.elementwise import normalisation
from snnkd.energy.counting.levels import of_spikes
from snnkd.energy.counting.origin import NOTHING, Origin

if TYPE_CHECKING:
    from snnkd.energy.counting.counter import Counter

SPIKES = Origin(unit=1.0, spikes=True)
STATES = {"Leaky": 1, "RLeaky": 1, "Lapicque": 1, "Synaptic": 2, "RSynaptic": 2, "Alpha": 3, "LeakyParallel": 1}
"""snnTorch's neurons, and how many traces each decays and adds to in a step"""


def lif(
    counter: "Counter", output: Any, x: Tensor, state: Any, beta: Tensor, threshold: Tensor, mean: Any, *rest: Any
) -> None:
    """``snnkd::lif``; with ``mean`` a batch norm is before it."""
    origin = counter.origins.of(x)
    if mean is not None:
        normalisation(counter, x, origin)
    reset = next(value for value in rest if isinstance(value, str) and value in ("subtract", "zero", "none"))
    _lif(counter, output, x, beta, reset)


def lif_two_bit(counter: "Counter", output: Any, x: Tensor, state: Any, beta: Tensor, *rest: Any) -> None:
    """``snnkd::lif_two_bit``."""
    _lif(counter, output, x, beta, rest[2])


def norm_lif(counter: "Counter", output: Any, x: Tensor, state: Any, beta: Tensor, *rest: Any) -> None:
    """``snnkd::norm_lif``: in training mode, with the statistics of the batch."""
    normalisation(counter, x, counter.origins.of(x))
    _lif(counter, output, x, beta, next(v for v in rest if isinstance(v, str) and v in ("subtract", "zero", "none")))


def li(counter: "Counter", output: Any, x: Tensor, state: Any, beta: Tensor) -> None:
    """``snnkd::li``: a membrane that never fires."""
    origin = counter.origins.of(x)
    row, place = counter.row("LI"), counter.place(x.shape)
    row.outputs = max(row.outputs, x.numel() // max(counter.samples(x.shape), 1))
    row.add(updates=place.even(float(x.numel())))
    kept = replace(origin, unit=None, spikes=False, fold="scale" if origin.fold else None, constant=False)
    counter.origins.put(output[0], kept)


def _lif(counter: "Counter", output: Any, x: Tensor, beta: Tensor, reset: str) -> None:
    spikes = output[0]
    row, place = counter.row("LIF"), counter.place(x.shape)
    decays = not bool((beta == 1).all())
    number = float(x.numel())
    row.outputs = max(row.outputs, x.numel() // max(counter.samples(x.shape), 1))
    row.add(**{"updates" if decays else "additions": place.even(number)}, comparisons=place.even(number))
    _fired(counter, spikes, 1.0 if reset == "subtract" else 0.0)
    counter.origins.put(spikes, SPIKES)


def _fired(counter: "Counter", spikes: Tensor, additions: float) -> None:
    row, place = counter.row("LIF"), counter.place(spikes.shape)
    whole = (counter.steps, counter.batch)
    grouped = spikes if place.known and spikes.shape[:2] == whole else place.group(spikes)
    fired = place.spread_grouped(of_spikes(grouped, *grouped.shape[:2]).nonzeros.cpu())
    row.add(spikes=fired, additions=additions * fired, neurons=place.even(float(spikes.numel())))


def is_foreign(module: nn.Module) -> bool:
    """Whether it is a neuron of snnTorch."""
    return type(module).__module__.startswith("snntorch.") and type(module).__name__ in STATES


def foreign(counter: "Counter", module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
    """Note one call of a neuron of snnTorch; what its own code does inside is one way to write this."""
    x = inputs[0]
    spikes = output[0] if isinstance(output, tuple) else output
    row, place = counter.row("LIF"), counter.place(x.shape)
    number = float(x.numel())
    row.outputs = max(row.outputs, x.numel() // max(counter.samples(x.shape), 1))
    row.add(updates=place.even(number * STATES[type(module).__name__]), comparisons=place.even(number))
    # Graded spikes are scaled by a factor, learned maybe: of these the values tell the unit.
    graded = float(getattr(module, "graded_spikes_factor", 1.0)) != 1
    subtracts = getattr(module, "reset_mechanism", "") == "subtract"
    _fired(counter, spikes.sign() if graded else spikes, 1.0 if subtracts else 0.0)
    counter.origins.put(spikes, NOTHING if graded else SPIKES)
