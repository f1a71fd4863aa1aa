"""The CUDA backend against autograd through the reference: on a GPU where there is one, else interpreted."""

import importlib
import json
import os
import subprocess
import sys

import pytest
import torch

from snnkd.spiking import SURROGATES, Surrogate
from snnkd.spiking.backends import reference
from snnkd.spiking.backends.kernels import RESETS, Neuron, Parameters, Want
from snnkd.spiking.surrogate import spike_function

pytest.importorskip("triton")

PACKAGE = "snnkd.spiking.backends.cuda"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    # Triton decides when a kernel is defined, so kernels that another test file has already imported are dropped.
    os.environ["TRITON_INTERPRET"] = "1"
    for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]
cuda = importlib.import_module(PACKAGE)
launch = importlib.import_module(f"{PACKAGE}.launch")

try:
    one = torch.ones(1, device=DEVICE)
    cuda.forward(one[None], one, Parameters(one, one, 1), Neuron())
except Exception as error:
    # Triton 3.6's interpreter turns arrays of one element into loop bounds, which NumPy 2.4 refuses.
    if "0-dimensional" not in str(error):
        raise
    pytest.skip("this Triton interprets no loops under this NumPy", allow_module_level=True)

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
WIDTHS = {"atan": 2.0, "fast_sigmoid": 5.0, "sigmoid": 4.0, "triangle": 1.0, "rectangle": 0.5}


def from_bits(x, grad_spikes, grad_state, bits, state, parameters, neuron):
    """Gradients of ``x`` and of the state."""
    grad_x = torch.empty_like(x)
    return grad_x, cuda.backward_two_bit_(grad_x, grad_spikes, grad_state, bits, state, parameters, neuron)


def random(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).to(DEVICE)


def case(steps, neurons, dtype=torch.float32, channels=1, inner=1, affine=False):
    """Input, state, parameters and the two gradients from above."""
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    x = (0.4 + 0.7 * random(steps, neurons, dtype=wide)).to(dtype)
    state = random(neurons, dtype=wide, seed=1)
    beta = 0.8 + 0.1 * random(channels, dtype=wide, seed=2).tanh()
    theta = 0.6 + 0.2 * random(channels, dtype=wide, seed=3).tanh()
    current = [None] * 3
    if affine:
        current = [random(channels, dtype=wide, seed=4), 1 + 0.2 * random(channels, dtype=wide, seed=5)]
        current.append(0.5 + current[0])
    above = random(steps, neurons, dtype=dtype, seed=6), random(neurons, dtype=wide, seed=7)
    return x, state, Parameters(beta, theta, inner, *current), *above


def autograd(x, state, parameters, neuron, grad_spikes, grad_state):
    """Spikes, state and the gradients of x, current, state, beta, theta, scale and bias, the last four per channel."""
    channel = torch.arange(state.numel(), device=x.device) // parameters.inner % parameters.beta.numel()
    leaf = [p.clone().requires_grad_() for p in parameters[:2]]
    beta, theta = (p[channel] for p in leaf)
    x, state = x.to(state.dtype).requires_grad_(), state.clone().requires_grad_()
    current, scale, bias = x * 1, None, None
    if parameters.scale is not None:
        scale, bias = (p.clone().requires_grad_() for p in (parameters.scale, parameters.bias))
        current = scale[channel] * (x - parameters.mean[channel]) + bias[channel]
    if neuron.fires:
        spike = spike_function(Surrogate(neuron.surrogate, neuron.width))
        how = neuron.reset, neuron.reset_delay, neuron.detach_reset
        spikes, last = reference.lif(current, beta, theta, spike, *how, state)
    else:
        spikes, last = reference.li(current, beta, state)
    total = 0 * state.sum()
    if grad_spikes is not None:
        total = total + (spikes * grad_spikes.to(spikes.dtype)).sum()
    if grad_state is not None:
        total = total + (last * grad_state).sum()
    wrt = [t for t in (x, current, state, *leaf, scale, bias) if t is not None]
    gradients = torch.autograd.grad(total, wrt, allow_unused=True)
    gradients = [torch.zeros_like(t) if g is None else g for t, g in zip(wrt, gradients, strict=True)]
    return spikes.detach(), last.detach(), gradients + [None] * (7 - len(wrt))


def close(ours, theirs, tolerance):
    """Relative to the largest: sums over time lose digits to cancellation."""
    assert ours.shape == theirs.shape
    scale = max(1.0, theirs.abs().max().item()) if theirs.numel() else 1.0
    torch.testing.assert_close(ours.to(theirs.dtype), theirs, rtol=tolerance, atol=tolerance * scale)


