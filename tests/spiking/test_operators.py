"""What PyTorch may do with the operators: check, compile, export, cast, distribute, and differentiate them."""

import subprocess
import sys

import pytest
import torch
from torch import library, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from snnkd.spiking import LI, LIF, NormLIF, PackedConv2d, Surrogate, li, lif, operators


def example(dtype=torch.float32, learned=True):
    x = torch.randn(4, 2, 3, 5, 5, dtype=dtype).requires_grad_()
    state = torch.randn(2, 3, 5, 5).requires_grad_()
    values = torch.linspace(0.7, 0.9, 3).requires_grad_(learned), torch.linspace(0.6, 1.1, 3).requires_grad_(learned)
    return x, state, *values


CHOICES = ("atan", 2.0, "subtract", False, False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_opcheck(dtype):
    x, state, beta, threshold = example(dtype)
    weight, bias = torch.rand(3).requires_grad_(), torch.rand(3).requires_grad_()
    plain = example(dtype, learned=False)
    library.opcheck(operators.lif.custom, (x, state, beta, threshold, None, None, None, *CHOICES))
    library.opcheck(operators.lif.custom, (x, state, beta, threshold, torch.zeros(3), weight, bias, *CHOICES))
    library.opcheck(operators.lif_two_bit.custom, (*plain, 0.5, "zero", True))
    library.opcheck(operators.norm_lif.custom, (x, state, beta, threshold, weight, bias, 1e-5, *CHOICES))
    library.opcheck(operators.li.custom, (x, state, beta))
    library.opcheck(operators.li.custom, (x, None, beta))
    spikes = (x.detach() > 0).to(dtype)
    library.opcheck(operators.pack_bits.custom, (spikes,))
    bits = operators.pack_bits(spikes)
    library.opcheck(operators.unpack_bits.custom, (bits, list(x.shape), list(x.stride()), dtype))


def test_the_short_way_gives_what_the_operator_gives():
    x, state, beta, threshold = example()
    weight, bias = torch.rand(3).requires_grad_(), torch.rand(3).requires_grad_()
    for operator, args in (
        (operators.lif, (x, state, beta, threshold, None, None, None, *CHOICES)),
        (operators.lif_two_bit, (x, state, beta.detach(), threshold.detach(), 0.5, "zero", True)),
        (operators.norm_lif, (x, state, beta, threshold, weight, bias, 1e-5, *CHOICES)),
        (operators.li, (x, None, beta)),
    ):
        leaves = [a for a in args if isinstance(a, torch.Tensor) and a.requires_grad]
        found = []
        for call in (operator, operator.custom):
            outputs = call(*args)
            loss = outputs[0].square().sum() + outputs[1].sum()
            found.append([*outputs, *torch.autograd.grad(loss, leaves)])
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))
        assert all(a.stride() == b.stride() for a, b in zip(*found, strict=True))


def test_modes_of_devices_leave_the_kernels_alone():
    x = torch.randn(4, 2, 3, 5, 5)
    layer = NormLIF(3)
    expected = lif(x)[0]
    with torch.device("meta"):
        assert torch.equal(lif(x)[0], expected)
        assert layer(x)[0].device.type == "cpu"
    try:
        torch.set_default_device("meta")
        assert torch.equal(lif(x)[0], expected)
    finally:
        torch.set_default_device(None)


def test_batched_gradients_and_no_forward_mode():
    x = torch.randn(4, 2, 3, requires_grad=True)
    spikes, _ = lif(x)
    above = torch.randn(5, *spikes.shape)
    (batched,) = torch.autograd.grad(spikes, x, above, is_grads_batched=True, retain_graph=True)
    for one, grad in zip(batched, above, strict=True):
        torch.testing.assert_close(one, torch.autograd.grad(spikes, x, grad, retain_graph=True)[0])
    with forward_ad.dual_level(), pytest.raises(RuntimeError):
        lif(forward_ad.make_dual(x.detach(), torch.ones_like(x)))


def test_who_watches_calls_sees_the_operators():
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    x = torch.randn(4, 2, 3, 5, 5, requires_grad=True)
    with Watch():
        lif(x)[0].sum().backward()
    assert {name for name in seen if "snnkd" in name} == {"snnkd.lif.default", "snnkd.lif_backward.default"}
    mode = FakeTensorMode()
    fake = mode.from_tensor(x.detach())
    with mode:
        spikes, state = lif(fake)
    assert isinstance(spikes, FakeTensor)
    assert (spikes.shape, state.shape) == (x.shape, x.shape[1:])


class Network(nn.Module):
    """A layer of each kind."""

    def __init__(self):
        super().__init__()
        self.first = PackedConv2d(2, 4, 3, padding=1)
        self.neurons = NormLIF(4, learn_beta=True)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.others = LIF(learn_beta=True, learn_threshold=True, channels=4, reset="zero")
        self.bits = LIF(surrogate="rectangle")
        self.readout = LI(learn_beta=True)

    def forward(self, x):
        def over(layer, x):
            return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])

        x, _ = self.neurons(over(self.first, x))
        x, _ = self.others(over(self.second, x))
        x, _ = self.bits(x)
        return self.readout(x)[0]


def spikes_in(*shape):
    return (torch.rand(shape) < 0.3).float()


