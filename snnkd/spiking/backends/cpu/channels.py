r"""Kernels of batch norm around the neuron: moments per channel, and the gradient that the statistics carry.

Moments are taken about a pivot :math:`p` near the channel's values, so that a mean far from zero costs no digits:
:math:`\mu = p + \frac1N\sum(x - p)`, :math:`\sigma^2 = \frac1N\sum(x - p)^2 - (\mu - p)^2`.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import carray

from snnkd.spiking.backends.cpu import steps
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.lanes import muladd
from snnkd.spiking.backends.cpu.scalars import load, store
from snnkd.spiking.backends.cpu.steps import over_tile
from snnkd.spiking.backends.cpu.tiles import (
    array,
    closes,
    column,
    gather,
    is_last,
    next_chunk,
    place,
    spread,
    workspace,
)
from snnkd.spiking.backends.cpu.words import SOURCES, WORDS, compiled, kernel, step

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
def choose_pivots(a, x, pivot):
    """Take the middle one of three values of each channel; threads all do, and come to the same."""
    channels, inner = a[w.CHANNELS], a[w.INNER]
    apart = (x.size // (channels * inner) - 1) // 2 * channels * inner
    for c in range(channels):
        first, second, third = load(x[c * inner]), load(x[apart + c * inner]), load(x[2 * apart + c * inner])
        pivot[c] = max(min(first, second), min(max(first, second), third))


@cache
def moments(real: Any, element: Any) -> Any:
    """Compile ``MEAN (C,)`` and biased variance ``SCALE (C,)`` about the pivots ``BIAS (C,)``, given or chosen.

    By way of ``TOTALS (chunks, 2, C)`` in fp64.
    """
    digest = SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        a[w.DIGEST] = digest
        one = real(1)
        T, M, inner, channels, tile = a[w.STEPS], a[w.NEURONS], a[w.INNER], a[w.CHANNELS], a[w.TILE]
        chunks = a[w.CHUNKS]
        x, totals = array(a[w.X], T * M, element(1)), array(a[w.TOTALS], chunks * 2 * channels, 1.0)
        pivot = array(a[w.BIAS], channels, one)
        if a[w.PIVOTS_GIVEN] == 0:
            choose_pivots(a, x, pivot)
        mean, variance = array(a[w.MEAN], channels, one), array(a[w.SCALE], channels, one)
        S, slot = workspace(arguments, a, one)
        own = a[w.SCRATCH] + slot * S.size * S.itemsize
        S[FIRST : FIRST + tile] = real(0)
        S[SECOND : SECOND + tile] = real(0)
        number, begin, end = next_chunk(arguments, a)
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
            if is_last(a, chunks):
                for c in range(channels):
                    first, second = 0.0, 0.0
                    for chunk in range(chunks):
                        first += totals[chunk * 2 * channels + c]
                        second += totals[(chunk * 2 + 1) * channels + c]
                    off = first / (M // channels * T)
                    mean[c] = pivot[c] + off
                    square = second / (M // channels * T) - off * off
                    variance[c] = 0.0 if square < 0.0 else square  # a NaN stays one
            number, begin, end = next_chunk(arguments, a)

    return run


@over_tile
@step
def scaled_sum(j, S, x, grad):
    """Set ``grad`` to ``a·grad + b·x + c``."""
    grad[j] = store(grad, muladd(S[A + j], load(grad[j]), muladd(S[B + j], load(x[j]), S[C + j])))


@cache
def scaled_sums(real: Any, element: Any) -> Any:
    """Compile ``GRAD = BETA·GRAD + THRESHOLD·X + MEAN``, with the three per channel."""
    digest = SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        a[w.DIGEST] = digest
        one = real(1)
        T, M, inner, channels = a[w.STEPS], a[w.NEURONS], a[w.INNER], a[w.CHANNELS]
        x, grad = array(a[w.X], T * M, element(1)), array(a[w.GRAD], T * M, element(1))
        S, _ = workspace(arguments, a, one)
        _, begin, end = next_chunk(arguments, a)
        known = -1
        while begin < end:
            for index in range(begin, end):
                (start, n), (after, _) = place(a, index), place(a, index + 1)
                if column(a, index) != known:
                    spread(S, A, array(a[w.BETA], channels, one), start, n, inner)
                    spread(S, B, array(a[w.THRESHOLD], channels, one), start, n, inner)
                    spread(S, C, array(a[w.MEAN], channels, one), start, n, inner)
                    known = column(a, index)
                for t in range(T):
                    lo = t * M + start
                    ahead = (lo + M if t + 1 < T else after) * x.itemsize
                    scaled_sum(n, x, a[w.X] + ahead, a[w.GRAD] + ahead, S, x[lo : lo + n], grad[lo : lo + n])
            _, begin, end = next_chunk(arguments, a)

    return run
