"""Kernels that store bits: the neuron with two bits a step in place of its input, and the packing of spikes.

Bits lie in planes, so that every loop runs over neighbours: byte ``k`` of ``Q`` holds what belongs to ``k``, ``k + Q``,
``k + 2Q``, … . A neuron-step takes two bits of a byte (it fired; its membrane lay in the surrogate's window), a packed
value one.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import carray, uint8

from snnkd.spiking.backends.cpu import steps
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.neuron import array, enter, leave, next_chunk, spread_parameters, workspace
from snnkd.spiking.backends.cpu.scalars import load, store
from snnkd.spiking.backends.cpu.words import SOURCES, WORDS, compiled, kernel


@cache
def forward(form: Any, real: Any, element: Any) -> Any:
    """Compile the neuron that stores two bits a step; tiles are of bytes, each of four planes of neurons."""
    per_channel, digest = form is not steps.Uniform, SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        f = carray(arguments, (WORDS,), np.float64)
        a[w.DIGEST] = digest
        one = real(1)
        T, M = a[w.STEPS], a[w.NEURONS]
        Q = (M + 3) // 4
        x, out = array(a[w.X], T * M, element(1)), array(a[w.OUT], T * M, element(1))
        bits = array(a[w.BITS], T * Q, uint8(1))
        state_out = array(a[w.STATE_OUT], M, one)
        beta, theta = array(a[w.BETA], 1, one)[0], array(a[w.THRESHOLD], 1, one)[0]
        c_z = real(f[w.C_ZERO])
        p = form(one, real(0), beta, theta, real(f[w.C_SUBTRACT]), c_z, one - c_z, real(0))
        width = real(f[w.SURROGATE_WIDTH])
        S, _ = workspace(arguments, a, one)
        _, begin, end = next_chunk(arguments, a, Q)
        while begin < end:
            for start in range(begin, end, a[w.TILE]):
                bytes_ = min(a[w.TILE], end - start)
                for t in range(T):
                    bits[t * Q + start : t * Q + start + bytes_] = uint8(0)
                for plane in range(4):
                    first = plane * Q + start
                    n = max(0, min(bytes_, M - first))
                    spread_parameters(S, a, first, n, one, per_channel, False)
                    enter(S, steps.V, a[w.STATE], first, n, M, one)
                    for t in range(T):
                        lo, B = t * M + first, bits[t * Q + start : t * Q + start + n]
                        steps.forward_bits(
                            p, S, x[lo : lo + n], out[lo : lo + n], B, n, a[w.DELAYED] != 0, width, uint8(2 * plane)
                        )
                    if leave(p, S, state_out[first : first + n], n):
                        a[w.NOT_FINITE] = 1
            _, begin, end = next_chunk(arguments, a, Q)

    return run


@cache
def backward(form: Any, real: Any, element: Any) -> Any:
    r"""Compile the gradient from two bits a step: :math:`\bar h = (1 - c_z s)\bar v + w\bar s`.

    A delayed reset acts on the membrane that the next step receives, which is the same formula one step earlier: the
    last step then has no reset behind it, and the first one that of the state.
    """
    per_channel, digest = form is not steps.Uniform, SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        f = carray(arguments, (WORDS,), np.float64)
        a[w.DIGEST] = digest
        one = real(1)
        T, M = a[w.STEPS], a[w.NEURONS]
        Q = (M + 3) // 4
        grad, grad_x = array(a[w.GRAD], T * M, element(1)), array(a[w.GRAD_X], T * M, element(1))
        bits = array(a[w.BITS], T * Q, uint8(1))
        beta, theta, c_z = array(a[w.BETA], 1, one)[0], array(a[w.THRESHOLD], 1, one)[0], real(f[w.C_ZERO])
        now = form(one, real(0), beta, theta, real(0), c_z, one - c_z, real(0))
        c_last = real(0) if a[w.DELAYED] else c_z
        last = form(one, real(0), beta, theta, real(0), c_last, one - c_last, real(0))
        S, _ = workspace(arguments, a, one)
        silence = array(a[w.SILENCE], a[w.TILE], element(1))
        _, begin, end = next_chunk(arguments, a, Q)
        while begin < end:
            for start in range(begin, end, a[w.TILE]):
                bytes_ = min(a[w.TILE], end - start)
                for plane in range(4):
                    first = plane * Q + start
                    n = max(0, min(bytes_, M - first))
                    spread_parameters(S, a, first, n, one, per_channel, False)
                    enter(S, steps.GRAD_V, a[w.GRAD_STATE], first, n, M, one)
                    for t in range(T - 1, -1, -1):
                        lo, B = t * M + first, bits[t * Q + start : t * Q + start + n]
                        g = grad[lo : lo + n] if a[w.GRAD] != 0 else silence
                        steps.backward_bits(
                            last if t == T - 1 else now, S, B, g, grad_x[lo : lo + n], n, uint8(2 * plane)
                        )
                    if a[w.GRAD_STATE_IN] != 0:
                        if a[w.DELAYED] and T > 0:
                            enter(S, steps.V, a[w.STATE], first, n, M, one)
                            steps.keep_unreset(now, S, n)
                        array(a[w.GRAD_STATE_IN], M, one)[first : first + n] = S[steps.GRAD_V : steps.GRAD_V + n]
            _, begin, end = next_chunk(arguments, a, Q)

    return run


@compiled
def pack_bytes(x, first, Q, B, n):
    """Make bytes whose eight planes are all there; whether there was a value other than 0 and 1."""
    other = uint8(0)
    for j in range(n):
        byte = uint8(0)
        for plane in range(8):
            value = load(x[first + plane * Q + j])
            byte |= uint8(1 if value != 0 else 0) << uint8(plane)
            other |= uint8(1 if value != 0 and value != 1 else 0)
        B[j] = byte
    return other != 0


@compiled
def pack_plane(x, B, n, plane):
    """Set bit ``plane`` of each byte where the value is not zero; whether there was one other than 0 and 1."""
    other = uint8(0)
    for j in range(n):
        value = load(x[j])
        B[j] |= uint8(1 if value != 0 else 0) << plane
        other |= uint8(1 if value != 0 and value != 1 else 0)
    return other != 0


@compiled
def unpack_plane(B, out, n, plane, one):
    """Return bit ``plane`` of each byte as 0 or 1."""
    for j in range(n):
        out[j] = store(out, one if (B[j] >> plane) & uint8(1) else type(one)(0))


@cache
def packing(real: Any, element: Any, back: bool) -> Any:
    """Compile ``N`` values to ``ceil(N / 8)`` bytes, or ``back``."""
    digest = SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        a[w.DIGEST] = digest
        N = a[w.NEURONS]
        Q = (N + 7) // 8
        x, bits = array(a[w.X], N, element(1)), array(a[w.BITS], Q, uint8(1))
        _, begin, end = next_chunk(arguments, a, Q)
        while begin < end:
            for start in range(begin, end, a[w.TILE]):
                bytes_ = min(a[w.TILE], end - start)
                B = bits[start : start + bytes_]
                if back:
                    for plane in range(8):
                        first = plane * Q + start
                        n = max(0, min(bytes_, N - first))
                        unpack_plane(B, x[first : first + n], n, uint8(plane), real(1))
                    continue
                whole = max(0, min(bytes_, N - 7 * Q - start))
                if pack_bytes(x, start, Q, B, whole):
                    a[w.NOT_BINARY] = 1
                if whole == bytes_:
                    continue
                B[whole:] = uint8(0)
                for plane in range(8):
                    first = plane * Q + start + whole
                    n = max(0, min(bytes_ - whole, N - first))
                    if pack_plane(x[first : first + n], B[whole:], n, uint8(plane)):
                        a[w.NOT_BINARY] = 1
            _, begin, end = next_chunk(arguments, a, Q)

    return run
