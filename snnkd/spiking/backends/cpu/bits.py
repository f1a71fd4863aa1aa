"""Kernels that store bits: the neuron with two bits a step in place of its input, and the packing of spikes.

Of a block of sixteen neurons a step stores 32 bits, little-endian: the lower half tells which fired, the upper half
whose membrane lay in the surrogate's window. Those left at the end of a step take two neighbouring bits each, the lower
for the spike. Packed values take one bit each, in their order.
"""

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types, uint8, uint16, uint32
from numba.extending import intrinsic, overload

from snnkd.spiking.backends.cpu import steps
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.lanes import LANES, any_of, block, blocks, first_of, mask_of, where, word_of
from snnkd.spiking.backends.cpu.scalars import load, store, store_spike
from snnkd.spiking.backends.cpu.steps import GRAD_V, V, beta_at, charge, discharge, over_tile, threshold_at
from snnkd.spiking.backends.cpu.tiles import array, column, enter, next_chunk, place, spread_parameters, workspace
from snnkd.spiking.backends.cpu.words import SOURCES, WORDS, compiled, kernel, step


@intrinsic
def _put(typingctx, bytes_, k, word):
    """Write an integer of several bytes, the first of them at ``k``."""

    def emit(context, builder, signature, args):
        place = builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])
        builder.store(args[2], builder.bitcast(place, args[2].type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(bytes_, k, word), emit


@intrinsic
def _take(typingctx, bytes_, k):
    """Read four bytes, the first of them at ``k``, as an integer."""

    def emit(context, builder, signature, args):
        place = builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])
        return builder.load(builder.bitcast(place, ir.IntType(32).as_pointer()), align=1)

    return types.uint32(bytes_, k), emit


def store_codes(B, j, fired, near):
    """Store two bits for neuron or block ``j`` of the row of bytes ``B``."""


