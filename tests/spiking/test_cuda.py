"""The CUDA backend against autograd through the reference: on a GPU where there is one, else interpreted."""

import pytest
import torch
from cuda_cases import TOLERANCE, WIDTHS, autograd, case, check, close, cuda, from_bits, launch

from snnkd.spiking import SURROGATES
from snnkd.spiking.backends.kernels import RESETS, Neuron, Want


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
