"""A convolution over spikes that keeps one bit a spike for its backward pass."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from snnkd.spiking.backends import choose
from snnkd.spiking.operators import pack_bits, unpack_bits


class PackedConv2d(nn.Conv2d):
    r""":class:`torch.nn.Conv2d` over spikes, 0 and 1, that keeps them as bits until backward.

    Backward of a convolution needs its input for :math:`\bar W`: 32 bits a value in fp32, 16 in bf16. Here it is 1, and
    is unpacked when backward gets there. Parameters, arguments and results are those of ``Conv2d``, and nothing is
    packed where the backends have no kernels for the input (fp16 on a CPU) or it is one image without a batch axis.

    Raises:
        ValueError: a padding that is not zeros in numbers; on the CPU, where gradients are recorded, an input other
            than 0 and 1.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.padding, str) or self.padding_mode != "zeros":
            raise ValueError(
                f"padding must be numbers of zeros for PackedConv2d, got {self.padding!r} ({self.padding_mode})"
            )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C_in, H, W)`` of spikes to ``(N, C_out, H', W')``."""
        kept = torch.is_grad_enabled() and self.weight.requires_grad and x.ndim == 4
        if not kept or choose(None, x, built_in=True) == "reference":
            return super().forward(x)
        bias = self.bias
        return _Packed.apply(x, self.weight, bias, self.stride, self.padding, self.dilation, self.groups)


class _Packed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Tensor:
        ctx.save_for_backward(pack_bits(x), weight)
        ctx.shape, ctx.strides, ctx.dtype = x.shape, x.stride(), x.dtype
        ctx.geometry = (stride, padding, dilation, groups)
        ctx.bias = None if bias is None else (bias.shape, bias.dtype)
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        bits, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        # The gradient's dtype is that in which the convolution ran, under autocast another than its arguments'.
        spikes = unpack_bits(bits, list(ctx.shape), list(ctx.strides), grad.dtype)
        size = None if ctx.bias is None else list(ctx.bias[0])
        x, w, b = torch.ops.aten.convolution_backward(
            grad, spikes, weight.to(grad.dtype), size, stride, padding, dilation, False, [0, 0], groups,
            [ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.bias is not None and ctx.needs_input_grad[2]],
        )  # fmt: skip
        return (
            None if x is None else x.to(ctx.dtype),
            None if w is None else w.to(weight.dtype),
            None if b is None else b.to(ctx.bias[1]),
            *(None,) * 4,
        )
