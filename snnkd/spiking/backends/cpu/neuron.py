"""The kernels of the neuron: tiles of neurons, each taken through all its time steps before the next.

Between its input and its output a tile lives in the cache: forward reads the input once and writes the spikes once,
backward reads input and gradient once and writes the gradient once. Backward recomputes the membranes of its tile and
keeps them for as long as the tile lasts.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import carray

from snnkd.spiking.backends.cpu import steps
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.scalars import fetch, next_index, pointer
from snnkd.spiking.backends.cpu.surrogates import Integrator
from snnkd.spiking.backends.cpu.words import SOURCES, WORDS, compiled, kernel, summing


@compiled
def next_chunk(arguments, a, total):
    """Return the next run of tiles, ``(number, begin, end)``; empty when all are taken."""
    number = next_index(arguments)
    begin = min(number * a[w.CHUNK], total)
    return number, begin, min(begin + a[w.CHUNK], total)


@compiled
def array(address, size, one):
    """View ``size`` elements of the type of ``one``."""
    return carray(pointer(address), (size,), type(one))


@compiled
def workspace(arguments, a, one):
    """Return a thread's own scratch, and its number. Kernels allocate nothing: nobody could tell that it failed."""
    slot = next_index(pointer(a[w.SLOT]))
    size = steps.QUANTITIES * steps.WIDTH
    return array(a[w.SCRATCH], (slot + 1) * size, one)[slot * size :], slot


