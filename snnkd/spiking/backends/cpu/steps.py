r"""One time step of one tile, forward and backward.

A tile is up to ``WIDTH`` neurons. What it carries from step to step lies in one scratch array, quantity after quantity
``PITCH`` apart. Every loop takes ``LANES`` neurons at a time, then those that are left one by one, and with each block
asks for the memory that comes next (``reads`` and ``writes``, the addresses of the next rows' first neurons): a row is
short and the next one elsewhere, so that what a core fetches by itself comes too late, and asking for a row at once
stalls.

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

from numba.extending import overload

from snnkd.spiking.backends.cpu.lanes import LANES, block, muladd, where
from snnkd.spiking.backends.cpu.scalars import fetch, fetch_to_write, load, store, store_spike, widest_vectors
from snnkd.spiking.backends.cpu.surrogates import derivative
from snnkd.spiking.backends.cpu.words import loop, step

WIDTH = 1024
"""Neurons in a tile at most."""
PITCH = WIDTH + LANES
"""From one quantity of a neuron to the next. Were it a power of two, all would want the same places of the cache."""

V, BETA, THRESHOLD, MEAN, SCALE, BIAS, OUT = (k * PITCH for k in range(7))
GRAD_V, GRAD_R = (k * PITCH for k in range(7, 9))
SUMS = GRAD_BETA, GRAD_THRESHOLD, GRAD_SCALE, GRAD_BIAS = tuple(k * PITCH for k in range(9, 13))
SCRATCH = 13 * PITCH
"""Values that a thread works in."""

LINE = 64
"""Bytes that memory hands over at a time."""


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


def ask(array, reads, writes, j):
    """Ask for block ``j`` of the rows at two addresses, of elements like those of ``array``."""


@overload(ask, inline="always")
def _ask(array, reads, writes, j):
    size = array.dtype.bitwidth // 8
    more = LINE if size * LANES > LINE else 0

    def both(array, reads, writes, j):
        fetch(reads + j * size)
        fetch_to_write(writes + j * size)
        if more:
            fetch(reads + j * size + more)
            fetch_to_write(writes + j * size + more)

    return both


def over_tile(body: Any) -> Any:
    """Make ``body(j, *rest)``, a :data:`step` of one neuron or block, one of the tile's ``n`` neurons.

    ``reads`` and ``writes`` are addresses of the rows that come next, of elements as ``array`` has them. Where nothing
    is written, the second is that of memory of the thread's own.
    """

    @loop
    def run(n, array, reads, writes, *rest):
        widest_vectors()
        whole = n - n % LANES
        for j in range(0, whole, LANES):
            ask(array, reads, writes, j)
            body(block(j), *rest)
        for j in range(whole, n):
            body(j, *rest)

    return run


@step
def off(p, th, h):
    """Return what a reset takes off a membrane above its threshold; one of the products is 0, the other exact."""
    return muladd(p.c_z, h, p.c_s * th)


@step
def charge(j, p, S, x, delayed):
    """Return the membrane before its reset; a delayed reset comes first."""
    th, v = threshold_at(p, S, j), S[V + j]
    if delayed:
        # What is subtracted is not decayed, and taken off last, as snnTorch has it.
        kept = where(v > th, p.left * v, v)
        return beta_at(p, S, j) * kept + current(p, S, j, x[j]) - where(v > th, p.c_s * th, p.zero)
    return beta_at(p, S, j) * v + current(p, S, j, x[j])


@step
def discharge(j, p, S, h, delayed):
    """Leave behind what the reset leaves; return whether it fired."""
    th = threshold_at(p, S, j)
    if delayed:
        S[V + j] = h
    else:
        S[V + j] = h - where(h > th, off(p, th, h), p.zero)
    return h > th


@over_tile
@step
def forward(j, p, S, x, out, fires, delayed):
    """Run a step; ``out`` takes the spikes, or the membranes before their reset."""
    h = charge(j, p, S, x, delayed)
    fired = discharge(j, p, S, h, delayed)
    if fires:
        out[j] = store_spike(out, fired)
    else:
        out[j] = store(out, h)


@step
def learn_affine(j, S, x, g_h):
    """Add a step's gradients of scale and bias."""
    S[GRAD_SCALE + j] = muladd(g_h, load(x[j]) - S[MEAN + j], S[GRAD_SCALE + j])
    S[GRAD_BIAS + j] = S[GRAD_BIAS + j] + g_h


@over_tile
@step
def backward(j, p, S, H, before, first, x, grad, out, surrogate, of_neuron, of_affine):
    """Go back a step; ``before`` is the membrane of the one before, or the state in the ``first``."""
    th, h, g_v = threshold_at(p, S, j), H[j], S[GRAD_V + j]
    through_reset = where(p.attached > p.zero, off(p, th, h) * g_v, p.zero)
    slope, g_s = derivative(surrogate, h - th), load(grad[j]) - through_reset
    kept = where(h > th, p.left * g_v, g_v)
    g_h = muladd(slope, g_s, kept)
    S[GRAD_V + j] = beta_at(p, S, j) * g_h
    out[j] = store(out, outward(p, S, j, g_h))
    if of_neuron:
        v = before[j]
        # What the step before left of its membrane; the first one gets the state as it is.
        left = v - where(v > th, where(first, p.zero, off(p, th, v)), p.zero)
        S[GRAD_BETA + j] = muladd(g_h, left, S[GRAD_BETA + j])
        of_reset = where(h > th, p.c_s * kept, p.zero)
        S[GRAD_THRESHOLD + j] = S[GRAD_THRESHOLD + j] - muladd(slope, g_s, of_reset)
    if of_affine:
        learn_affine(j, S, x, g_h)


@over_tile
@step
def backward_delayed(j, p, S, H, before, x, grad, out, surrogate, of_neuron, of_affine):
    """Go back a step whose reset was that of the membrane ``before`` it."""
    th, b, v = threshold_at(p, S, j), beta_at(p, S, j), before[j]
    slope, g_s = derivative(surrogate, H[j] - th), load(grad[j]) + S[GRAD_R + j]
    g_h = muladd(slope, g_s, S[GRAD_V + j])
    S[GRAD_V + j] = b * where(v > th, p.left * g_h, g_h)
    S[GRAD_R + j] = where(p.attached > p.zero, -muladd(p.c_z * b, v, p.c_s * th) * g_h, p.zero)
    out[j] = store(out, outward(p, S, j, g_h))
    if of_neuron:
        S[GRAD_BETA + j] = muladd(g_h, where(v > th, p.left * v, v), S[GRAD_BETA + j])
        of_reset = where(v > th, p.c_s * g_h, p.zero)
        S[GRAD_THRESHOLD + j] = S[GRAD_THRESHOLD + j] - muladd(slope, g_s, of_reset)
    if of_affine:
        learn_affine(j, S, x, g_h)


@over_tile
@step
def through_first_reset(j, p, S, start, surrogate):
    """Go back through the delayed reset of the first step, which came from the state."""
    g_r = derivative(surrogate, start[j] - threshold_at(p, S, j)) * S[GRAD_R + j]
    S[GRAD_V + j] = S[GRAD_V + j] + g_r
    S[GRAD_THRESHOLD + j] = S[GRAD_THRESHOLD + j] - g_r
