"""The kernels of the neuron: tiles of neurons, each taken through all its time steps before the next.

Between its input and its output a tile lives in the cache: forward reads the input once and writes the spikes once,
backward reads input and gradient once and writes the gradient once. Backward recomputes the membranes of its tile and
keeps them for as long as the tile lasts.

With batch norm both have phases more, before the neuron's and after it: a kernel each costs less than waking the
threads for every pass.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import carray, uint8

from snnkd.spiking.backends.cpu import channels as batch_norm
from snnkd.spiking.backends.cpu import steps
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.bits import forward_bits
from snnkd.spiking.backends.cpu.surrogates import Integrator
from snnkd.spiking.backends.cpu.tiles import (
    add_up,
    announce,
    array,
    closes,
    column,
    enter,
    gather,
    is_last,
    next_chunk,
    place,
    spread_parameters,
    wait_for,
    workspace,
)
from snnkd.spiking.backends.cpu.words import SOURCES, WORDS, kernel, summing


@cache
def forward(form: Any, real: Any, element: Any, normed: bool = False) -> Any:
    """Compile the forward kernel for a form of parameters (a class of ``steps``) and the types of state and input.

    It also stores two bits a step where there is a place for them. ``normed``, it takes the batch's moments first.
    """
    per_channel, affine = form is not steps.Uniform, form is steps.Affine
    digest = SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        f = carray(arguments, (WORDS,), np.float64)
        a[w.DIGEST] = digest
        one = real(1)
        T, M = a[w.STEPS], a[w.NEURONS]
        x, out = array(a[w.X], T * M, element(1)), array(a[w.OUT], T * M, element(1))
        state_out, Q = array(a[w.STATE_OUT], M, one), (M + 3) // 4
        bits, width = array(a[w.BITS], T * Q, uint8(1)), real(f[w.SURROGATE_WIDTH])
        fires, delayed = a[w.FIRES] != 0, a[w.DELAYED] != 0
        p = form(
            one,
            real(0),
            array(a[w.BETA], 1, one)[0],
            array(a[w.THRESHOLD], 1, one)[0],
            real(f[w.C_SUBTRACT]),
            real(f[w.C_ZERO]),
            real(1) - real(f[w.C_ZERO]),
            real(f[w.C_ATTACHED]),
        )
        S, slot = workspace(a, one)
        phase = 0
        if normed:
            batch_norm.moments(a, S, slot, x, real(f[w.EPS]))
            phase = 2
        _, begin, end = next_chunk(a, phase)
        known = -1
        while begin < end:
            for index in range(begin, end):
                (start, n), (after, _) = place(a, index), place(a, index + 1)
                if column(a, index) != known:
                    spread_parameters(S, a, start, n, one, per_channel, affine)
                    known = column(a, index)
                enter(S, steps.V, a[w.STATE], start, n, M, one)
                for t in range(T):
                    lo = t * M + start
                    ahead = (lo + M if t + 1 < T else after) * x.itemsize
                    reads, writes = a[w.X] + ahead, a[w.OUT] + ahead
                    x_t, out_t = x[lo : lo + n], out[lo : lo + n]
                    if a[w.BITS] != 0:
                        row = t * Q + start // 4
                        B = bits[row : row + (n + 3) // 4]
                        forward_bits(n, x, reads, writes, p, S, x_t, out_t, B, delayed, width)
                    else:
                        steps.forward(n, x, reads, writes, p, S, x_t, out_t, fires, delayed)
                if leave(p, S, state_out[start : start + n], n):
                    a[w.NOT_FINITE] = 1
            _, begin, end = next_chunk(a, phase)

    return run


@summing
def leave(p, S, state, n):
    """Write the tile's last membranes; whether one of them or a threshold is not finite, which 0 times it tells."""
    total = p.zero
    for j in range(n):
        state[j] = S[steps.V + j]
        total += S[steps.V + j] * 0 + steps.threshold_at(p, S, j) * 0
    return total != 0