def check(x, state, parameters, grad_spikes, grad_state, neuron, current=False, wanted=True):
    affine = parameters.scale is not None
    spikes, last = cuda.forward(x, state, parameters, neuron)
    want = Want(wanted, wanted and neuron.fires, wanted and affine, current)
    ours = cuda.backward(grad_spikes, grad_state, x, state, parameters, neuron, want)
    s, v, theirs = autograd(x, state, parameters, neuron, grad_spikes, grad_state)
    assert (spikes.dtype, last.dtype) == (x.dtype, state.dtype)
    if neuron.fires:
        assert torch.equal(spikes, s.to(x.dtype))
    else:
        # A membrane is rounded to x's dtype, and Triton's interpreter cuts off where a GPU rounds to nearest.
        torch.testing.assert_close(spikes, s.to(x.dtype), rtol=TOLERANCE[x.dtype], atol=0)
    assert torch.equal(last, v)
    exact = TOLERANCE[state.dtype]
    assert ours.x.dtype == x.dtype
    close(ours.x, theirs[1 if current else 0], TOLERANCE[x.dtype])
    for value, expected in zip(ours[1:], theirs[2:], strict=True):
        if value is not None:
            close(value, expected, exact)
    asked = (True, want.beta, want.threshold, want.affine, want.affine)
    assert tuple(g is not None for g in ours[1:]) == asked
    return spikes


def test_no_state_is_rest():
    x, state, parameters, *above = case(5, 6, torch.float32)
    for neuron in (Neuron(), Neuron("rectangle", 0.5)):
        rest = torch.zeros_like(state)
        for ours, expected in zip(
            cuda.forward(x, None, parameters, neuron), cuda.forward(x, rest, parameters, neuron), strict=True
        ):
            assert torch.equal(ours, expected)
        ours = cuda.backward(*above, x, None, parameters, neuron, Want())
        assert torch.equal(ours.x, cuda.backward(*above, x, rest, parameters, neuron, Want()).x)
        assert ours.state is None
    bits = cuda.forward_two_bit(x, None, parameters, neuron)[2]
    grad_x, grad_state = from_bits(x, *above, bits, None, parameters, neuron)
    assert torch.equal(grad_x, ours.x)
    assert grad_state is None


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("detach", [False, True])
def test_every_neuron_is_the_references(surrogate, reset, delay, detach):
    neuron = Neuron(surrogate, WIDTHS[surrogate], reset, delay, detach)
    spikes = check(*case(7, 5, torch.float64), neuron)
    assert 0.1 < spikes.mean() < 0.9


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_every_dtype(dtype, delay, affine):
    neuron = Neuron(reset="zero" if affine else "subtract", reset_delay=delay, detach_reset=affine)
    check(*case(8, 33, dtype, affine=affine), neuron)


@pytest.mark.parametrize("current", [False, True])
@pytest.mark.parametrize(("channels", "inner"), [(1, 1), (3, 1), (3, 4)])
def test_parameters_per_channel(channels, inner, current):
    check(*case(6, 2 * channels * inner, channels=channels, inner=inner, affine=True), Neuron(), current=current)
    check(*case(6, 2 * channels * inner, channels=channels, inner=inner), Neuron("sigmoid", 4.0))


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("steps", [1, 31, 64, 70])
@pytest.mark.parametrize("wanted", [False, True])
def test_segments_join(steps, delay, wanted):
    check(*case(steps, 3, affine=True), Neuron(reset_delay=delay, detach_reset=False), wanted=wanted)


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize(("steps", "neurons"), [(0, 3), (4, 0), (0, 0), (3, 1), (2, 300)])
def test_sizes(steps, neurons, delay):
    check(*case(steps, neurons, torch.float64), Neuron(reset_delay=delay, detach_reset=False))


def test_wide_indices(monkeypatch):
    monkeypatch.setattr(launch, "INDEX_LIMIT", 0)
    check(*case(3, 40, channels=4, inner=5, affine=True), Neuron())
    x, state, parameters, *above = case(3, 40, channels=4, inner=5)
    neuron = Neuron("rectangle", 0.5)
    spikes, _, bits = cuda.forward_two_bit(x, state, parameters, neuron)
    assert torch.equal(spikes, cuda.forward(x, state, parameters, neuron)[0])
    expected = cuda.backward(*above, x, state, parameters, neuron, Want())
    close(from_bits(x, *above, bits, state, parameters, neuron)[0], expected.x, 1e-5)
    assert torch.equal(cuda.unpack(cuda.pack(spikes.flatten()), spikes.numel(), spikes.dtype), spikes.flatten())


