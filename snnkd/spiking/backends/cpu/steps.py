r"""One time step of one tile, forward and backward: the loops that LLVM turns into vector code.

A tile is up to ``WIDTH`` neurons. What it carries from step to step lies in one scratch array, quantity after quantity
``WIDTH`` apart: with the distances known at compile time LLVM has no overlaps to test for, and one array of each other
kind keeps the tests that remain few enough for it to vectorise.

The three resets are one formula. With ``c_s = 1`` for ``subtract`` and ``c_z = 1`` for ``zero`` (else 0),

.. math:: v = (1 - c_z s)\,h - c_s\theta s

in the same order of operations as the reference backend, whose every rounding it repeats; products with 0 and 1 are
exact. Backward, with :math:`g` the surrogate's derivative at :math:`h - \theta`, ``a = 1`` where the reset carries
gradient, and :math:`\bar{v}` the gradient of the membrane that the step leaves behind:

.. math::

    \bar u = g\,(\bar s - a (c_s\theta + c_z h)\,\bar v), \quad
    \bar h = (1 - c_z s)\,\bar v + \bar u, \quad \bar v \leftarrow \beta\bar h

With the reset delayed, :math:`r = [v' > \theta]` of the previous membrane :math:`v'` takes the place of :math:`s` in
the reset, and its gradient :math:`\bar r` waits for the step before:

.. math::

    \bar u = g\,(\bar s + \bar r), \quad \bar h = \bar v + \bar u, \quad
    \bar v \leftarrow \beta(1 - c_z r)\bar h, \quad \bar r \leftarrow -a (c_s\theta + c_z\beta v')\,\bar h
"""

from typing import Any, NamedTuple

from numba import uint8
from numba.extending import overload

from snnkd.spiking.backends.cpu.scalars import load, store, store_spike, widest_vectors
from snnkd.spiking.backends.cpu.surrogates import derivative
from snnkd.spiking.backends.cpu.words import compiled, contracting

WIDTH = 1024
"""Neurons in a tile at most: what backward touches in a step then fits the first-level cache."""

# Quantities of a tile, in units of WIDTH.
V, BETA, THRESHOLD, MEAN, SCALE, BIAS, OUT = (k * WIDTH for k in range(7))
GRAD_V, GRAD_R, GRAD_H, GRAD_U = (k * WIDTH for k in range(7, 11))
SUMS = GRAD_BETA, GRAD_THRESHOLD, GRAD_SCALE, GRAD_BIAS = tuple(k * WIDTH for k in range(11, 15))
QUANTITIES = 15


class Uniform(NamedTuple):
    """One value of each parameter for all neurons, in the state's type; ``left`` is ``1 − c_z``."""

    one: Any
    zero: Any
    beta: Any
    threshold: Any
    c_s: Any
    c_z: Any
    left: Any
    attached: Any


class PerChannel(NamedTuple):
    """Parameters from the tile's scratch, where they were spread over its neurons."""

    one: Any
    zero: Any
    beta: Any
    threshold: Any
    c_s: Any
    c_z: Any
    left: Any
    attached: Any


class Affine(NamedTuple):
    """As :class:`PerChannel`, and the current is ``scale·(x − mean) + bias``."""

    one: Any
    zero: Any
    beta: Any
    threshold: Any
    c_s: Any
    c_z: Any
    left: Any
    attached: Any


def beta_at(p, S, j):
    """Return the decay of neuron ``j`` of the tile."""


def threshold_at(p, S, j):
    """Return the threshold of neuron ``j`` of the tile."""


def current(p, S, j, x):
    """Return what flows into neuron ``j`` of the tile for the input element ``x``."""


def outward(p, S, j, grad):
    """Return the gradient that leaves neuron ``j`` for one of its current."""


@overload(beta_at, inline="always")
def _beta_at(p, S, j):
    return (lambda p, S, j: p.beta) if p.instance_class is Uniform else (lambda p, S, j: S[BETA + j])


@overload(threshold_at, inline="always")
def _threshold_at(p, S, j):
    return (lambda p, S, j: p.threshold) if p.instance_class is Uniform else (lambda p, S, j: S[THRESHOLD + j])


@overload(current, inline="always")
def _current(p, S, j, x):
    if p.instance_class is Affine:
        return lambda p, S, j, x: S[SCALE + j] * (load(x) - S[MEAN + j]) + S[BIAS + j]
    return lambda p, S, j, x: load(x)


@overload(outward, inline="always")
def _outward(p, S, j, grad):
    return (lambda p, S, j, grad: S[OUT + j] * grad) if p.instance_class is Affine else (lambda p, S, j, grad: grad)


@compiled
def forward(p, S, x, out, n, fires):
    widest_vectors()
    for j in range(n):
        th = threshold_at(p, S, j)
        h = beta_at(p, S, j) * S[V + j] + current(p, S, j, x[j])
        S[V + j] = p.left * h - p.c_s * th if h > th else h
        out[j] = store_spike(out, h > th) if fires else store(out, h)


