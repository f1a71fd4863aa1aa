"""What is kept for backward: the input or two bits of the neuron, and a convolution's input as packed bits."""

import contextlib
import math

import pytest
import torch
from torch import nn

from snnkd.spiking import LIF, NormLIF, PackedConv2d, lif, operators


def spikes_in(*shape):
    return (torch.rand(shape) < 0.3).float()


@contextlib.contextmanager
def saved_bytes():
    """Bytes that autograd keeps for backward, each storage once."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


@pytest.mark.parametrize(
    ("surrogate", "dtype", "share"),
    [("atan", torch.float32, 1.0), ("atan", torch.bfloat16, 1.0), ("rectangle", torch.float32, 1 / 16)],
)
def test_backward_keeps_the_input_or_two_bits(surrogate, dtype, share):
    current = torch.randn(16, 4, 8, 16, 16, dtype=dtype, requires_grad=True)
    x = current * 1
    size = x.untyped_storage().nbytes()
    with saved_bytes() as kept:
        spikes, _ = lif(x, surrogate=surrogate)
    assert sum(kept.values()) == pytest.approx(share * size, rel=0.01)  # and the parameters
    assert (x.untyped_storage().data_ptr() in kept) == (share == 1.0)
    assert spikes.untyped_storage().data_ptr() not in kept


def test_packed_spikes_and_fused_norm_halve_what_a_step_keeps():
    def blocks(convolution, fused):
        torch.manual_seed(0)
        layers = []
        for a, b in ((2, 16), (16, 32), (32, 64)):
            norm = NormLIF(b) if fused else nn.ModuleList([nn.BatchNorm2d(b), LIF(channels=b, backend="reference")])
            layers.append(nn.ModuleList([convolution(a, b, 3, stride=2, padding=1, bias=False), norm]))
        return nn.ModuleList(layers)

    def run(layers, x):
        for convolution, norm in layers:
            x = convolution(x.flatten(0, 1))
            if isinstance(norm, NormLIF):
                x, _ = norm(x.unflatten(0, (4, 2)))
            else:
                x, _ = norm[1](norm[0](x).unflatten(0, (4, 2)))
        return x

    x = spikes_in(4, 2, 2, 64, 64)
    sizes, grads = [], []
    for convolution, fused in ((nn.Conv2d, False), (nn.Conv2d, True), (PackedConv2d, True)):
        layers = blocks(convolution, fused)
        with saved_bytes() as kept:
            out = run(layers, x)
        out.square().sum().backward()
        own = {p.untyped_storage().data_ptr() for p in layers.parameters()}  # there anyway
        sizes.append(sum(size for place, size in kept.items() if place not in own))
        grads.append([layer[0].weight.grad for layer in layers])
    assert sizes[2] < 0.4 * sizes[0]
    assert sizes[2] < 0.5 * sizes[1]
    for a, b in zip(grads[1], grads[2], strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
def test_packed_convolution_is_conv2d(autocast, bias, layout):
    torch.manual_seed(0)
    packed = PackedConv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias)
    plain.load_state_dict(packed.state_dict())
    results = []
    for layer in (packed, plain):
        x = spikes_in(3, 4, 7, 9).to(memory_format=layout)
        x = (torch.arange(x.numel()).reshape(x.shape) % 3 == 0).float().to(memory_format=layout).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = layer(x)
        y.float().square().sum().backward()
        results.append([y, x.grad, *(p.grad for p in layer.parameters())])
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs)


def test_packed_convolution_is_conv2d_where_it_cannot_pack():
    packed = PackedConv2d(2, 3, 3)
    assert packed(spikes_in(2, 5, 5)).shape == (3, 3, 3)
    with torch.autocast("cpu", torch.float16):
        packed(spikes_in(1, 2, 5, 5).half()).float().sum().backward()
    assert packed.weight.grad is not None


def test_packed_convolution_refuses_what_is_no_spike():
    layer = PackedConv2d(1, 1, 3)
    with pytest.raises(ValueError, match=r"must be spikes, 0 or 1, to be packed, got 2"):
        layer(torch.full((1, 1, 5, 5), 2.0))
    with torch.no_grad():
        layer(torch.full((1, 1, 5, 5), 2.0))  # nothing is kept, so nothing is lost
    with pytest.raises(ValueError, match="padding must be numbers"):
        PackedConv2d(1, 1, 3, padding="same")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 64, 1003, 40001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_bits_come_back_as_they_were(dtype, size):
    x = (torch.rand(size) < 0.4).to(dtype)
    bits = operators.pack_bits(x)
    assert bits.numel() == math.ceil(size / 8)
    assert torch.equal(operators.unpack_bits(bits, [size], [1], dtype), x)
