r"""Kernels without time: one bit per value and back, and the in-place sum that ends a normalisation's backward.

Byte ``k`` holds in bit ``i`` whether value ``k + i·Q`` is not 0, with ``Q = ceil(N / 8)``: eight planes, each read
and written in memory order. NaN is not 0.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from snnkd.spiking.backends.cuda import launch
from snnkd.spiking.backends.cuda.neuron import lanes, of_channel, row
from snnkd.spiking.backends.kernels import extent


@triton.jit
def pack_kernel(x, bits, N, Q, BLOCK: tl.constexpr, WIDE: tl.constexpr):
    """``BLOCK`` bytes."""
    lane = lanes(tl.program_id(0), BLOCK, WIDE)
    values = ()
    for i in tl.static_range(8):
        inside = (lane < Q) & (lane + row(i, Q) < N)
        values += (tl.load(x + row(i, Q) + lane, mask=inside, other=0),)
    byte = tl.full((BLOCK,), 0, tl.int32)
    for i in tl.static_range(8):
        byte += (values[i] != 0).to(tl.int32) << i
    tl.store(bits + lane, byte.to(tl.uint8), mask=lane < Q)


@triton.jit
def unpack_kernel(bits, x, N, Q, BLOCK: tl.constexpr, WIDE: tl.constexpr):
    """The values of ``BLOCK`` bytes."""
    lane = lanes(tl.program_id(0), BLOCK, WIDE)
    byte = tl.load(bits + lane, mask=lane < Q, other=0).to(tl.int32)
    for i in tl.static_range(8):
        inside = (lane < Q) & (lane + row(i, Q) < N)
        value = ((byte >> i) & 1).to(tl.float32)
        tl.store(x + row(i, Q) + lane, value.to(x.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["T", "columns"])
def scaled_sum_kernel(
    grad,
    x,
    a,
    b,
    c,
    T,
    columns,
    M,
    inner,
    C,
    SCALAR: tl.constexpr,
    U: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):
    """``U`` steps of ``BLOCK`` neurons."""
    # One axis for both, since the other axes of a grid are short; neighbours in memory run side by side.
    pid = tl.program_id(0)
    lane = lanes(pid % columns, BLOCK, WIDE)
    t = pid // columns * U
    inside = lane < M
    ka = of_channel(a, lane, inside, inner, C, SCALAR)
    kb = of_channel(b, lane, inside, inner, C, SCALAR)
    kc = of_channel(c, lane, inside, inner, C, SCALAR)
    read = ()
    for k in tl.static_range(U):
        here = tl.where(t + k < T, inside, False)
        g = tl.load(grad + row(t + k, M) + lane, mask=here, other=0)
        read += ((g, tl.load(x + row(t + k, M) + lane, mask=here, other=0)),)
    for k in tl.static_range(U):
        g, value = read[k]
        g = ka * g.to(ka.dtype) + kb * value.to(ka.dtype) + kc
        tl.store(grad + row(t + k, M) + lane, g.to(grad.dtype.element_ty), mask=tl.where(t + k < T, inside, False))


def pack(x: Tensor) -> Tensor:
    """One bit a value of ``x (N,)``, 1 where it is not 0: ``uint8 (ceil(N / 8),)``."""
    x = x.contiguous()
    bytes_ = triton.cdiv(x.numel(), 8)
    bits = torch.empty(bytes_, dtype=torch.uint8, device=x.device)
    if bytes_:
        block, warps = launch.program(bytes_, 4, aligned=bytes_ % 16 == 0)
        with launch.on(x):
            pack_kernel[(triton.cdiv(bytes_, block),)](
                x,
                bits,
                x.numel(),
                bytes_,
                BLOCK=block,
                WIDE=x.numel() > launch.INDEX_LIMIT,
                num_warps=warps,
                enable_fp_fusion=False,
            )
    return bits


def unpack(bits: Tensor, N: int, dtype: torch.dtype) -> Tensor:
    """The ``N`` values, 0 or 1, that :func:`pack` made ``bits`` of."""
    x = torch.empty(N, dtype=dtype, device=bits.device)
    if N:
        bits = bits.contiguous()
        block, warps = launch.program(bits.numel(), 4, aligned=bits.numel() % 16 == 0)
        with launch.on(x):
            unpack_kernel[(triton.cdiv(bits.numel(), block),)](
                bits,
                x,
                N,
                bits.numel(),
                BLOCK=block,
                WIDE=N > launch.INDEX_LIMIT,
                num_warps=warps,
                enable_fp_fusion=False,
            )
    return x


def scaled_sum_(grad: Tensor, x: Tensor, a: Tensor, b: Tensor, c: Tensor, inner: int) -> None:
    """``grad = a·grad + b·x + c`` in place, with ``a``, ``b`` and ``c`` of each neuron's channel."""
    steps, neurons = extent(grad)
    if grad.numel() == 0:
        return
    block, warps = launch.program(neurons, 16 // a.element_size(), aligned=neurons % 16 == 0)
    columns, together = triton.cdiv(neurons, block), 4
    with launch.on(grad):
        scaled_sum_kernel[(columns * triton.cdiv(steps, together),)](
            grad,
            x,
            a.contiguous(),
            b.contiguous(),
            c.contiguous(),
            steps,
            columns,
            neurons,
            inner,
            a.numel(),
            SCALAR=a.numel() == 1,
            U=together,
            BLOCK=block,
            WIDE=neurons > launch.INDEX_LIMIT,
            num_warps=warps,
            enable_fp_fusion=False,
        )