@compiled
def forward_delayed(p, S, x, out, n, fires):
    widest_vectors()
    for j in range(n):
        th = threshold_at(p, S, j)
        v = S[V + j]
        # Not decayed, and taken off last, as snnTorch has it.
        off = p.c_s * th if v > th else p.zero
        v = beta_at(p, S, j) * (p.left * v if v > th else v) + current(p, S, j, x[j]) - off
        S[V + j] = v
        out[j] = store_spike(out, v > th) if fires else store(out, v)


@contracting
def backward(p, S, H, x, grad, out, n, surrogate, learn_neuron, learn_affine):
    widest_vectors()
    for j in range(n):
        th, h, g_v = threshold_at(p, S, j), H[j], S[GRAD_V + j]
        g_u = derivative(surrogate, h - th) * (
            load(grad[j]) - ((p.c_s * th + p.c_z * h) * g_v if p.attached > 0 else p.zero)
        )
        g_h = (p.left * g_v if h > th else g_v) + g_u
        S[GRAD_V + j] = beta_at(p, S, j) * g_h
        out[j] = store(out, outward(p, S, j, g_h))
        if learn_neuron:
            S[GRAD_H + j] = g_h
            S[GRAD_U + j] = g_u
        if learn_affine:
            S[GRAD_SCALE + j] += g_h * (load(x[j]) - S[MEAN + j])
            S[GRAD_BIAS + j] += g_h


@contracting
def backward_delayed(p, S, H, before, x, grad, out, n, surrogate, learn_neuron, learn_affine):
    widest_vectors()
    for j in range(n):
        th, b, v = threshold_at(p, S, j), beta_at(p, S, j), before[j]
        g_u = derivative(surrogate, H[j] - th) * (load(grad[j]) + S[GRAD_R + j])
        g_h = S[GRAD_V + j] + g_u
        S[GRAD_V + j] = b * (p.left * g_h if v > th else g_h)
        S[GRAD_R + j] = -(p.c_s * th + p.c_z * b * v) * g_h if p.attached > 0 else p.zero
        out[j] = store(out, outward(p, S, j, g_h))
        if learn_neuron:
            S[GRAD_H + j] = g_h
            S[GRAD_U + j] = g_u
        if learn_affine:
            S[GRAD_SCALE + j] += g_h * (load(x[j]) - S[MEAN + j])
            S[GRAD_BIAS + j] += g_h


@compiled
def learn(p, S, H, before, first, n):
    # After `backward` of the step. For subtract, the gradient of v is ḡ_h − ḡ_u.
    widest_vectors()
    for j in range(n):
        th, g_h, g_u, v = threshold_at(p, S, j), S[GRAD_H + j], S[GRAD_U + j], before[j]
        left = p.left * v - p.c_s * th if v > th and not first else v
        S[GRAD_BETA + j] += g_h * left
        S[GRAD_THRESHOLD + j] -= g_u + (p.c_s if H[j] > th else p.zero) * (g_h - g_u)


@compiled
def learn_delayed(p, S, before, n):
    widest_vectors()
    for j in range(n):
        th, g_h, v = threshold_at(p, S, j), S[GRAD_H + j], before[j]
        S[GRAD_BETA + j] += g_h * (p.left * v if v > th else v)
        S[GRAD_THRESHOLD + j] -= S[GRAD_U + j] + (p.c_s * g_h if v > th else p.zero)


@compiled
def forward_bits(p, S, x, out, B, n, delayed, width, shift):
    widest_vectors()
    for j in range(n):
        th = threshold_at(p, S, j)
        v = S[V + j]
        off = p.c_s * th if delayed and v > th else p.zero
        h = beta_at(p, S, j) * (p.left * v if delayed and v > th else v) + current(p, S, j, x[j]) - off
        S[V + j] = p.left * h - p.c_s * th if h > th and not delayed else h
        out[j] = store_spike(out, h > th)
        code = (uint8(1) if h > th else uint8(0)) | (uint8(2) if abs(h - th) < width else uint8(0))
        B[j] |= code << shift


@compiled
def backward_bits(p, S, B, grad, out, n, shift):
    widest_vectors()
    for j in range(n):
        code, g_s = B[j] >> shift, load(grad[j])
        g_v = S[GRAD_V + j]
        g_h = (p.left * g_v if code & uint8(1) else g_v) + (g_s if code & uint8(2) else p.zero)
        S[GRAD_V + j] = beta_at(p, S, j) * g_h
        out[j] = store(out, g_h)


@compiled
def through_first_reset(p, S, start, n, surrogate):
    # The delayed reset of the first step came from the state.
    widest_vectors()
    for j in range(n):
        g_r = derivative(surrogate, start[j] - threshold_at(p, S, j)) * S[GRAD_R + j]
        S[GRAD_V + j] += g_r
        S[GRAD_THRESHOLD + j] -= g_r


@compiled
def keep_unreset(p, S, n):
    # What a delayed `zero` reset of the state, here in V, leaves of the gradient.
    widest_vectors()
    for j in range(n):
        S[GRAD_V + j] *= p.left if S[V + j] > threshold_at(p, S, j) else p.one
