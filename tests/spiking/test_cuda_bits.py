"""The CUDA backend's bits: two a step in place of the input, and packed spikes; see ``cuda_cases``."""

import pytest
import torch
from cuda_cases import DEVICE, TOLERANCE, case, close, cuda, from_bits, random

from snnkd.spiking.backends.kernels import RESETS, Neuron, Want


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
