r"""One step of one neuron as device functions, which the kernels of this folder share.

``KIND`` is ``"subtract"``, ``"zero"``, ``"none"`` or ``"never"`` (the leaky integrator). A neuron's parameters travel
as the tuple ``(beta, theta)`` or ``(beta, theta, mean, scale, bias)``. Every product and sum is rounded by itself,
in the order of :mod:`snnkd.spiking.backends.reference`, and kernels are launched with ``enable_fp_fusion=False``: the
spikes are the reference's bit for bit, and backward recomputes the very membranes that forward saw.

Only what the compiler itself knows is used of ``tl``, nothing of its library written in Triton.
"""

import triton
from triton import language as tl


@triton.jit
def lanes(block, BLOCK: tl.constexpr, WIDE: tl.constexpr):
    """Indices of a block's neurons, in 64 bits only where needed: the division for the channel is costly."""
    first = tl.cast(block, tl.int64) * BLOCK if WIDE else block * BLOCK
    return first + tl.arange(0, BLOCK)


@triton.jit
def row(t, M):
    """Offset of step ``t``, in 64 bits."""
    return tl.cast(t, tl.int64) * M


@triton.jit
def of_channel(values, lane, inside, inner, C, SCALAR: tl.constexpr):
    """Value of each neuron's channel; one value for all is loaded once."""
    if SCALAR:
        return tl.load(values)
    else:
        return tl.load(values + (lane // inner) % C, mask=inside, other=0)


@triton.jit
def parameters(beta, theta, mean, scale, bias, lane, inside, inner, C, SCALAR: tl.constexpr):
    """The tuple of a neuron's parameters; the last three only where the current is affine."""
    b = of_channel(beta, lane, inside, inner, C, SCALAR)
    th = of_channel(theta, lane, inside, inner, C, SCALAR)
    if scale is None:
        return (b, th)
    else:
        m = of_channel(mean, lane, inside, inner, C, SCALAR)
        k = of_channel(scale, lane, inside, inner, C, SCALAR)
        c = of_channel(bias, lane, inside, inner, C, SCALAR)
        return (b, th, m, k, c)


@triton.jit
def current(x, p, AFFINE: tl.constexpr):
    """``scale·(x − mean) + bias``, or ``x``."""
    if AFFINE:
        return p[3] * (x - p[2]) + p[4]
    else:
        return x


@triton.jit
def fires(u):
    """``[u > 0]``; NaN stays NaN."""
    return tl.where(u == u, (u > 0).to(u.dtype), u)


@triton.jit
def step(v, c, p, KIND: tl.constexpr, DELAY: tl.constexpr):
    """From the carried ``v`` and the current: the output, the membrane that fires, and the ``v`` carried on."""
    if KIND == "never":
        h = p[0] * v + c
        return h, h, h
    elif DELAY:
        if KIND == "subtract":
            h = p[0] * v + c - fires(v - p[1]) * p[1]
        elif KIND == "zero":
            h = p[0] * ((1 - fires(v - p[1])) * v) + c
        else:
            h = p[0] * v + c
        return fires(h - p[1]), h, h
    else:
        h = p[0] * v + c
        s = fires(h - p[1])
        return s, h, after(h, s, p, KIND)


@triton.jit
def after(h, s, p, KIND: tl.constexpr):
    """The membrane after an immediate reset."""
    if KIND == "subtract":
        return h - p[1] * s
    elif KIND == "zero":
        return (1 - s) * h
    else:
        return h


@triton.jit
def derivative(u, SURROGATE: tl.constexpr, WIDTH: tl.constexpr):
    """``g(u)`` of :mod:`snnkd.spiking.surrogate`."""
    if SURROGATE == "atan":
        z = (1.5707963267948966 * WIDTH) * u
        g = (0.5 * WIDTH) / (1 + z * z)
    elif SURROGATE == "fast_sigmoid":
        z = 1 + WIDTH * tl.abs(u)
        g = 1 / (z * z)
    elif SURROGATE == "sigmoid":
        # Of |u|, since the derivative is even: the exponential cannot overflow.
        e = tl.exp(-WIDTH * tl.abs(u))
        g = WIDTH * e / ((1 + e) * (1 + e))
    elif SURROGATE == "triangle":
        # Not a maximum, which would drop NaN.
        a = tl.abs(u)
        g = tl.where(a >= WIDTH, 0, 1 - a * (1 / WIDTH))
    else:
        tl.static_assert(SURROGATE == "rectangle")
        g = (tl.abs(u) < WIDTH).to(u.dtype)
    return g
