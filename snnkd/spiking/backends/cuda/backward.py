r"""Backward over time, from the input alone: membranes are computed again, ``K`` steps at a time, into registers.

The steps are cut into segments of ``K``. Up to ``K`` steps there is one segment, and ``x`` is read once. Beyond, a
sweep forwards first leaves the membrane at each segment's start in a scratch of ``(segments, M)``; the segments then
go backwards, by :mod:`snnkd.spiking.backends.cuda.gradient`.

Moved per neuron and step: ``x`` once (twice beyond ``K`` steps), one read and one write of gradients.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from snnkd.spiking.backends.cuda import launch
from snnkd.spiking.backends.cuda.gradient import membranes, retreat
from snnkd.spiking.backends.cuda.neuron import derivative, lanes, parameters, row
from snnkd.spiking.backends.kernels import Gradients, Neuron, Parameters, Want, extent
from snnkd.spiking.layout import flat


@triton.jit(do_not_specialize=["T", "segments"])
def backward_kernel(
    grad_spikes,
    grad_last,
    x,
    state,
    scratch,
    grad_x,
    grad_state,
    grad_beta,
    grad_theta,
    grad_scale,
    grad_bias,
    beta,
    theta,
    mean,
    scale,
    bias,
    T,
    segments,
    M,
    inner,
    C,
    KIND: tl.constexpr,
    DELAY: tl.constexpr,
    ATTACHED: tl.constexpr,
    SURROGATE: tl.constexpr,
    WIDTH: tl.constexpr,
    CURRENT: tl.constexpr,
    RECOMPUTE: tl.constexpr,
    SCALAR: tl.constexpr,
    K: tl.constexpr,
    G: tl.constexpr,
    EVEN: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):
    """All steps of ``BLOCK`` neurons; gradients that are ``None`` are not asked for (or, of spikes, not given)."""
    AFFINE: tl.constexpr = scale is not None
    lane = lanes(tl.program_id(0), BLOCK, WIDE)
    inside = lane < M
    p = parameters(beta, theta, mean, scale, bias, lane, inside, inner, C, SCALAR)
    v = tl.load(state + lane, mask=inside, other=0)
    if RECOMPUTE:
        for i in range(segments - 1):
            tl.store(scratch + row(i, M) + lane, v, mask=inside)
            for j in range(0, K, G):
                held, v = membranes(v, x, i * K + j, T, M, lane, inside, p, G, True, KIND, DELAY, AFFINE)
        if segments > 1:
            tl.store(scratch + row(segments - 1, M) + lane, v, mask=inside)
        # The compiler may spread the loads below over the threads in another way than these stores.
        tl.debug_barrier()
        # Read once more, past the barrier: not knowing that they are the same numbers, the compiler forms differences
        # and resets again on the way back, rather than keep those of all K steps in registers from the way there.
        back = parameters(beta, theta, mean, scale, bias, lane, inside, inner, C, SCALAR)
    else:
        back = p

    none = tl.full((BLOCK,), 0, v.dtype)
    gv = none if grad_last is None else tl.load(grad_last + lane, mask=inside, other=0)
    gr, gbeta, gtheta, gscale, gbias = none, none, none, none, none
    for i in range(segments):
        t = (segments - 1 - i) * K
        if RECOMPUTE:
            # With a single segment the scratch is the state itself.
            v = tl.load(scratch + row(segments - 1 - i, M) + lane, mask=inside, other=0)
            held, v = membranes(v, x, t, T, M, lane, inside, p, K, EVEN, KIND, DELAY, AFFINE)
        else:
            held = (v,) * (K + 1)
        for j in tl.static_range(0, K, G):
            # A branch of its own for each group: it skips what lies beyond the last step, and it keeps the compiler
            # from putting off the sums of all K steps to the end, where their terms would fill the registers.
            if t + (K - G - j) < T:
                gv, gr, gbeta, gtheta, gscale, gbias = retreat(
                    grad_spikes,
                    x,
                    grad_x,
                    (grad_beta, grad_theta, grad_scale),
                    (gv, gr, gbeta, gtheta, gscale, gbias),
                    held,
                    t,
                    T,
                    M,
                    lane,
                    inside,
                    back,
                    K - G - j,
                    G,
                    EVEN,
                    KIND,
                    DELAY,
                    ATTACHED,
                    SURROGATE,
                    WIDTH,
                    AFFINE,
                    CURRENT,
                )

    if DELAY and ATTACHED:
        gd = derivative(tl.load(state + lane, mask=inside, other=0) - back[1], SURROGATE, WIDTH) * gr
        gv += gd
        gtheta -= gd
    tl.store(grad_state + lane, gv, mask=inside)
    if grad_beta is not None:
        tl.store(grad_beta + lane, gbeta, mask=inside)
    if grad_theta is not None:
        tl.store(grad_theta + lane, gtheta, mask=inside)
    if grad_scale is not None:
        tl.store(grad_scale + lane, gscale, mask=inside)
        tl.store(grad_bias + lane, gbias, mask=inside)


def backward(
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    state: Tensor | None,
    parameters: Parameters,
    neuron: Neuron,
    want: Want,
) -> Gradients:
    """Gradients of ``x`` (or of the current), of the state, and of the parameters that are wanted."""
    given = state is not None
    state = launch.initial(state, x)
    steps, neurons = extent(x)
    per_neuron = [torch.empty_like(state) if wanted else None for wanted in (want.beta, want.threshold)]
    per_neuron += [torch.empty_like(state) if want.affine and parameters.scale is not None else None for _ in range(2)]
    gradients = Gradients(torch.empty_like(x), torch.empty_like(state), *per_neuron)
    if neurons == 0:
        return per_channel(gradients, parameters, given)
    length = launch.segment(steps)
    segments = triton.cdiv(steps, length)
    recompute = neuron.fires or want.beta
    scratch = state.new_empty(segments, neurons) if recompute and segments > 1 else state
    # With 32 membranes to hold, a thread has registers for two neurons, and for one in fp64.
    per_thread = (8 if length > 8 and recompute else 16) // state.element_size()
    block, warps = launch.program(neurons, per_thread, aligned=neurons % 16 == 0)
    with launch.on(x):
        backward_kernel[(triton.cdiv(neurons, block),)](
            grad_spikes,
            grad_state,
            x,
            state,
            scratch,
            *gradients,
            parameters.beta.contiguous(),
            parameters.threshold.contiguous(),
            *launch.affine(parameters),
            steps,
            segments,
            neurons,
            parameters.inner,
            parameters.beta.numel(),
            KIND=launch.kind(neuron),
            DELAY=neuron.reset_delay and neuron.fires,
            ATTACHED=not neuron.detach_reset and launch.kind(neuron) in ("subtract", "zero"),
            SURROGATE=neuron.surrogate,
            WIDTH=float(neuron.width),
            CURRENT=want.current,
            RECOMPUTE=recompute,
            SCALAR=parameters.beta.numel() == 1,
            K=length,
            G=min(8, length),
            EVEN=steps % length == 0,
            BLOCK=block,
            WIDE=neurons > launch.INDEX_LIMIT,
            num_warps=warps,
            # Sixteen warps per multiprocessor: fewer would not have enough loads in flight. (No cap is a target, too.)
            maxnreg=128 if length > 8 else None,
            enable_fp_fusion=False,
        )
    return per_channel(gradients, parameters, given)


def per_channel(gradients: Gradients, parameters: Parameters, state_given: bool) -> Gradients:
    """Sum what the kernel gives per neuron over the neurons of each channel."""

    def total(values: Tensor | None) -> Tensor | None:
        channels = parameters.beta.numel()
        inner = parameters.inner if channels > 1 else 1
        return None if values is None else flat(values).view(-1, channels, inner).sum((0, 2))

    return Gradients(
        gradients.x, gradients.state if state_given else None, *(total(values) for values in gradients[2:])
    )
