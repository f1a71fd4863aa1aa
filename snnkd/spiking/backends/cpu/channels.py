r"""Batch norm around the neuron, as phases of its kernels: moments before, and the gradient that they carry after.

Moments are taken about a pivot :math:`p` near the channel's values, so that a mean far from zero costs no digits:
:math:`\mu = p + \frac1N\sum(x - p)`, :math:`\sigma^2 = \frac1N\sum(x - p)^2 - (\mu - p)^2`. The pivot is about one of
three values of the channel. Where these turn out far from the mean, as in the corners of an image whose corners are
unlike the rest, moments are taken once more about the mean.

Of what is per channel, pivots (forward) and the scale (backward) come before the first tile: threads all work them
out and write the same values, which changes nothing for those that already read them. Moments with the scale that
follows (forward), and sums with what follows from them (backward), are left by whoever finishes the last tile.
``SCALE`` has room for ``ROOM`` values of each channel: the scale, and two that the phases need.
"""

import math

from snnkd.spiking.backends.cpu import steps
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.lanes import muladd
from snnkd.spiking.backends.cpu.scalars import load, store
from snnkd.spiking.backends.cpu.steps import over_tile
from snnkd.spiking.backends.cpu.tiles import (
    add_up,
    announce,
    array,
    closes,
    column,
    gather,
    is_last,
    next_chunk,
    place,
    spread,
    wait_for,
)
from snnkd.spiking.backends.cpu.words import compiled, step

ROOM = 3

# A tile's quantities, in the places that the neuron's have there.
PIVOT, FIRST, SECOND = steps.V, steps.BETA, steps.THRESHOLD
A, B, C = steps.V, steps.BETA, steps.THRESHOLD


@over_tile
@step
def accumulate(j, S, x):
    """Add one step's values and squares about the pivot, neuron by neuron."""
    d = load(x[j]) - S[PIVOT + j]
    S[FIRST + j] = S[FIRST + j] + d
    S[SECOND + j] = muladd(d, d, S[SECOND + j])


@compiled
def room(a, k, one):
    """View the ``k``-th of the values per channel that lie at ``SCALE``."""
    return array(a[w.SCALE], (k + 1) * a[w.CHANNELS], one)[k * a[w.CHANNELS] :]


