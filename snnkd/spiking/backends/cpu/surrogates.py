"""The surrogates' derivatives inside kernels: one class each, by whose type Numba compiles a kernel of its own."""

import math
from typing import Any, NamedTuple

from numba.extending import overload

from snnkd.spiking.backends.cpu.lanes import muladd, where
from snnkd.spiking.backends.cpu.scalars import exp_negative


class Atan(NamedTuple):
    """``(α/2) / (1 + (π/2·α·u)²)``."""

    width: Any


class FastSigmoid(NamedTuple):
    """``1 / (1 + k|u|)²``."""

    width: Any


class Sigmoid(NamedTuple):
    """``k·σ(ku)(1 − σ(ku))``."""

    width: Any


class Triangle(NamedTuple):
    """``max(0, 1 − |u|/w)``."""

    width: Any


class Rectangle(NamedTuple):
    """``1[|u| < w]``."""

    width: Any


class Integrator(NamedTuple):
    """No threshold at all: the output is the membrane."""

    width: Any


BY_NAME = {
    "atan": Atan,
    "fast_sigmoid": FastSigmoid,
    "sigmoid": Sigmoid,
    "triangle": Triangle,
    "rectangle": Rectangle,
}


def derivative(surrogate, u):
    """Return ``g(u)`` of :mod:`snnkd.spiking.surrogate`, for ``u`` in the type of the surrogate's width."""


@overload(derivative, inline="always")
def _derivative(surrogate, u):
    chosen = surrogate.instance_class
    if chosen is Atan:

        def g(surrogate, u):
            w = surrogate.width
            z = type(w)(math.pi / 2) * w * u
            return type(w)(0.5) * w / muladd(z, z, type(w)(1))

    elif chosen is FastSigmoid:

        def g(surrogate, u):
            one = type(surrogate.width)(1)
            z = muladd(surrogate.width, abs(u), one)
            return one / (z * z)

    elif chosen is Sigmoid:

        def g(surrogate, u):
            # σ(z)(1 − σ(z)) is even in z: with e = exp(−|z|) it is e/(1 + e)², which cannot overflow.
            one = type(surrogate.width)(1)
            e = exp_negative(abs(surrogate.width * u))
            return surrogate.width * e / ((one + e) * (one + e))

    elif chosen is Triangle:

        def g(surrogate, u):
            w = surrogate.width
            left = type(w)(1) - abs(u) / w
            return where(left > type(w)(0), left, type(w)(0))

    elif chosen is Rectangle:

        def g(surrogate, u):
            w = surrogate.width
            return where(abs(u) < w, type(w)(1), type(w)(0))

    else:

        def g(surrogate, u):
            return type(surrogate.width)(1)

    return g
