"""What PyTorch may do with the operators: check, compile, export, cast, distribute, and differentiate them."""

import contextlib
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import library, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from snnkd.spiking import LI, LIF, NormLIF, PackedConv2d, Surrogate, li, lif, operators
from snnkd.spiking.backends.cpu import team


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


def test_threads_of_python_and_forked_children_get_the_same():
    x = torch.randn(16, 4, 8, 32, 32)
    expected = lif(x)[0]
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(lif_result, expected) for lif_result in pool.map(lambda _: lif(x)[0], range(24)))
    summed = expected.numpy().sum()
    child = os.fork()
    if child == 0:
        os._exit(0 if lif(x)[0].numpy().sum() == summed else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_kernels_run_without_openmp(monkeypatch):
    x = torch.randn(16, 4, 8, 32, 32)
    expected = lif(x)[0]
    monkeypatch.setattr(team, "_openmp", lambda process: None)
    assert torch.equal(lif(x)[0], expected)


def test_operators_refuse_a_state_of_another_shape_or_dtype():
    x, beta = torch.zeros(2, 4, 3), torch.tensor(0.9)
    for state in (torch.zeros(1, 3), torch.zeros(4, 3, dtype=torch.float64)):
        with pytest.raises(ValueError, match=r"state must be torch.float32 \(4, 3\), got"):
            operators.lif(x, state, beta, beta, None, None, None, *CHOICES)


MEMORY = """
import resource, torch
from snnkd.spiking import lif
x = torch.randn(2_000, 1, requires_grad=True)
lif(x)[0].sum().backward()
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (48 << 20),) * 2)
x = torch.randn(4_000_000, 1, requires_grad=True)
try:
    lif(x)[0].sum().backward()
except (RuntimeError, MemoryError):
    print("refused")
else:
    print("done", float(x.grad.abs().max()))
"""


def test_without_memory_there_is_an_error_and_no_garbage():
    said = subprocess.check_output([sys.executable, "-c", MEMORY], text=True, timeout=120)
    assert said.startswith("refused") or float(said.split()[1]) < 10


FAULTS = """
import resource, torch
from snnkd.spiking import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.nn.functional.conv2d(torch.ones(64, 8, 128, 128), torch.ones(8, 8, 1, 1))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
fresh = faults()
assert keep_freed_memory()
faults()
print(fresh, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_kept_memory_is_not_fetched_from_the_kernel_again():
    fresh, kept = map(int, subprocess.check_output([sys.executable, "-c", FAULTS], timeout=120).split())
    assert fresh > 10_000
    assert kept < fresh / 20


HEAP = """
import re, resource, sys, torch
from pathlib import Path
from snnkd.spiking import keep_freed_memory

def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

if sys.argv[1:]:
    resource.setrlimit(resource.RLIMIT_AS, (kilobytes("VmSize") * 1024 + int(sys.argv[1]),) * 2)
before = {name: kilobytes(name) for name in ("VmRSS", "VmSize")}
assert keep_freed_memory() and keep_freed_memory()
grown = [kilobytes(name) - before[name] for name in ("VmRSS", "VmSize")]
kept = torch.empty(32 << 20)  # larger than any hole that the heap may have had; it may begin in one
middle = kept.data_ptr() + kept.nbytes // 2
for mapping in re.split(r"\\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
    first, last = (int(end, 16) for end in mapping.split()[0].split("-"))
    if first <= middle < last:
        advised = " hg" in re.search(r"VmFlags:.*", mapping)[0]
print(*grown, int(advised))
"""


def heap_after(*arguments):
    output = subprocess.check_output([sys.executable, "-c", HEAP, *arguments], timeout=120)
    return map(int, output.split())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_the_heap_grows_by_addresses_and_huge_pages_are_asked_for():
    resident, addresses, advised = heap_after()
    assert resident < 1024
    if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < 1 << 30 or overcommit() == "2":
        pytest.skip("too little memory, or addresses are counted")
    assert addresses >= 256 << 10
    if not Path("/sys/kernel/mm/transparent_hugepage").exists():
        pytest.skip("this kernel knows no huge pages")
    assert advised


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_the_heap_leaves_a_bounded_process_its_addresses():
    _, addresses, _ = heap_after(str(1 << 30))
    assert addresses < 700 << 10


def overcommit():
    return Path("/proc/sys/vm/overcommit_memory").read_text().strip()


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


GROWTH = """
import gc, os, torch
from snnkd.spiking import LIF
layer, x = LIF(learn_beta=True), torch.rand(2, 8, requires_grad=True)

def call(times):
    for _ in range(times):
        layer(x)
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"), len(gc.get_objects())

call(6_000)  # the heap finds its size
before = call(1_000)
after = call(10_000)
print(after[0] - before[0], after[1] - before[1])
"""


def test_ten_thousand_calls_leave_nothing_behind():
    memory, objects = map(int, subprocess.check_output([sys.executable, "-c", GROWTH], timeout=120).split())
    assert memory < 2 << 20
    assert objects < 100
