"""Operators called directly, past the checks of ``functional``: kernels get addresses, and must not misread memory.

What is strided is brought into order, and another dtype or size is refused.
"""

import pytest
import torch

from snnkd.spiking import operators
from snnkd.spiking.backends.kernels import Neuron
from snnkd.spiking.operators.lif import lif_backward
from snnkd.spiking.operators.norm_lif import norm_lif_backward

CHOICES = tuple(Neuron())[:-1]
PARAMETERS = ("beta", "threshold", "weight", "bias")


def example(dtype=torch.float32):
    """Input, state, and values per channel by name."""
    numbers = torch.Generator().manual_seed(0)
    x, state = torch.randn(4, 2, 3, 5, 5, generator=numbers).to(dtype), torch.randn(2, 3, 5, 5, generator=numbers)
    return x, state, {name: torch.rand(3, generator=numbers) + 0.4 for name in PARAMETERS}


def same(ours, expected):
    return all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


def every_second(values):
    return torch.stack([values, torch.full_like(values, 1e6)], -1)[..., 0]


def test_a_state_of_another_shape_or_dtype_is_refused():
    x, beta = torch.zeros(2, 4, 3), torch.tensor(0.9)
    for state in (torch.zeros(1, 3), torch.zeros(4, 3, dtype=torch.float64)):
        with pytest.raises(ValueError, match=r"state must be torch.float32 \(4, 3\), got"):
            operators.lif(x, state, beta, beta, None, None, None, *CHOICES)


@pytest.mark.parametrize("strided", ["mean", "variance", *PARAMETERS])
def test_values_per_channel_may_be_strided(strided):
    x, state, values = example()
    _, _, mean, variance = operators.norm_lif(x, state, *values.values(), 1e-5, *CHOICES)
    values |= {"mean": mean, "variance": variance}

    def gradients():
        return norm_lif_backward(x, None, x, state, *values.values(), 1e-5, *CHOICES, True, True)

    expected = gradients()
    values[strided] = every_second(values[strided])
    assert not values[strided].is_contiguous()
    assert same(gradients(), expected)


def test_one_value_may_stand_for_all_moments():
    x, state, values = example()
    mean, variance = torch.tensor([0.1]), torch.tensor([1.3])
    results = [
        norm_lif_backward(x, None, x, state, *values.values(), *moments, 1e-5, *CHOICES, True, True)
        for moments in ((mean.expand(3), variance.expand(3)), (mean, variance), (mean.repeat(3), variance.repeat(3)))
    ]
    assert same(results[0], results[2])
    assert same(results[1], results[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "bad", [torch.ones(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.float64), torch.ones(5)]
)
def test_parameters_of_another_dtype_or_size_are_refused(bad, name, dtype):
    x, state, values = example(dtype)
    values[name] = bad
    told = rf"{name} must be torch.float32 with one value or one per channel of x \(4, 2, 3, 5, 5\), got {bad.dtype}"
    for operator in (operators.norm_lif, operators.norm_lif.custom):
        with pytest.raises(ValueError, match=told):
            operator(x, state, *values.values(), 1e-5, *CHOICES)
    affine = torch.zeros(3), values["weight"], values["bias"]
    with pytest.raises(ValueError, match=told.replace("weight", "scale")):
        operators.lif(x, state, values["beta"], values["threshold"], *affine, *CHOICES)


@pytest.mark.parametrize("bad", [torch.ones(3, dtype=torch.bfloat16), torch.ones(2)])
def test_moments_of_another_dtype_or_size_are_refused(bad):
    x, state, values = example()
    for moments, name in (((bad, torch.ones(3)), "mean"), ((torch.zeros(3), bad), "variance")):
        with pytest.raises(ValueError, match=f"{name} must be torch.float32 with one value or one per channel"):
            norm_lif_backward(x, None, x, state, *values.values(), *moments, 1e-5, *CHOICES, True, True)


def test_batch_norm_needs_a_weight_for_each_channel():
    x, state, values = example()
    values["weight"] = torch.ones(1)
    with pytest.raises(ValueError, match=r"weight must hold one value per channel, 3, got \(1,\)"):
        operators.norm_lif(x, state, *values.values(), 1e-5, *CHOICES)


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3), (1, 1), ()], ids=str)
def test_gradients_have_the_shapes_of_the_parameters(shape):
    x, state, values = example()
    _, threshold, weight, bias = values.values()
    flat = values["beta"] if 3 in shape else values["beta"][:1]
    found = []
    for beta in (flat, flat.reshape(shape)):
        beta = beta.clone().requires_grad_()
        for operator in (operators.lif, operators.lif.custom):
            last = operator(x, state, beta, threshold, None, None, None, *CHOICES)[1]
            found += torch.autograd.grad(last.square().sum(), beta)
        found += torch.autograd.grad(operators.li(x, state, beta)[1].square().sum(), beta)
        last = operators.norm_lif(x, state, beta, threshold, weight, bias, 1e-5, *CHOICES)[1]
        found += torch.autograd.grad(last.square().sum(), beta)
    assert all(grad.shape == flat.shape for grad in found[:4])
    assert all(grad.shape == torch.Size(shape) for grad in found[4:])
    assert same([grad.flatten() for grad in found[4:]], found[:4])


def test_weight_and_bias_may_have_axes_of_one():
    x, state, values = example()
    found = []
    for shape in ((3,), (3, 1, 1)):
        weight, bias = (values[name].reshape(shape).clone().requires_grad_() for name in ("weight", "bias"))
        given = x, state, values["beta"], values["threshold"], weight, bias, 1e-5, *CHOICES
        for operator in (operators.norm_lif, operators.norm_lif.custom):
            results = operator(*given)
            grads = torch.autograd.grad(results[1].square().sum(), (weight, bias))
            assert all(grad.shape == torch.Size(shape) for grad in grads)
            found.append([*results, *(grad.flatten() for grad in grads)])
    assert all(same(ours, found[0]) for ours in found[1:])


def test_no_gradients_of_an_affine_current_that_is_not_there():
    x, state, values = example()
    given = x, None, x, state, values["beta"], values["threshold"], None, None, None, *CHOICES, True, True, True
    assert lif_backward(*given)[4:] == (None, None)
    assert [grad.shape for grad in lif_backward.custom(*given)[4:]] == [(0,), (0,)]