@cache
def backward(form: Any, surrogate: Any, real: Any, element: Any, normed: bool = False) -> Any:
    """Compile the backward kernel, for a surrogate (a class of ``surrogates``) beside what :func:`forward` takes.

    ``normed``, it ends by carrying the gradient through the batch's moments.
    """
    per_channel, affine, integrator = form is not steps.Uniform, form is steps.Affine, surrogate is Integrator
    digest = SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        f = carray(arguments, (WORDS,), np.float64)
        a[w.DIGEST] = digest
        one = real(1)
        T, M, tile = a[w.STEPS], a[w.NEURONS], a[w.TILE]
        x, grad, grad_x = (
            array(a[w.X], T * M, element(1)),
            array(a[w.GRAD], T * M, element(1)),
            array(a[w.GRAD_X], T * M, element(1)),
        )
        p = form(
            one,
            real(0),
            array(a[w.BETA], 1, one)[0],
            array(a[w.THRESHOLD], 1, one)[0],
            real(f[w.C_SUBTRACT]),
            real(f[w.C_ZERO]),
            real(1) - real(f[w.C_ZERO]),
            real(f[w.C_ATTACHED]),
        )
        g = surrogate(real(f[w.SURROGATE_WIDTH]))
        of_neuron, of_affine = a[w.LEARN_NEURON] != 0, affine and a[w.LEARN_AFFINE] != 0
        learned = of_neuron or of_affine
        # An integrator without learned parameters needs no membranes, and its input is not read.
        recomputed = not integrator or learned
        S, slot = workspace(a, one)
        if normed:
            batch_norm.choose_scales(a, real(f[w.EPS]))
        rows, delayed, given = T + 1, a[w.DELAYED] != 0, a[w.GRAD] != 0
        last_grad = a[w.GRAD] + (T - 1) * M * x.itemsize if given else a[w.X]
        pitch = tile + steps.LANES
        H = array(a[w.MEMBRANES], (slot + 1) * rows * pitch, one)[slot * rows * pitch :].reshape((rows, pitch))
        own = a[w.MEMBRANES] + slot * rows * pitch * H.itemsize
        silence = array(a[w.SILENCE], tile, element(1))
        channels, size = a[w.CHANNELS], x.itemsize
        chunks = a[w.CHUNKS]
        totals = array(a[w.TOTALS], chunks * 4 * channels, 1.0)
        for k in range(4):
            S[steps.SUMS[k] : steps.SUMS[k] + tile] = real(0)
        number, begin, end = next_chunk(a, 0)
        known = -1
        while begin < end:
            if learned:
                totals[number * 4 * channels : (number + 1) * 4 * channels] = 0.0
            for index in range(begin, end):
                (start, n), (after, _) = place(a, index), place(a, index + 1)
                if column(a, index) != known:
                    spread_parameters(S, a, start, n, one, per_channel, affine)
                    known = column(a, index)
                enter(S, steps.V, a[w.STATE], start, n, M, one)
                H[0, :n] = S[steps.V : steps.V + n]
                if recomputed:
                    for t in range(T):
                        lo = t * M + start
                        reads = a[w.X] + (lo + M) * size if t + 1 < T else last_grad + start * size
                        writes = own + min(t + 2, T) * pitch * H.itemsize
                        steps.forward(n, x, reads, writes, p, S, x[lo : lo + n], H[t + 1], False, delayed)
                S[steps.GRAD_R : steps.GRAD_R + n] = real(0)
                enter(S, steps.GRAD_V, a[w.GRAD_STATE], start, n, M, one)
                for t in range(T - 1, -1, -1):
                    lo = t * M + start
                    h, before = H[t + 1 if recomputed else 0], H[t if recomputed else 0]
                    x_t, out = x[lo : lo + n], grad_x[lo : lo + n]
                    grad_t = grad[lo : lo + n] if given else silence
                    # Before the first step comes the next tile.
                    reads = a[w.GRAD] + (lo - M) * size if given and t > 0 else a[w.X] + after * size
                    writes = a[w.GRAD_X] + (lo - M if t > 0 else (T - 1) * M + after) * size
                    if delayed:
                        steps.backward_delayed(
                            n, x, reads, writes, p, S, h, before, x_t, grad_t, out, g, of_neuron, of_affine
                        )
                    else:
                        steps.backward(
                            n, x, reads, writes, p, S, h, before, t == 0, x_t, grad_t, out, g, of_neuron, of_affine
                        )
                if delayed:
                    steps.through_first_reset(n, H, own, own, p, S, H[0], g)
                if a[w.GRAD_STATE_IN] != 0:
                    array(a[w.GRAD_STATE_IN], M, one)[start : start + n] = S[steps.GRAD_V : steps.GRAD_V + n]
                if learned and closes(a, index, end):
                    # The whole tile, as the last one of a column may be shorter than those before it.
                    for k in range(4):
                        row = (number * 4 + k) * channels
                        gather(S, steps.SUMS[k], totals[row : row + channels], start, tile, a[w.INNER])
            if learned and is_last(a, 0):
                add_up(totals, chunks, 4 * channels)
                for k in range(4):
                    if a[w.SUM_BETA + k] != 0:
                        array(a[w.SUM_BETA + k], channels, one)[:] = totals[k * channels : (k + 1) * channels]
                if normed:
                    batch_norm.close_gradient(a, T * M, real(f[w.EPS]))
                    announce(a, 0)
            number, begin, end = next_chunk(a, 0)
        if normed:
            wait_for(a, 0)
            batch_norm.carry(a, S, x, grad_x, 1, one)

    return run