def test_compiles_without_graph_breaks_and_computes_the_same():
    torch.manual_seed(0)
    network, x = Network(), spikes_in(5, 2, 2, 6, 6)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    expected, got = network(x), compiled(x)
    torch.testing.assert_close(got, expected)
    for output in (expected, got):
        network.zero_grad()
        output.square().sum().backward()
        grads = [p.grad.clone() for p in network.parameters() if p.grad is not None]
        if output is expected:
            first = grads
    assert len(grads) == len(first) > 6
    for a, b in zip(grads, first, strict=True):
        torch.testing.assert_close(a, b)


def test_exports_with_its_operators():
    network = Network().eval()
    x = spikes_in(5, 2, 2, 6, 6)
    with torch.no_grad():
        program = torch.export.export(network, (x,))
        torch.testing.assert_close(program.module()(x), network(x))
    assert any("snnkd" in str(node.target) for node in program.graph.nodes)


def test_autocast_keeps_the_state_in_fp32():
    network, x = Network(), spikes_in(5, 2, 2, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        current = network.first(x.flatten(0, 1)).unflatten(0, (5, 2))
        spikes, state = network.neurons(current)
        network(x).float().sum().backward()
    assert current.dtype == spikes.dtype == torch.bfloat16
    assert state.dtype == torch.float32
    assert all(p.grad.dtype == torch.float32 for p in network.parameters() if p.grad is not None)


def test_compiles_for_sizes_and_numbers_that_vary():
    network = Network()
    compiled = torch.compile(network, fullgraph=True, dynamic=True, backend="aot_eager")
    for steps, batch, size in ((5, 2, 6), (4, 3, 7), (6, 1, 9)):
        x = spikes_in(steps, batch, 2, size, size)
        torch.testing.assert_close(compiled(x), network(x))
        compiled(x).sum().backward()
    neuron = torch.compile(lambda x, beta: lif(x, beta)[0], fullgraph=True, backend="aot_eager")
    for beta in (0.9, 0.8, 0.7):
        assert torch.equal(neuron(x, beta), lif(x, beta)[0])


def test_transforms_of_functions_go_through():
    x = torch.randn(5, 4)
    grad = torch.func.grad(lambda x: lif(x)[0].sum())(x)
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(grad, torch.autograd.grad(lif(leaf)[0].sum(), leaf)[0])


DISTRIBUTED = """
import os, sys, torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from snnkd.spiking import LIF
rank = int(sys.argv[1])
torch.set_num_threads(1)
distributed.init_process_group("gloo", f"file://{sys.argv[2]}", rank=rank, world_size=2)
torch.manual_seed(0)
layer = LIF(learn_beta=True, learn_threshold=True, channels=3)
x = torch.randn(6, 4, 3, 5)
parallel = DistributedDataParallel(layer)
parallel(x[:, 2 * rank : 2 * rank + 2])[0].mean().backward()
alone = LIF(learn_beta=True, learn_threshold=True, channels=3)
alone(x)[0].mean().backward()
for ours, expected in zip(layer.parameters(), alone.parameters()):
    torch.testing.assert_close(ours.grad, expected.grad)
distributed.destroy_process_group()
os._exit(0)  # an interpreter on its way out is now and then aborted by gloo's threads
"""


def test_distributed_data_parallel_gives_the_gradient_of_the_whole_batch(tmp_path):
    processes = [
        subprocess.Popen([sys.executable, "-c", DISTRIBUTED, str(rank), str(tmp_path / "store")]) for rank in range(2)
    ]
    assert [p.wait(timeout=120) for p in processes] == [0, 0]


def test_a_second_derivative_needs_the_reference():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)

    def first_derivative(backend):
        return torch.autograd.grad(lif(x, surrogate="sigmoid", backend=backend)[1].square().sum(), x, create_graph=True)

    (grad,) = first_derivative("reference")
    assert torch.autograd.grad(grad.sum(), x)[0].abs().sum() > 0
    with pytest.raises(RuntimeError, match="backend='reference' to differentiate twice"):
        torch.autograd.grad(first_derivative("cpu")[0].sum(), x)


def test_gradients_of_the_smooth_parts():
    # Between spikes everything is smooth: with a threshold out of reach the membrane is a polynomial in all arguments.
    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    beta = torch.tensor([0.7, 0.8, 0.9], dtype=torch.float64, requires_grad=True)
    for reset, delay in (("none", False), ("subtract", False), ("zero", True)):
        assert torch.autograd.gradcheck(
            lambda x, s, b, r=reset, d=delay: lif(x, b, 1e3, reset=r, reset_delay=d, state=s)[1], (x, state, beta)
        )
    assert torch.autograd.gradcheck(lambda x, s, b: li(x, b, state=s), (x, state, beta))
    # Where every step fires and the reset subtracts, the membrane is linear in the threshold.
    high = (torch.rand(6, 2, 3, dtype=torch.float64) + 3).requires_grad_()
    threshold = torch.tensor([0.5, 0.6, 0.7], dtype=torch.float64, requires_grad=True)
    for delay in (False, True):
        assert torch.autograd.gradcheck(
            lambda x, b, t, d=delay: lif(x, b, t, surrogate=Surrogate("rectangle", 1e-6), reset_delay=d)[1],
            (high, beta, threshold),
        )