@compiled
def choose_pivots(a, x, pivot):
    """Take the middle one of three values of each channel; a late thread writes again what is there."""
    channels, inner = a[w.CHANNELS], a[w.INNER]
    apart = (x.size // (channels * inner) - 1) // 2 * channels * inner
    for c in range(channels):
        first, second, third = load(x[c * inner]), load(x[apart + c * inner]), load(x[2 * apart + c * inner])
        pivot[c] = max(min(first, second), min(max(first, second), third))


@compiled
def choose_scales(a, eps):
    """Work out the scale from ``WEIGHT`` and ``VARIANCE``; a late thread writes again what is there."""
    scale, variance = room(a, 0, eps), array(a[w.VARIANCE], a[w.CHANNELS], eps)
    weight = array(a[w.WEIGHT], a[w.CHANNELS], eps)
    for c in range(a[w.CHANNELS]):
        scale[c] = weight[c] * (type(eps)(1) / math.sqrt(variance[c] + eps))


@compiled
def take_moments(a, S, slot, x, pivot, phase, eps):
    """Leave ``MEAN`` and ``VARIANCE``, the scale that follows, and in ``FAR`` whether the pivots were far off."""
    T, M, inner, channels, tile = a[w.STEPS], a[w.NEURONS], a[w.INNER], a[w.CHANNELS], a[w.TILE]
    totals = array(a[w.TOTALS], a[w.CHUNKS] * 2 * channels, 1.0)
    own = a[w.SCRATCH] + slot * S.size * S.itemsize
    S[FIRST : FIRST + tile] = type(eps)(0)
    S[SECOND : SECOND + tile] = type(eps)(0)
    number, begin, end = next_chunk(a, phase)
    known = -1
    while begin < end:
        row = number * 2 * channels
        totals[row : row + 2 * channels] = 0.0
        for index in range(begin, end):
            (start, n), (after, _) = place(a, index), place(a, index + 1)
            if column(a, index) != known:
                spread(S, PIVOT, pivot, start, n, inner)
                known = column(a, index)
            for t in range(T):
                lo = t * M + start
                reads = a[w.X] + (lo + M if t + 1 < T else after) * x.itemsize
                accumulate(n, x, reads, own, S, x[lo : lo + n])
            if closes(a, index, end):
                gather(S, FIRST, totals[row : row + channels], start, tile, inner)
                gather(S, SECOND, totals[row + channels : row + 2 * channels], start, tile, inner)
        if is_last(a, phase):
            add_up(totals, a[w.CHUNKS], 2 * channels)
            mean, variance = array(a[w.MEAN], channels, eps), array(a[w.VARIANCE], channels, eps)
            far = False
            for c in range(channels):
                off = totals[c] / (M // channels * T)
                square = totals[channels + c] / (M // channels * T) - off * off
                mean[c] = pivot[c] + off
                variance[c] = 0.0 if square < 0.0 else square  # a NaN stays one
                gap = mean[c] - pivot[c]
                far |= gap * gap > 100 * variance[c]
            choose_scales(a, eps)
            if phase == 0:
                room(a, 2, eps)[:] = mean
                a[w.FAR] = far
            announce(a, phase)
        number, begin, end = next_chunk(a, phase)
    wait_for(a, phase)


@compiled
def moments(a, S, slot, x, eps):
    """Run the phases before the neuron's, 0 and, where the pivots were far off, 1."""
    pivot = room(a, 1, eps)
    choose_pivots(a, x, pivot)
    take_moments(a, S, slot, x, pivot, 0, eps)
    if a[w.FAR]:
        take_moments(a, S, slot, x, room(a, 2, eps), 1, eps)


@compiled
def close_gradient(a, count, eps):
    r"""Work out, of sums over the ``count`` values, the gradient of the weight, and what :func:`carry` needs.

    What came is :math:`\sum\bar y(x - \mu)`; over the standard deviation it is :math:`\sum\bar y\hat x`.
    """
    channels = a[w.CHANNELS]
    scale, slope, offset = room(a, 0, eps), room(a, 1, eps), room(a, 2, eps)
    mean, variance = array(a[w.MEAN], channels, eps), array(a[w.VARIANCE], channels, eps)
    grad_weight, grad_bias = array(a[w.SUM_SCALE], channels, eps), array(a[w.SUM_BIAS], channels, eps)
    share = type(eps)(channels / count)
    for c in range(channels):
        inverse = type(eps)(1) / math.sqrt(variance[c] + eps)
        grad_weight[c] = grad_weight[c] * inverse
        part = scale[c] * share
        slope[c] = -part * inverse * grad_weight[c]
        offset[c] = -part * grad_bias[c] - slope[c] * mean[c]


@over_tile
@step
def scaled_sum(j, S, x, grad):
    """Set ``grad`` to ``a·grad + b·x + c``."""
    grad[j] = store(grad, muladd(S[A + j], load(grad[j]), muladd(S[B + j], load(x[j]), S[C + j])))


@compiled
def carry(a, S, x, grad, phase, one):
    """Carry the gradient of the normalised current, in ``grad``, through the statistics."""
    T, M, inner = a[w.STEPS], a[w.NEURONS], a[w.INNER]
    _, begin, end = next_chunk(a, phase)
    known = -1
    while begin < end:
        for index in range(begin, end):
            (start, n), (after, _) = place(a, index), place(a, index + 1)
            if column(a, index) != known:
                spread(S, A, room(a, 0, one), start, n, inner)
                spread(S, B, room(a, 1, one), start, n, inner)
                spread(S, C, room(a, 2, one), start, n, inner)
                known = column(a, index)
            for t in range(T):
                lo = t * M + start
                ahead = (lo + M if t + 1 < T else after) * x.itemsize
                scaled_sum(n, x, a[w.X] + ahead, a[w.GRAD_X] + ahead, S, x[lo : lo + n], grad[lo : lo + n])
        _, begin, end = next_chunk(a, phase)
