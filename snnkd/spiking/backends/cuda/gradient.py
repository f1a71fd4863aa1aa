r"""One step, and a group of steps, backwards: device functions of :mod:`snnkd.spiking.backends.cuda.backward`.

With :math:`g = g(h - \theta)`, :math:`\gamma_s` the gradient of the spike and :math:`\gamma_v` that of
``v[t]``, the immediate reset has

.. math::

    d = g\,(\gamma_s - A\,\gamma_v), \qquad \gamma_h = \gamma_v\,[1 - s] + d, \qquad \gamma_v' = \beta\,\gamma_h

(:math:`A` is :math:`\theta`, :math:`h` or 0 and :math:`[1-s]` stands for resets to zero alone). The delayed reset
carries :math:`\gamma_r`, what the next step's reset asks of this spike: with :math:`r = [v' > \theta]`

.. math::

    d = g\,(\gamma_s + \gamma_r), \quad \gamma_h = \gamma_v + d, \quad \gamma_v' = \beta\,[1 - r]\,\gamma_h, \quad
    \gamma_r' = -\theta\,\gamma_h \;\text{ or }\; -\beta v'\gamma_h

Gradients of :math:`\beta` and of the current's scale are sums over time of :math:`\gamma_h` times what they multiplied;
that of :math:`\theta` is minus the sum of :math:`d` and of what a subtracting reset passes on.
"""

import triton
from triton import language as tl

from snnkd.spiking.backends.cuda.neuron import after, current, derivative, fires, row, step


@triton.jit
def membranes(
    v,
    x,
    t,
    T,
    M,
    lane,
    inside,
    p,
    K: tl.constexpr,
    EVEN: tl.constexpr,
    KIND: tl.constexpr,
    DELAY: tl.constexpr,
    AFFINE: tl.constexpr,
):
    """``(v, h[t], …, h[t + K − 1])`` and the ``v`` after them; steps from ``T`` on are of no use but do no harm."""
    inputs = ()
    x += row(t, M)
    for k in tl.static_range(K):
        here = inside if EVEN else tl.where(t + k < T, inside, False)
        inputs += (tl.load(x + lane, mask=here, other=0),)
        x += M
    held = (v,)
    for k in tl.static_range(K):
        _s, h, v = step(v, current(inputs[k].to(v.dtype), p, AFFINE), p, KIND, DELAY)
        held += (h,)
    return held, v


@triton.jit
def pull(
    gs,
    gv,
    gr,
    h,
    before,
    p,
    FIRST: tl.constexpr,
    KIND: tl.constexpr,
    DELAY: tl.constexpr,
    ATTACHED: tl.constexpr,
    SURROGATE: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One step backwards: gradients of ``h``, of the carried ``v`` and its spike, of ``beta`` and of ``theta``.

    ``before`` is the membrane one step earlier, before its reset; with ``FIRST`` it is the ``v`` that came in.
    """
    if KIND == "never":
        gh = gv + gs
        return gh, p[0] * gh, gr, gh * before, gr
    elif DELAY:
        gd = derivative(h - p[1], SURROGATE, WIDTH) * (gs + gr)
        gh = gv + gd
        r = (before - p[1] > 0).to(h.dtype)
        if KIND == "subtract":
            dtheta = gd + r * gh
            kept = before
            gv = p[0] * gh
            gr = -p[1] * gh if ATTACHED else gr
        elif KIND == "zero":
            dtheta = gd
            kept = (1 - r) * before
            gv = p[0] * ((1 - r) * gh)
            gr = -p[0] * before * gh if ATTACHED else gr
        else:
            dtheta = gd
            kept = before
            gv = p[0] * gh
        return gh, gv, gr, gh * kept, dtheta
    else:
        u = h - p[1]
        s = (u > 0).to(h.dtype)
        g = derivative(u, SURROGATE, WIDTH)
        came = before if FIRST else after(before, fires(before - p[1]), p, KIND)
        if KIND == "subtract":
            gd = g * (gs - p[1] * gv) if ATTACHED else g * gs
            gh = gv + gd
            dtheta = gd + s * gv
        elif KIND == "zero":
            gd = g * (gs - h * gv) if ATTACHED else g * gs
            gh = gv * (1 - s) + gd
            dtheta = gd
        else:
            gd = g * gs
            gh = gv + gd
            dtheta = gd
        return gh, p[0] * gh, gr, gh * came, dtheta


@triton.jit
def retreat(
    grad_spikes,
    x,
    grad_x,
    wanted,
    sums,
    held,
    t,
    T,
    M,
    lane,
    inside,
    p,
    FIRST: tl.constexpr,
    G: tl.constexpr,
    EVEN: tl.constexpr,
    KIND: tl.constexpr,
    DELAY: tl.constexpr,
    ATTACHED: tl.constexpr,
    SURROGATE: tl.constexpr,
    WIDTH: tl.constexpr,
    AFFINE: tl.constexpr,
    CURRENT: tl.constexpr,
):
    """Steps ``FIRST + G − 1`` down to ``FIRST`` of the segment at ``t``; all loads first, then the stores.

    ``sums`` are the gradients carried, of ``v`` and of its spike, and those summed over time.
    """
    gv, gr, gbeta, gtheta, gscale, gbias = sums
    zero = tl.full(lane.shape, 0, gv.dtype)
    last = row(t + (FIRST + G - 1), M)
    # Pointers walk, here and above: an offset for every step would be kept in registers from one pass to the next.
    gs_row = None if grad_spikes is None else grad_spikes + last
    gx_row = grad_x + last
    x_row = x + last
    grads = ()
    for k in tl.static_range(G - 1, -1, -1):
        if grad_spikes is None:
            grads += (zero,)
        else:
            here = inside if EVEN else tl.where(t + (FIRST + k) < T, inside, False)
            grads += (tl.load(gs_row + lane, mask=here, other=0),)
            gs_row -= M
    for k in tl.static_range(G - 1, -1, -1):
        gs = grads[G - 1 - k].to(gv.dtype)
        gh, gv_before, gr_before, dbeta, dtheta = pull(
            gs,
            gv,
            gr,
            held[FIRST + k + 1],
            held[FIRST + k],
            p,
            FIRST + k == 0,
            KIND,
            DELAY,
            ATTACHED,
            SURROGATE,
            WIDTH,
        )
        here = inside if EVEN else tl.where(t + (FIRST + k) < T, inside, False)
        if EVEN:
            gv, gr = gv_before, gr_before
        else:
            gv, gr = tl.where(here, gv_before, gv), tl.where(here, gr_before, gr)
            gh, dbeta, dtheta = tl.where(here, gh, 0), tl.where(here, dbeta, 0), tl.where(here, dtheta, 0)
        if wanted[0] is not None:
            gbeta += dbeta
        if wanted[1] is not None:
            gtheta -= dtheta
        if wanted[2] is not None:
            # Read again and not kept: registers are what this kernel is short of, and x is in a cache by now.
            gscale += gh * (tl.load(x_row + lane, mask=here, other=0).to(gv.dtype) - p[2])
            gbias += gh
        gx = p[3] * gh if AFFINE and not CURRENT else gh
        tl.store(gx_row + lane, gx.to(grad_x.dtype.element_ty), mask=here)
        gx_row -= M
        x_row -= M
    return gv, gr, gbeta, gtheta, gscale, gbias
