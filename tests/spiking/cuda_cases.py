"""The CUDA backend's kernels for tests, on a GPU where there is one, else interpreted, with cases for them.

Importing this skips the importing test file where Triton is missing or cannot interpret.
"""

import importlib
import os
import sys

import pytest
import torch

from snnkd.spiking import Surrogate
from snnkd.spiking.backends import reference
from snnkd.spiking.backends.kernels import Neuron, Parameters, Want
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
