r"""Forward over time: each thread keeps its neurons' membranes in registers and streams their inputs once.

.. math::

    c[t] = k (x[t] - \mu) + b, \qquad (s[t], v[t]) = \operatorname{step}(v[t-1], c[t])

with ``step`` of :mod:`snnkd.spiking.backends.cuda.neuron`. Moved per neuron and step: one read of ``x``, one write of
spikes.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from snnkd.spiking.backends.cuda import launch
from snnkd.spiking.backends.cuda.neuron import current, lanes, parameters, row, step
from snnkd.spiking.backends.kernels import Neuron, Parameters, extent


@triton.jit
def advance(
    v, x, spikes, t, M, lane, inside, p, U: tl.constexpr, KIND: tl.constexpr, DELAY: tl.constexpr, AFFINE: tl.constexpr
):
    """``U`` steps from ``t`` on: all loads first, since a store in between would hold the next load back."""
    inputs = ()
    for k in tl.static_range(U):
        inputs += (tl.load(x + row(t + k, M) + lane, mask=inside, other=0),)
    for k in tl.static_range(U):
        s, _h, v = step(v, current(inputs[k].to(v.dtype), p, AFFINE), p, KIND, DELAY)
        tl.store(spikes + row(t + k, M) + lane, s.to(spikes.dtype.element_ty), mask=inside)
    return v


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,
    state,
    spikes,
    state_out,
    beta,
    theta,
    mean,
    scale,
    bias,
    T,
    M,
    inner,
    C,
    KIND: tl.constexpr,
    DELAY: tl.constexpr,
    SCALAR: tl.constexpr,
    U: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):
    """All steps of ``BLOCK`` neurons, ``U`` at a time and the rest one by one."""
    lane = lanes(tl.program_id(0), BLOCK, WIDE)
    inside = lane < M
    p = parameters(beta, theta, mean, scale, bias, lane, inside, inner, C, SCALAR)
    v = tl.load(state + lane, mask=inside, other=0)
    whole = T - T % U
    for t in range(0, whole, U):
        v = advance(v, x, spikes, t, M, lane, inside, p, U, KIND, DELAY, scale is not None)
    for t in range(whole, T):
        v = advance(v, x, spikes, t, M, lane, inside, p, 1, KIND, DELAY, scale is not None)
    tl.store(state_out + lane, v, mask=inside)


def forward(x: Tensor, state: Tensor | None, parameters: Parameters, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """Spikes (the membranes, for the integrator) and the state after the last step."""
    state = launch.initial(state, x)
    spikes, state_out = torch.empty_like(x), torch.empty_like(state)
    steps, neurons = extent(x)
    if neurons == 0:
        return spikes, state_out
    block, warps = launch.program(neurons, 16 // state.element_size(), aligned=neurons % 16 == 0)
    with launch.on(x):
        forward_kernel[(triton.cdiv(neurons, block),)](
            x,
            state,
            spikes,
            state_out,
            parameters.beta.contiguous(),
            parameters.threshold.contiguous(),
            *launch.affine(parameters),
            steps,
            neurons,
            parameters.inner,
            parameters.beta.numel(),
            KIND=launch.kind(neuron),
            DELAY=neuron.reset_delay and neuron.fires,
            SCALAR=parameters.beta.numel() == 1,
            U=8,
            BLOCK=block,
            WIDE=neurons > launch.INDEX_LIMIT,
            num_warps=warps,
            enable_fp_fusion=False,
        )
    return spikes, state_out
