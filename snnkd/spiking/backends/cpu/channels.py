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
from snnkd.spiking.backends.cpu.neuron import array, gather, is_last, next_chunk, repeats, spread, workspace
from snnkd.spiking.backends.cpu.scalars import fetch, load, store, widest_vectors
from snnkd.spiking.backends.cpu.words import SOURCES, WORDS, compiled, kernel

# A tile's quantities, in the places that the neuron's have there.
PIVOT, FIRST, SECOND = steps.V, steps.BETA, steps.THRESHOLD
A, B, C = steps.V, steps.BETA, steps.THRESHOLD


@compiled
def accumulate(S, x, n):
    """Add one step's values and squares about the pivot, neuron by neuron."""
    widest_vectors()
    for j in range(n):
        d = load(x[j]) - S[PIVOT + j]
        S[FIRST + j] += d
        S[SECOND + j] += d * d


@cache
def moments(real: Any, element: Any) -> Any:
    """Compile ``MEAN (C,)`` and biased variance ``SCALE (C,)`` about the pivots ``BIAS (C,)``.

    By way of ``TOTALS (chunks, 2, C)`` in fp64.
    """
    digest = SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        a[w.DIGEST] = digest
        one = real(1)
        T, M, inner, channels, tile = a[w.STEPS], a[w.NEURONS], a[w.INNER], a[w.CHANNELS], a[w.TILE]
        chunks = (M + a[w.CHUNK] - 1) // a[w.CHUNK]
        x, totals = array(a[w.X], T * M, element(1)), array(a[w.TOTALS], chunks * 2 * channels, 1.0)
        pivot = array(a[w.BIAS], channels, one)
        mean, variance = array(a[w.MEAN], channels, one), array(a[w.SCALE], channels, one)
        S, _ = workspace(arguments, a, one)
        S[FIRST : FIRST + tile] = real(0)
        S[SECOND : SECOND + tile] = real(0)
        number, begin, end = next_chunk(arguments, a, M)
        known = False
        while begin < end:
            row = number * 2 * channels
            totals[row : row + 2 * channels] = 0.0
            for start in range(begin, end, tile):
                n = min(tile, end - start)
                if not known:
                    spread(S, PIVOT, pivot, start, n, inner)
                    known = repeats(a) and n == tile
                for t in range(T):
                    if t + 1 < T:
                        fetch(a[w.X] + ((t + 1) * M + start) * x.itemsize, n * x.itemsize)
                    accumulate(S, x[t * M + start : t * M + start + n], n)
                if not (repeats(a) and start + tile < end):
                    width = tile if repeats(a) else n
                    gather(S, FIRST, totals[row : row + channels], start, width, inner)
                    gather(S, SECOND, totals[row + channels : row + 2 * channels], start, width, inner)
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
            number, begin, end = next_chunk(arguments, a, M)

    return run


@compiled
def scaled_sum(S, x, grad, n):
    """Set ``grad`` to ``a·grad + b·x + c``."""
    widest_vectors()
    for j in range(n):
        grad[j] = store(grad, S[A + j] * load(grad[j]) + (S[B + j] * load(x[j]) + S[C + j]))


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
        _, begin, end = next_chunk(arguments, a, M)
        known = False
        while begin < end:
            for start in range(begin, end, a[w.TILE]):
                n = min(a[w.TILE], end - start)
                if not known:
                    spread(S, A, array(a[w.BETA], channels, one), start, n, inner)
                    spread(S, B, array(a[w.THRESHOLD], channels, one), start, n, inner)
                    spread(S, C, array(a[w.MEAN], channels, one), start, n, inner)
                    known = repeats(a) and n == a[w.TILE]
                for t in range(T):
                    lo = t * M + start
                    if t + 1 < T:
                        fetch(a[w.X] + (lo + M) * x.itemsize, n * x.itemsize)
                        fetch(a[w.GRAD] + (lo + M) * x.itemsize, n * x.itemsize)
                    scaled_sum(S, x[lo : lo + n], grad[lo : lo + n], n)
            _, begin, end = next_chunk(arguments, a, M)

    return run