@overload(store_codes, inline="always")
def _store_codes(B, j, fired, near):
    if j == blocks:
        # Numba's shifts and unions are of 64 bits.
        return lambda B, j, fired, near: _put(
            B, first_of(j) // 4, uint32(uint32(word_of(fired)) | (uint32(word_of(near)) << uint32(16)))
        )

    def one(B, j, fired, near):
        code = (uint8(1) if fired else uint8(0)) | (uint8(2) if near else uint8(0))
        before = B[j // 4] if j % 4 != 0 else uint8(0)
        B[j // 4] = before | (code << uint8(2 * (j % 4)))

    return one


def load_codes(B, j):
    """Return who fired and whose membrane lay in the window, of neuron or block ``j``."""


@overload(load_codes, inline="always")
def _load_codes(B, j):
    if j == blocks:

        def many(B, j):
            word = _take(B, first_of(j) // 4)
            return mask_of(uint16(word)), mask_of(uint16(word >> uint32(16)))

        return many

    def one(B, j):
        code = B[j // 4] >> uint8(2 * (j % 4))
        return code & uint8(1) != 0, code & uint8(2) != 0

    return one


@over_tile
@step
def forward_bits(j, p, S, x, out, B, delayed, width):
    """Run a step of the neuron, whose reset is delayed or not, with its codes."""
    h = charge(j, p, S, x, delayed)
    fired = discharge(j, p, S, h, delayed)
    out[j] = store_spike(out, fired)
    store_codes(B, j, fired, abs(h - threshold_at(p, S, j)) < width)


@over_tile
@step
def backward_bits(j, p, S, B, grad, out):
    """Go back a step, from the codes alone."""
    fired, near = load_codes(B, j)
    g_v = S[GRAD_V + j]
    g_h = where(fired, p.left * g_v, g_v) + where(near, load(grad[j]), p.zero)
    S[GRAD_V + j] = beta_at(p, S, j) * g_h
    out[j] = store(out, g_h)


@over_tile
@step
def keep_unreset(j, p, S):
    """Take off the gradient what a delayed ``zero`` reset of the state, here in V, leaves of it."""
    S[GRAD_V + j] = S[GRAD_V + j] * where(S[V + j] > threshold_at(p, S, j), p.left, p.one)


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
        Q, given = (M + 3) // 4, a[w.GRAD] != 0
        grad, grad_x = array(a[w.GRAD], T * M, element(1)), array(a[w.GRAD_X], T * M, element(1))
        bits = array(a[w.BITS], T * Q, uint8(1))
        beta, theta, c_z = array(a[w.BETA], 1, one)[0], array(a[w.THRESHOLD], 1, one)[0], real(f[w.C_ZERO])
        now = form(one, real(0), beta, theta, real(0), c_z, one - c_z, real(0))
        c_last = real(0) if a[w.DELAYED] else c_z
        last = form(one, real(0), beta, theta, real(0), c_last, one - c_last, real(0))
        S, slot = workspace(a, one)
        own = a[w.SCRATCH] + slot * S.size * S.itemsize
        silence = array(a[w.SILENCE], a[w.TILE], element(1))
        _, begin, end = next_chunk(a, 0)
        known = -1
        while begin < end:
            for index in range(begin, end):
                (start, n), (after, _) = place(a, index), place(a, index + 1)
                if column(a, index) != known:
                    spread_parameters(S, a, start, n, one, per_channel, False)
                    known = column(a, index)
                enter(S, GRAD_V, a[w.GRAD_STATE], start, n, M, one)
                for t in range(T - 1, -1, -1):
                    lo, row = t * M + start, t * Q + start // 4
                    g = grad[lo : lo + n] if given else silence
                    # After the first step comes the next tile's last one.
                    ahead = (lo - M if t > 0 else (T - 1) * M + after) * grad.itemsize
                    writes = a[w.GRAD_X] + ahead
                    reads = a[w.GRAD] + ahead if given else writes
                    B = bits[row : row + (n + 3) // 4]
                    backward_bits(n, grad, reads, writes, last if t == T - 1 else now, S, B, g, grad_x[lo : lo + n])
                if a[w.GRAD_STATE_IN] != 0:
                    if a[w.DELAYED] and T > 0:
                        enter(S, V, a[w.STATE], start, n, M, one)
                        keep_unreset(n, grad, own, own, now, S)
                    array(a[w.GRAD_STATE_IN], M, one)[start : start + n] = S[GRAD_V : GRAD_V + n]
            _, begin, end = next_chunk(a, 0)

    return run


@compiled
def pack_tile(x, B, n, one, zero):
    """Set a bit for each value that is not zero; whether there was one other than 0 and 1."""
    whole, other = n - n % LANES, False
    for j in range(0, whole, LANES):
        value = load(x[block(j)])
        _put(B, j // 8, word_of(value != zero))
        other |= any_of((value != zero) & (value != one))
    for j in range(whole, n):
        value = load(x[j])
        before = B[j // 8] if j % 8 != 0 else uint8(0)
        B[j // 8] = before | (uint8(1 if value != zero else 0) << uint8(j % 8))
        other |= value != zero and value != one
    return other


@compiled
def unpack_tile(B, x, n):
    """Return each bit as 0 or 1."""
    whole = n - n % LANES
    for j in range(0, whole, LANES):
        word = uint16(B[j // 8]) | (uint16(B[j // 8 + 1]) << uint16(8))
        x[block(j)] = store_spike(x, mask_of(uint16(word)))
    for j in range(whole, n):
        x[j] = store_spike(x, (B[j // 8] >> uint8(j % 8)) & uint8(1) != 0)


@cache
def packing(real: Any, element: Any, back: bool) -> Any:
    """Compile ``N`` values to ``ceil(N / 8)`` bytes, or ``back``."""
    digest = SOURCES

    @kernel
    def run(arguments):
        a = carray(arguments, (WORDS,), np.int64)
        a[w.DIGEST] = digest
        N = a[w.NEURONS]
        x, bits = array(a[w.X], N, element(1)), array(a[w.BITS], (N + 7) // 8, uint8(1))
        _, begin, end = next_chunk(a, 0)
        while begin < end:
            first, last = begin * a[w.TILE], min(end * a[w.TILE], N)
            B = bits[first // 8 : (last + 7) // 8]
            if back:
                unpack_tile(B, x[first:last], last - first)
            elif pack_tile(x[first:last], B, last - first, real(1), real(0)):
                a[w.NOT_BINARY] = 1
            _, begin, end = next_chunk(a, 0)

    return run