@compiled
def spread(S, offset, values, start, n, inner):
    """Spread values per channel over the tile that begins at neuron ``start``."""
    channels = values.size
    if inner == 1:
        # Channel after channel: written once, then copied in doubling pieces.
        done = min(channels, n)
        for j in range(done):
            S[offset + j] = values[(start + j) % channels]
        while done < n:
            more = min(done, n - done)
            S[offset + done : offset + done + more] = S[offset : offset + more]
            done += more
        return
    j = 0
    while j < n:
        run = min(inner - (start + j) % inner, n - j)
        value = values[((start + j) // inner) % channels]
        for i in range(run):
            S[offset + j + i] = value
        j += run


@compiled
def repeats(a):
    """Whether neuron ``j`` of every tile has the same channel, so that a tile's parameters and sums serve the next."""
    return a[w.INNER] == 1 and a[w.TILE] % a[w.CHANNELS] == 0


@compiled
def spread_parameters(S, a, start, n, one, per_channel, affine):
    """Fill the tile's parameters, where they differ between neurons."""
    channels, inner = a[w.CHANNELS], a[w.INNER]
    if per_channel:
        spread(S, steps.BETA, array(a[w.BETA], channels, one), start, n, inner)
        spread(S, steps.THRESHOLD, array(a[w.THRESHOLD], channels, one), start, n, inner)
    if affine:
        spread(S, steps.MEAN, array(a[w.MEAN], channels, one), start, n, inner)
        spread(S, steps.SCALE, array(a[w.SCALE], channels, one), start, n, inner)
        spread(S, steps.BIAS, array(a[w.BIAS], channels, one), start, n, inner)
        if a[w.SCALED]:
            S[steps.OUT : steps.OUT + n] = S[steps.SCALE : steps.SCALE + n]
        else:
            S[steps.OUT : steps.OUT + n] = one


@summing
def gather(S, quantity, totals, start, n, inner):
    """Add one quantity of the tile to the totals of its neurons' channels, fp64, and set it to zero."""
    channels = totals.size
    j = 0
    while j < n:
        if channels == 1:
            run = n
            totals[0] += add(S[quantity : quantity + n])
        elif inner == 1:
            first = (start + j) % channels
            run = min(channels - first, n - j)
            for i in range(run):
                totals[first + i] += S[quantity + j + i]
        else:
            run = min(inner - (start + j) % inner, n - j)
            totals[((start + j) // inner) % channels] += add(S[quantity + j : quantity + j + run])
        j += run
    S[quantity : quantity + n] = 0


@compiled
def is_last(a, chunks):
    """Count a finished chunk; whether all ``chunks`` now are."""
    return next_index(pointer(a[w.FINISHED])) == chunks - 1


@summing
def add(values):
    """Return the sum in fp64, in whatever order is quick."""
    total = 0.0
    for value in values:
        total += value
    return total


@compiled
def enter(S, quantity, address, start, n, total, one):
    """Read one quantity of the tile from ``total`` neurons' values; zeros where there are none (address 0)."""
    if address != 0:
        S[quantity : quantity + n] = array(address, total, one)[start : start + n]
    else:
        S[quantity : quantity + n] = 0


@cache
def forward(form: Any, real: Any, element: Any) -> Any:
    """Compile the forward kernel for a form of parameters (a class of ``steps``) and the types of state and input."""
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
        state_out = array(a[w.STATE_OUT], M, one)
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
        S, _ = workspace(arguments, a, one)
        _, begin, end = next_chunk(arguments, a, M)
        known = False
        while begin < end:
            for start in range(begin, end, a[w.TILE]):
                n = min(a[w.TILE], end - start)
                if not known:
                    spread_parameters(S, a, start, n, one, per_channel, affine)
                    known = repeats(a) and n == a[w.TILE]
                enter(S, steps.V, a[w.STATE], start, n, M, one)
                for t in range(T):
                    lo = t * M + start
                    if t + 1 < T:
                        fetch(a[w.X] + (lo + M) * x.itemsize, n * x.itemsize)
                    if a[w.DELAYED]:
                        steps.forward_delayed(p, S, x[lo : lo + n], out[lo : lo + n], n, True)
                    else:
                        steps.forward(p, S, x[lo : lo + n], out[lo : lo + n], n, a[w.FIRES] != 0)
                if leave(p, S, state_out[start : start + n], n):
                    a[w.NOT_FINITE] = 1
            _, begin, end = next_chunk(arguments, a, M)

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
def backward(form: Any, surrogate: Any, real: Any, element: Any) -> Any:
    """Compile the backward kernel, for a surrogate (a class of ``surrogates``) beside what :func:`forward` takes."""
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
        learn_neuron, learn_affine = a[w.LEARN_NEURON] != 0, affine and a[w.LEARN_AFFINE] != 0
        learned = learn_neuron or learn_affine
        # An integrator without learned parameters needs no membranes, and its input is not read.
        recomputed = not integrator or learned
        S, slot = workspace(arguments, a, one)
        rows = T + 1
        H = array(a[w.MEMBRANES], (slot + 1) * rows * tile, one)[slot * rows * tile :].reshape((rows, tile))
        silence = array(a[w.SILENCE], tile, element(1))
        channels, size = a[w.CHANNELS], x.itemsize
        chunks = (M + a[w.CHUNK] - 1) // a[w.CHUNK]
        totals, sums = array(a[w.TOTALS], chunks * 4 * channels, 1.0), array(a[w.SUMS], 4 * channels, one)
        for k in range(4):
            S[steps.SUMS[k] : steps.SUMS[k] + tile] = real(0)
        number, begin, end = next_chunk(arguments, a, M)
        known = False
        while begin < end:
            if learned:
                totals[number * 4 * channels : (number + 1) * 4 * channels] = 0.0
            for start in range(begin, end, tile):
                n = min(tile, end - start)
                if not known:
                    spread_parameters(S, a, start, n, one, per_channel, affine)
                    known = repeats(a) and n == tile
                enter(S, steps.V, a[w.STATE], start, n, M, one)
                H[0, :n] = S[steps.V : steps.V + n]
                if recomputed:
                    for t in range(T):
                        lo = t * M + start
                        if t + 1 < T:
                            fetch(a[w.X] + (lo + M) * size, n * size)
                        if a[w.DELAYED]:
                            steps.forward_delayed(p, S, x[lo : lo + n], H[t + 1], n, False)
                        else:
                            steps.forward(p, S, x[lo : lo + n], H[t + 1], n, False)
                S[steps.GRAD_R : steps.GRAD_R + n] = real(0)
                enter(S, steps.GRAD_V, a[w.GRAD_STATE], start, n, M, one)
                for t in range(T - 1, -1, -1):
                    lo = t * M + start
                    h, before = H[t + 1 if recomputed else 0], H[t if recomputed else 0]
                    x_t, out = x[lo : lo + n], grad_x[lo : lo + n]
                    grad_t = grad[lo : lo + n] if a[w.GRAD] != 0 else silence
                    if t > 0 and a[w.GRAD] != 0:
                        fetch(a[w.GRAD] + (lo - M) * size, n * size)
                    if a[w.DELAYED]:
                        steps.backward_delayed(
                            p,
                            S,
                            h,
                            before,
                            x[lo : lo + n],
                            grad_t,
                            grad_x[lo : lo + n],
                            n,
                            g,
                            learn_neuron,
                            learn_affine,
                        )
                        if learn_neuron:
                            steps.learn_delayed(p, S, before, n)
                    else:
                        steps.backward(p, S, h, x_t, grad_t, out, n, g, learn_neuron, learn_affine)
                        if learn_neuron:
                            steps.learn(p, S, h, before, t == 0, n)
                if a[w.DELAYED]:
                    steps.through_first_reset(p, S, H[0], n, g)
                if a[w.GRAD_STATE_IN] != 0:
                    array(a[w.GRAD_STATE_IN], M, one)[start : start + n] = S[steps.GRAD_V : steps.GRAD_V + n]
                # The sums of tiles that repeat wait for the chunk's last one.
                if learned and not (repeats(a) and start + tile < end):
                    width = tile if repeats(a) else n
                    for k in range(4):
                        row = (number * 4 + k) * channels
                        gather(S, steps.SUMS[k], totals[row : row + channels], start, width, a[w.INNER])
            if learned and is_last(a, chunks):
                # In the order of the chunks: the result does not depend on which thread was first.
                for i in range(4 * channels):
                    total = 0.0
                    for chunk in range(chunks):
                        total += totals[chunk * 4 * channels + i]
                    sums[i] = total
            number, begin, end = next_chunk(arguments, a, M)

    return run
