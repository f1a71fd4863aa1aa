r"""What kind of numbers a layer was given: an operation on a spike is an addition, one on anything else a product.

=========== ============================================ ==================================================
binary      :math:`x \in \{0, 1\}`                       one accumulate (AC) per nonzero
scaled      :math:`x \in \{0, c\}`                       the same, *c* is folded into the weights
ternary     :math:`x \in \{-c, 0, c\}`                   the same, added or subtracted
integer     :math:`x = n c`, whole :math:`|n| \le 15`    :math:`|n|` accumulates: each unit is an event of its own
analog      anything else                                one multiply-accumulate (MAC) per value, zeros included
=========== ============================================ ==================================================

Where a tensor comes from tells its unit *c* (:mod:`~snnkd.energy.counting.origin`): spikes have 1, their mean over
2×2 pixels ¼, sums of two the same. Where that is not known the values decide, for each sample on its own, so that no
sample's figures hang on those beside it: whole numbers have unit 1, others their smallest magnitude. An input
without a single zero is then taken for analog whatever its values: a picture of ones is no burst of spikes. Hardware
that multiplies does not skip zeros, so analog inputs count dense.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from snnkd.energy.counting.fan_out import EXACT

KINDS = ("silent", "binary", "scaled", "ternary", "integer", "analog")
SILENT, BINARY, SCALED, TERNARY, INTEGER, ANALOG = range(6)
MOST = 15
"""Largest number of units that counts as events"""
LOOK = 1024
"""Values of a sample that are looked at first"""
TOLERANCE = 1e-3
"""Of a unit: means over pixels are rounded"""


class Levels(NamedTuple):
    """What was found of an input seen as ``(T, B, ...)``."""

    kinds: Tensor
    """``(B,)`` places in :data:`KINDS`"""
    units: Tensor
    """Numbers of units, float32 of the input's shape, zero or above; of analog samples whatever they are"""
    largest: float
    """Bound on them"""
    nonzeros: Tensor
    """``(T, B)``, float64"""


def classify(x: Tensor, unit: float | None, spikes: bool = False, analog: bool = False) -> Levels:
    """Tell the kinds of ``x (T, B, ...)``.

    Args:
        x: what flowed, finite.
        unit: the unit where it is known, else ``None``.
        spikes: known to be zeros and ones, as a neuron's output: nothing is looked at.
        analog: known to be intensities: nothing is looked at either.
    """
    steps, batch = x.shape[:2]
    if spikes:
        return of_spikes(x, steps, batch)
    # Several times as fast as counting them, and the numbers stay exact.
    nonzeros = of_spikes(x.sign().abs_(), steps, batch).nonzeros
    if analog or _many_values(x):
        return Levels(torch.full((batch,), ANALOG, device=x.device), x, 1.0, nonzeros)
    each = x.reshape(steps, batch, -1)
    signed = each.amin((0, 2)) < 0
    whole = each.round().sub_(each).abs_().amax((0, 2)) == 0
    if unit in (None, 1.0) and bool(whole.all()) and not bool(signed.any()):
        numbers, units, off = each, torch.ones(batch, device=x.device), torch.zeros(batch, device=x.device)
    else:
        units = _least(each, whole) if unit is None else torch.full((batch,), unit, device=x.device, dtype=x.dtype)
        numbers = each.abs().div_(units[:, None])
        rounded = numbers.round()
        off = numbers.sub_(rounded).abs_().amax((0, 2))
        numbers = rounded
    most = numbers.amax((0, 2))
    none = (off > TOLERANCE) | (most > MOST)
    if unit is None:
        none |= (nonzeros.sum(0) == steps * each.shape[2]) & (steps * each.shape[2] > 1)
    kinds = torch.full((batch,), INTEGER, device=x.device)
    kinds[(most <= 1) & signed] = TERNARY
    one = (most <= 1) & ~signed
    kinds[one] = SCALED
    kinds[one & (units == 1)] = BINARY
    kinds[most == 0] = SILENT
    kinds[none] = ANALOG
    bound = float(most[~none].max()) if bool((~none).any()) else 1.0
    if bool(none.any()):
        numbers = torch.where(none[:, None], 0.0, numbers)
    return Levels(kinds, numbers.reshape(x.shape), bound, nonzeros)


def _least(each: Tensor, whole: Tensor) -> Tensor:
    """The unit of each sample of ``(T, B, M)``: 1 where all is whole, else the smallest magnitude that is not zero."""
    magnitude = each.abs()
    least = torch.where(magnitude == 0, torch.inf, magnitude).amin((0, 2))
    return torch.where(whole | least.isinf(), 1.0, least)


def _many_values(x: Tensor) -> bool:
    """Whether a look at some of them shows that every sample has more magnitudes than events make."""
    each = x.reshape(*x.shape[:2], -1)
    some = each[:, :, :: max(1, each.shape[2] * each.shape[0] // LOOK)].transpose(0, 1).reshape(x.shape[1], -1).abs()
    ordered = some.sort(dim=1).values
    # Rounded means of spikes differ a little where they are the same: only what is clearly apart counts.
    apart = ordered.diff(dim=1) > TOLERANCE * ordered[:, 1:]
    return some.shape[1] > MOST + 1 and bool((apart.sum(1) > MOST + 1).all())


def of_spikes(x: Tensor, steps: int, batch: int) -> Levels:
    """What is found of zeros and ones, without looking."""
    # A sum of ones in float32, exact as far as it goes, and without a copy of what lies in another order.
    exact = x[0, 0].numel() < EXACT
    nonzeros = x.sum(list(range(2, x.ndim)), dtype=None if exact else torch.float64).double()
    kinds = torch.where(nonzeros.sum(0) > 0, BINARY, SILENT)
    return Levels(kinds, x, 1.0, nonzeros)
