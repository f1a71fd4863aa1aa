r"""Forward that keeps two bits per neuron and step, and the backward pass that needs nothing else.

For the rectangle surrogate with a detached reset the derivative is one bit, the spike another. Byte ``k`` of a step
holds, two bits each, neurons ``k``, ``k + Q``, ``k + 2Q`` and ``k + 3Q`` with ``Q = ceil(M / 4)``: in bit ``2i``
whether neuron ``k + iQ`` fired and in bit ``2i + 1`` whether ``|h − θ| < width``; neurons from ``M`` on have zeros.
A thread that makes a byte thus reads four planes of ``x``, each in memory order.

.. math::

    \gamma_h = \gamma_v\,[1 - s] + w\,\gamma_s, \quad \gamma_v' = \beta\,\gamma_h \qquad\text{or delayed}\qquad
    \gamma_h = \gamma_v + w\,\gamma_s, \quad \gamma_v' = \beta\,[1 - r]\,\gamma_h

with ``[1 − s]`` and ``[1 − r]``, ``r`` the previous step's spike, for resets to zero alone.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from snnkd.spiking.backends.cuda import launch
from snnkd.spiking.backends.cuda.neuron import lanes, of_channel, parameters, row, step
from snnkd.spiking.backends.kernels import Neuron, Parameters, extent


@triton.jit
def advance(v, x, spikes, bits, t, M, Q, lane, p, KIND: tl.constexpr, DELAY: tl.constexpr, WIDTH: tl.constexpr):
    """One step of the four planes: ``v`` is a tuple of four, and ``p`` of their parameters."""
    inputs = ()
    for i in tl.static_range(4):
        inside = (lane < Q) & (lane + row(i, Q) < M)
        inputs += (tl.load(x + row(t, M) + row(i, Q) + lane, mask=inside, other=0),)
    code = tl.full(lane.shape, 0, tl.int32)
    carried = ()
    for i in tl.static_range(4):
        inside = (lane < Q) & (lane + row(i, Q) < M)
        s, h, after = step(v[i], inputs[i].to(v[i].dtype), p[i], KIND, DELAY)
        carried += (after,)
        bit = (s > 0).to(tl.int32) + 2 * (tl.abs(h - p[i][1]) < WIDTH).to(tl.int32)
        code += tl.where(inside, bit << (2 * i), 0)
        tl.store(spikes + row(t, M) + row(i, Q) + lane, s.to(spikes.dtype.element_ty), mask=inside)
    tl.store(bits + row(t, Q) + lane, code.to(tl.uint8), mask=lane < Q)
    return carried


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,
    state,
    spikes,
    state_out,
    bits,
    beta,
    theta,
    T,
    M,
    Q,
    inner,
    C,
    KIND: tl.constexpr,
    DELAY: tl.constexpr,
    WIDTH: tl.constexpr,
    SCALAR: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):
    """All steps of ``BLOCK`` bytes, which is four times as many neurons."""
    lane = lanes(tl.program_id(0), BLOCK, WIDE)
    v = ()
    p = ()
    for i in tl.static_range(4):
        inside = (lane < Q) & (lane + row(i, Q) < M)
        p += (parameters(beta, theta, None, None, None, lane + row(i, Q), inside, inner, C, SCALAR),)
        v += (tl.load(state + row(i, Q) + lane, mask=inside, other=0),)
    for t in range(T):
        v = advance(v, x, spikes, bits, t, M, Q, lane, p, KIND, DELAY, WIDTH)
    for i in tl.static_range(4):
        tl.store(state_out + row(i, Q) + lane, v[i], mask=(lane < Q) & (lane + row(i, Q) < M))


@triton.jit
def retreat(gv, grads, bits, first, grad_x, t, M, Q, lane, b, U: tl.constexpr, KIND: tl.constexpr, DELAY: tl.constexpr):
    """``U`` steps backwards from ``t`` on; ``first`` is the code of the spikes before step 0, for the delayed reset."""
    codes = ()
    for k in tl.static_range(U + 1):
        # Only a reset to zero needs the previous step's spike, and then of one step more.
        if k < U or (KIND == "zero" and DELAY):
            here = tl.where(t - k >= 0, lane < Q, False)
            codes += (tl.load(bits + row(t - k, Q) + lane, mask=here, other=0).to(tl.int32),)
    given = ()
    for k in tl.static_range(U):
        for i in tl.static_range(4):
            if grads is not None:
                inside = (lane < Q) & (lane + row(i, Q) < M)
                given += (tl.load(grads + row(t - k, M) + row(i, Q) + lane, mask=inside, other=0),)
    for k in tl.static_range(U):
        before = ()
        for i in tl.static_range(4):
            code = codes[k] >> (2 * i)
            if grads is None:
                pulled = tl.full(lane.shape, 0, gv[i].dtype)
            else:
                pulled = tl.where((code & 2) != 0, given[4 * k + i].to(gv[i].dtype), 0)
            kept = tl.where((code & 1) != 0, 0, gv[i]) if KIND == "zero" and not DELAY else gv[i]
            gh = kept + pulled
            gx = b[i] * gh
            if KIND == "zero" and DELAY:
                r = tl.where(t - k > 0, codes[k + 1], first) >> (2 * i)
                gx = tl.where((r & 1) != 0, 0, gx)
            before += (gx,)
            inside = (lane < Q) & (lane + row(i, Q) < M)
            tl.store(grad_x + row(t - k, M) + row(i, Q) + lane, gh.to(grad_x.dtype.element_ty), mask=inside)
        gv = before
    return gv


@triton.jit(do_not_specialize=["T"])
def backward_kernel(
    grad_spikes,
    grad_last,
    bits,
    state,
    grad_x,
    grad_state,
    beta,
    theta,
    T,
    M,
    Q,
    inner,
    C,
    KIND: tl.constexpr,
    DELAY: tl.constexpr,
    SCALAR: tl.constexpr,
    U: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):
    """All steps of ``BLOCK`` bytes backwards, ``U`` at a time after those left over."""
    lane = lanes(tl.program_id(0), BLOCK, WIDE)
    first = tl.full((BLOCK,), 0, tl.int32)
    gv = ()
    b = ()
    for i in tl.static_range(4):
        inside = (lane < Q) & (lane + row(i, Q) < M)
        b += (of_channel(beta, lane + row(i, Q), inside, inner, C, SCALAR),)
        if grad_last is None:
            gv += (tl.full((BLOCK,), 0, state.dtype.element_ty),)
        else:
            gv += (tl.load(grad_last + row(i, Q) + lane, mask=inside, other=0),)
        if KIND == "zero" and DELAY:
            th = of_channel(theta, lane + row(i, Q), inside, inner, C, SCALAR)
            v = tl.load(state + row(i, Q) + lane, mask=inside, other=0)
            first += (v - th > 0).to(tl.int32) << (2 * i)
    for i in range(T % U):
        gv = retreat(gv, grad_spikes, bits, first, grad_x, T - 1 - i, M, Q, lane, b, 1, KIND, DELAY)
    for i in range(T // U):
        t = T - T % U - 1 - i * U
        gv = retreat(gv, grad_spikes, bits, first, grad_x, t, M, Q, lane, b, U, KIND, DELAY)
    for i in tl.static_range(4):
        tl.store(grad_state + row(i, Q) + lane, gv[i], mask=(lane < Q) & (lane + row(i, Q) < M))


def forward_two_bit(
    x: Tensor, state: Tensor | None, parameters: Parameters, neuron: Neuron
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`~snnkd.spiking.backends.cuda.forward.forward`, and the bits ``(T, ceil(M / 4))``."""
    state = launch.initial(state, x)
    steps, neurons = extent(x)
    quarter = triton.cdiv(neurons, 4)
    spikes, state_out = torch.empty_like(x), torch.empty_like(state)
    bits = torch.empty(steps, quarter, dtype=torch.uint8, device=x.device)
    if neurons == 0:
        return spikes, state_out, bits
    block, warps = launch.program(quarter, 16 // state.element_size(), aligned=neurons % 64 == 0)
    with launch.on(x):
        forward_kernel[(triton.cdiv(quarter, block),)](
            x,
            state,
            spikes,
            state_out,
            bits,
            parameters.beta.contiguous(),
            parameters.threshold.contiguous(),
            steps,
            neurons,
            quarter,
            parameters.inner,
            parameters.beta.numel(),
            KIND=neuron.reset,
            DELAY=neuron.reset_delay,
            WIDTH=float(neuron.width),
            SCALAR=parameters.beta.numel() == 1,
            BLOCK=block,
            WIDE=neurons > launch.INDEX_LIMIT,
            num_warps=warps,
            enable_fp_fusion=False,
        )
    return spikes, state_out, bits


def backward_two_bit_(
    grad_x: Tensor,
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    bits: Tensor,
    state: Tensor | None,
    parameters: Parameters,
    neuron: Neuron,
) -> Tensor | None:
    """Gradients of ``x``, into ``grad_x``, and of the state."""
    given, quarter = state is not None, bits.shape[1]
    steps, neurons = extent(grad_x)
    state = launch.initial(state, grad_x)
    grad_in = torch.empty_like(state)
    if neurons == 0:
        return grad_in if given else None
    block, warps = launch.program(quarter, 16 // state.element_size(), aligned=neurons % 64 == 0)
    with launch.on(state):
        backward_kernel[(triton.cdiv(quarter, block),)](
            grad_spikes,
            grad_state,
            bits,
            state,
            grad_x,
            grad_in,
            parameters.beta.contiguous(),
            parameters.threshold.contiguous(),
            steps,
            neurons,
            quarter,
            parameters.inner,
            parameters.beta.numel(),
            KIND=neuron.reset,
            DELAY=neuron.reset_delay,
            SCALAR=parameters.beta.numel() == 1,
            U=2,
            BLOCK=block,
            WIDE=neurons > launch.INDEX_LIMIT,
            num_warps=warps,
            enable_fp_fusion=False,
        )
    return grad_in if given else None
