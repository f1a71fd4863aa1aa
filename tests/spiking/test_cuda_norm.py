"""The CUDA backend's batch norm and the scaled sums that it ends with; see ``cuda_cases``."""

import pytest
import torch
from cuda_cases import DEVICE, TOLERANCE, case, close, cuda, random

from snnkd.spiking import Surrogate
from snnkd.spiking.backends import reference
from snnkd.spiking.backends.kernels import Neuron, Want
from snnkd.spiking.surrogate import spike_function


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


EPS = (1e-5, 0.1)


def plainly(x, state, parameters, eps, above):
    """Spikes, the last state, both moments and gradients, by autograd through plain operations and the reference."""
    channels, inner = parameters.beta.numel(), parameters.inner
    rest = torch.zeros(x.shape[1], dtype=parameters.beta.dtype, device=DEVICE) if state is None else state
    leaves = [value.clone().requires_grad_() for value in (x.to(rest.dtype), rest, parameters.scale, parameters.bias)]
    grouped = leaves[0].view(len(x), -1, channels, inner)
    mean, variance = grouped.mean((0, 1, 3)), grouped.var((0, 1, 3), correction=0)
    wide = [value[:, None] for value in (mean, variance, leaves[2], leaves[3])]
    current = ((grouped - wide[0]) / (wide[1] + eps).sqrt() * wide[2] + wide[3]).view(len(x), -1)
    per_neuron = [value[:, None].expand(channels, inner).reshape(-1).repeat(4) for value in parameters[:2]]
    spike = spike_function(Surrogate("atan", 2.0))
    spikes, last = reference.lif(current, *per_neuron, spike, "subtract", False, True, leaves[1])
    total = 0 * sum(leaf.sum() for leaf in leaves)
    for value, grad in zip((spikes, last), above, strict=True):
        if grad is not None:
            total = total + (value * grad.to(value.dtype)).sum()
    return spikes, last, mean, variance, torch.autograd.grad(total, leaves)


def check_norm(x, state, parameters, eps, above):
    """The kernels' results against those; the last state."""
    spikes, last, mean, variance = cuda.norm_forward(x, state, parameters, eps, Neuron())
    *expected, grads = plainly(x, state, parameters, eps, above)
    expected = [value.detach() for value in expected]
    assert torch.equal(spikes, expected[0].to(x.dtype))
    torch.testing.assert_close(last, expected[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mean, expected[2], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(variance, expected[3], rtol=1e-5, atol=1e-6)
    given = parameters._replace(mean=mean)
    ours = cuda.norm_backward(*above, x, state, given, variance, eps, Neuron(), Want())
    assert (ours.state is None) == (state is None)
    near = 10 * TOLERANCE[x.dtype]
    for got, want in zip((ours.x, ours.state, ours.scale, ours.bias), grads, strict=True):
        if got is not None:
            torch.testing.assert_close(got.to(want.dtype), want, rtol=near, atol=near * float(want.abs().max()))
    return last


def normed_case(dtype, inner, steps=5, channels=3):
    """As ``case``, without a mean."""
    x, state, parameters, *above = case(steps, 4 * channels * inner, dtype, channels, inner, affine=True)
    return x, state, parameters._replace(mean=None), above


@pytest.mark.parametrize("inner", [1, 6])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_norm_and_neuron_in_one(dtype, inner):
    x, state, parameters, above = normed_case(dtype, inner)
    assert not torch.equal(*(check_norm(x, state, parameters, eps, above) for eps in EPS))


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("without", ["state", "gradient of the spikes", "gradient of the state", "gradients", "all"])
def test_norm_and_neuron_of_what_is_not_given(without, eps):
    x, state, parameters, above = normed_case(torch.float64, 6)
    if without in ("gradient of the spikes", "gradients", "all"):
        above[0] = None
    if without in ("gradient of the state", "gradients", "all"):
        above[1] = None
    check_norm(x, None if without in ("state", "all") else state, parameters, eps, above)