@pytest.mark.parametrize("given", [(False, True), (True, False), (False, False)])
@pytest.mark.parametrize("fires", [False, True])
def test_gradients_that_are_not_given(given, fires):
    *rest, grad_spikes, grad_state = case(5, 4)
    check(*rest, grad_spikes if given[0] else None, grad_state if given[1] else None, Neuron(fires=fires))


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize(("steps", "dtype"), [(5, torch.float32), (40, torch.float64), (3, torch.bfloat16)])
def test_integrator(steps, dtype, wanted):
    values = case(steps, 6, dtype, channels=2, inner=3, affine=True)
    check(*values, Neuron(fires=False, reset_delay=True), wanted=wanted)
    check(*case(steps, 6, dtype), Neuron(fires=False), wanted=wanted)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize(
    ("steps", "neurons", "dtype"),
    [(5, 7, torch.float32), (4, 130, torch.bfloat16), (1, 1, torch.float64), (0, 3, torch.float32)],
)
def test_two_bits_are_enough(reset, delay, steps, neurons, dtype):
    neuron = Neuron("rectangle", 0.5, reset, delay, True)
    x, state, parameters, *above = case(steps, neurons, dtype, channels=1 if neurons % 2 else 2)
    spikes, last, bits = cuda.forward_two_bit(x, state, parameters, neuron)
    assert bits.dtype == torch.uint8
    assert bits.shape == (steps, -(-neurons // 4))
    full = cuda.forward(x, state, parameters, neuron)
    assert torch.equal(spikes, full[0])
    assert torch.equal(last, full[1])
    for given in (above, (above[0], None), (None, above[1])):
        grad_x, grad_state = from_bits(x, *given, bits, state, parameters, neuron)
        expected = cuda.backward(*given, x, state, parameters, neuron, Want())
        close(grad_x.to(dtype), expected.x, TOLERANCE[dtype])
        close(grad_state, expected.state, TOLERANCE[state.dtype])


def test_two_bits_of_no_neurons():
    x, state, parameters, *above = case(3, 0)
    spikes, last, bits = cuda.forward_two_bit(x, state, parameters, Neuron("rectangle", 0.5))
    assert (spikes.shape, last.shape, bits.shape) == ((3, 0), (0,), (3, 0))
    assert from_bits(x, *above, bits, state, parameters, Neuron("rectangle", 0.5))[0].shape == (3, 0)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_broken_input_is_seen_from_then_on(reset, delay, poison):
    x, state, parameters, *_ = case(6, 3)
    x[2, 1] = poison
    neuron = Neuron("rectangle", 0.5, reset, delay, True)
    spikes, last = cuda.forward(x, state, parameters, neuron)
    theirs, v, _ = autograd(x, state, parameters, neuron, None, None)
    torch.testing.assert_close(spikes, theirs, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(last, v, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(cuda.forward_two_bit(x, state, parameters, neuron)[0], theirs, equal_nan=True)
    if poison != poison:
        assert spikes[2:, 1].isnan().all()
        assert not spikes[:, [0, 2]].isnan().any()


def test_a_far_membrane_has_a_finite_gradient():
    x, state, parameters, *above = case(4, 5)
    for surrogate in SURROGATES:
        neuron = Neuron(surrogate, WIDTHS[surrogate])
        assert cuda.backward(*above, 1e8 * x, state, parameters, neuron, Want()).x.isfinite().all()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 64, 1000])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_bits_round_trip(size, dtype):
    x = (random(size) > 0.3).to(dtype)
    bits = cuda.pack(x)
    assert (bits.dtype, bits.shape) == (torch.uint8, (-(-size // 8),))
    back = cuda.unpack(bits, size, dtype)
    assert back.dtype == dtype
    assert torch.equal(back, x)


def test_nan_and_negatives_are_ones_in_bits():
    x = torch.tensor([float("nan"), -0.0, -2.0, 1e-30, 0.0], device=DEVICE)
    assert cuda.unpack(cuda.pack(x), 5, torch.float32).tolist() == [1, 0, 1, 1, 0]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("steps", "channels", "inner"), [(1, 1, 5), (6, 3, 1), (9, 3, 4), (0, 2, 1), (2, 40, 5)])
def test_scaled_sum(dtype, steps, channels, inner):
    neurons = 2 * channels * inner
    grad, x = random(steps, neurons, dtype=dtype), random(steps, neurons, dtype=dtype, seed=1)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    a, b, c = (random(channels, dtype=wide, seed=seed) for seed in (2, 3, 4))
    channel = torch.arange(neurons, device=DEVICE) // inner % channels
    expected = a[channel] * grad.to(wide) + b[channel] * x.to(wide) + c[channel]
    cuda.scaled_sum_(grad, x, a, b, c, inner)
    close(grad, expected, TOLERANCE[dtype])


def test_arguments_are_left_alone():
    x, state, parameters, *above = case(40, 6, channels=3, affine=True)
    held = [x, state, *above, *(p for p in parameters if isinstance(p, torch.Tensor))]
    before = [t.clone() for t in held]
    cuda.forward(x, state, parameters, Neuron())
    cuda.backward(*above, x, state, parameters, Neuron(), Want(True, True, True))
    assert all(torch.equal(a, b) for a, b in zip(held, before, strict=True))


def test_any_order_of_axes():
    x, state, parameters, grad_spikes, grad_state = case(5, 6)
    neuron = Neuron()
    rows = cuda.backward(grad_spikes, grad_state, x, state, parameters, neuron, Want())
    steps, one = [v.unflatten(-1, (2, 3)).transpose(-2, -1) for v in (x, grad_spikes)], state.view(2, 3).t()
    ours = cuda.backward(steps[1], grad_state.view(2, 3).t(), steps[0], one, parameters, neuron, Want())
    assert ours.x.stride() == steps[0].stride()
    assert torch.equal(ours.x, rows.x.unflatten(-1, (2, 3)).transpose(-2, -1))
    assert torch.equal(ours.state, rows.state.view(2, 3).t())
    assert torch.equal(cuda.forward(steps[0], one, parameters, neuron)[1].t().flatten(),
                       cuda.forward(x, state, parameters, neuron)[1])  # fmt: skip


def test_programs_cover_small_layers_and_large_ones():
    assert launch.program(1, 4, aligned=False) == (32, 1)
    assert launch.program(10**7, 4, aligned=True) == (512, 4)
    assert launch.program(10**7, 4, aligned=False) == (128, 4)
    for neurons in (100, 5000, 20000, 10**5, 10**6):
        block, warps = launch.program(neurons, 4, aligned=True)
        assert block % (32 * warps) == 0
        assert block == 32 or neurons >= launch.PROGRAMS * block
    assert [launch.segment(steps) for steps in (0, 1, 2, 5, 16, 33, 10**5)] == [1, 1, 2, 8, 16, 32, 32]


COMPILE = """
import json, re, sys
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction
from snnkd.spiking.backends import cuda
from snnkd.spiking.backends.kernels import Neuron, Parameters, Want

class Driver:
    get_current_device = staticmethod(lambda: 0)
    get_current_stream = staticmethod(lambda device: 0)
    get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))
    get_active_torch_device = staticmethod(lambda: torch.device("cpu"))

def launch(kernel, grid):
    def compile(*args, **options):
        made = kernel.warmup(*args, grid=(1,), **options)
        instructions = re.findall(r"\\b(LDG|STG|LDL|STL|LDS|STS|FFMA|DFMA)((?:\\.[A-Z0-9]+)*)", made.asm["sass"])
        counts = {}
        for name, suffix in instructions:
            name = name + ".128" * (".128" in suffix) + ".64" * (".64" in suffix)
            counts[name] = counts.get(name, 0) + 1
        print(json.dumps([kernel.__name__, counts]), flush=True)
    return compile

triton.runtime.driver.set_active(Driver())
JITFunction.__getitem__ = launch
try:
    cuda.pack(torch.empty(8))
except Exception as error:
    sys.exit(f"cannot compile: {error}")
steps, neurons = json.loads(sys.argv[1])
for dtype in (torch.float32, torch.bfloat16):
    x, state, one = torch.empty(steps, neurons, dtype=dtype), torch.empty(neurons), torch.empty(1)
    parameters = Parameters(one, one, 1)
    cuda.forward(x, state, parameters, Neuron())
    cuda.backward(x, None, x, state, parameters, Neuron(), Want())
    bits = cuda.forward_two_bit(x, state, parameters, Neuron("rectangle", 0.5))[2]
    cuda.backward_two_bit_(torch.empty_like(x), x, None, bits, state, parameters, Neuron("rectangle", 0.5))
"""


@pytest.mark.parametrize(("steps", "neurons"), [(32, 2**20), (7, 2**20 + 3)])
def test_machine_code_for_hopper(tmp_path, steps, neurons):
    """What a GPU would run: no fused products, no registers spilled, no detour through shared memory, wide accesses."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | {"TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COMPILE, json.dumps([steps, neurons])]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.stderr.startswith("cannot compile"):
        pytest.skip(result.stderr.strip().splitlines()[0])
    assert result.returncode == 0, result.stderr
    _, *made = (json.loads(line) for line in result.stdout.splitlines())
    assert len(made) == 8
    for kernel, counts in made:
        assert not set(counts) & {"LDL", "STL", "LDS", "STS", "FFMA", "DFMA"}, (kernel, counts)
    if steps == 32:
        wide = [(counts.get("LDG.128", 0), counts.get("LDG.64", 0)) for _, counts in made]
        # fp32: 16 bytes a thread, but 8 in the backward pass that holds 32 membranes; bf16: half of it.
        assert wide[0][0] >= 8
        assert wide[1][1] >= 64
        assert wide[2][0] >= 8
        assert wide[4][1] >= 8
        assert wide[6][1] >= 4
