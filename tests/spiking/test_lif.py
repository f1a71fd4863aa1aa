"""The neuron against its definition in NumPy, against snnTorch, and against what users rely on."""

import math

import numpy as np
import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from snntorch import surrogate as snntorch_surrogate

from snnkd.spiking import LI, LIF, RESETS, SURROGATES, NormLIF, Surrogate, li, lif, norm_lif

DERIVATIVES = {
    "atan": lambda u: 1 / (1 + (math.pi * u) ** 2),
    "fast_sigmoid": lambda u: 1 / (1 + 25 * abs(u)) ** 2,
    "sigmoid": lambda u: 4 / (1 + math.exp(-4 * u)) / (1 + math.exp(4 * u)),
    "triangle": lambda u: max(0.0, 1 - abs(u)),
    "rectangle": lambda u: float(abs(u) < 0.5),
}


def by_hand(x, beta, theta, reset, delay):
    """The recurrence of DESIGN, one scalar neuron in Python floats: spikes, membranes at the step, last state."""
    v, spikes, membranes = 0.0, [], []
    for current in x:
        if delay:
            r = float(v > theta)
            kept = (1 - r) * v if reset == "zero" else v
            v = beta * kept + current - (r * theta if reset == "subtract" else 0.0)
            h = v
        else:
            h = beta * v + current
        s = float(h > theta)
        if not delay:
            v = {"subtract": h - theta * s, "zero": (1 - s) * h, "none": h}[reset]
        spikes.append(s)
        membranes.append(h)
    return spikes, membranes, v


def gradient_by_hand(x, beta, theta, reset, delay, derivative, upstream):
    """Gradient of sum(upstream * spikes) to x, reset detached, by the chain rule over the unrolled steps."""
    spikes, h, _ = by_hand(x, beta, theta, reset, delay)
    grad, carried = [0.0] * len(x), 0.0
    for t in reversed(range(len(x))):
        # d h[t+1] / d h[t]: the leak, through what the reset left of the membrane
        leak = beta * (1 - spikes[t]) if reset == "zero" else beta
        carried = upstream[t] * derivative(h[t] - theta) + leak * carried
        grad[t] = carried
    return grad


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("reset", RESETS)
def test_spikes_state_and_gradient_are_the_definition(backend, reset, delay, surrogate):
    rng = np.random.default_rng(0)
    x = rng.normal(0.4, 0.7, (30, 5))
    upstream = rng.normal(size=x.shape)
    xt = torch.tensor(x, requires_grad=True)
    spikes, state = lif(xt, 0.85, 0.6, surrogate=surrogate, reset=reset, reset_delay=delay, backend=backend)
    (spikes * torch.tensor(upstream)).sum().backward()
    for n in range(x.shape[1]):
        s, _, v = by_hand(x[:, n], 0.85, 0.6, reset, delay)
        g = gradient_by_hand(x[:, n], 0.85, 0.6, reset, delay, DERIVATIVES[surrogate], upstream[:, n])
        assert spikes[:, n].tolist() == s
        assert state[n].item() == pytest.approx(v, abs=1e-12)
        np.testing.assert_allclose(xt.grad[:, n], g, rtol=1e-9, atol=1e-12)
    assert 0.05 < spikes.mean() < 0.95


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_delayed_reset_is_snntorchs(reset):
    x = torch.rand(40, 6, 3) * 1.4
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    spikes, _ = lif(ours, 0.9, 1.0, surrogate="atan", reset=reset, reset_delay=True)
    leaky = snntorch.Leaky(
        beta=0.9, threshold=1.0, reset_mechanism=reset, reset_delay=True, spike_grad=snntorch_surrogate.atan(alpha=2.0)
    )
    membrane, expected = leaky.init_leaky(), []
    for step in theirs:
        spike, membrane = leaky(step, membrane)
        expected.append(spike)
    expected = torch.stack(expected)
    weights = torch.randn_like(x)
    (spikes * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.equal(spikes, expected)
    assert spikes.sum() > 50
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_immediate_subtract_fires_again_where_the_residual_exceeds_the_threshold():
    # h = 2.5: after one subtraction 1.5 is left, still above 1: the next step must fire, and snnTorch's did not.
    spikes, state = lif(torch.tensor([[2.5], [0.0], [0.0]]), beta=0.99)
    assert spikes.flatten().tolist() == [1, 1, 0]
    assert state.item() == pytest.approx((2.5 - 1) * 0.99**2 - 0.99)


def test_a_callable_surrogate_is_used_as_it_is():
    x = torch.rand(10, 4, requires_grad=True)
    lif(x * 2, surrogate=snntorch_surrogate.atan(alpha=2.0))[0].sum().backward()
    y = x.detach().clone().requires_grad_()
    lif(y * 2, surrogate=Surrogate("atan", 2.0))[0].sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


def test_an_attached_reset_carries_gradient_and_a_detached_one_does_not():
    def gradient(detach):
        x = torch.full((6, 1), 0.8, dtype=torch.float64, requires_grad=True)
        lif(x, 0.9, detach_reset=detach)[0][-1].sum().backward()
        return x.grad

    assert not torch.allclose(gradient(True), gradient(False))


@settings(max_examples=40, deadline=None)
@given(
    steps=st.integers(1, 12),
    cut=st.integers(0, 12),
    reset=st.sampled_from(RESETS),
    delay=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_cutting_a_sequence_anywhere_changes_nothing(steps, cut, reset, delay, seed):
    x = torch.randn(steps, 2, 3, generator=torch.Generator().manual_seed(seed)) + 0.3
    cut = min(cut, steps)
    whole, last = lif(x, reset=reset, reset_delay=delay)
    first, state = lif(x[:cut], reset=reset, reset_delay=delay)
    second, after = lif(x[cut:], reset=reset, reset_delay=delay, state=state)
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(after, last)


def test_gradient_reaches_initial_state_decay_and_threshold():
    beta = torch.full((3,), 0.9, dtype=torch.float64, requires_grad=True)
    theta = torch.full((3,), 1.0, dtype=torch.float64, requires_grad=True)
    state = torch.full((2, 3, 4), 0.5, dtype=torch.float64, requires_grad=True)
    x = torch.rand(7, 2, 3, 4, dtype=torch.float64)
    lif(x, beta, theta, state=state)[0].sum().backward()
    assert (beta.grad > 0).all()  # less leak, more spikes
    assert (theta.grad < 0).all()  # a higher threshold, fewer
    assert (state.grad > 0).all()


def test_leaky_integrator_is_its_sum():
    x = torch.randn(9, 4, dtype=torch.float64)
    trace, last = li(x, 0.7)
    expected = sum(0.7 ** (8 - t) * x[t] for t in range(9))
    torch.testing.assert_close(trace[-1], expected)
    torch.testing.assert_close(last, expected)
    assert torch.autograd.gradcheck(lambda y: li(y, 0.7)[0], (x.clone().requires_grad_(),))


def test_state_is_fp32_for_half_precision_input():
    spikes, state = lif(torch.rand(5, 3).bfloat16())
    assert spikes.dtype == torch.bfloat16
    assert state.dtype == torch.float32


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused_and_named(bad, backend):
    x = torch.zeros(6, 2, 3)
    x[4, 1, 2] = bad
    for reset in RESETS:
        for delay in (False, True):
            for surrogate in ("atan", "rectangle"):
                with pytest.raises(ValueError, match=r"x must be finite, got 1 NaN .* of 36, first at time step 4"):
                    lif(x, surrogate=surrogate, reset=reset, reset_delay=delay, backend=backend)
    with pytest.raises(ValueError, match="x must be finite"):
        li(x, backend=backend)
    with pytest.raises(ValueError, match="state must be finite, got 6 NaN"):
        lif(torch.zeros(3, 2, 3), state=torch.full((2, 3), bad), backend=backend)
    with pytest.raises(ValueError, match="threshold must be finite"):
        lif(torch.zeros(3, 2, 3), threshold=torch.tensor(math.nan), backend=backend)
    with pytest.raises(ValueError, match="the membrane overflowed although x is finite: is beta above 1"):
        lif(torch.ones(400, 2, 3), beta=2.0, threshold=3e38, backend=backend)


def test_nan_is_passed_on_where_nobody_looks():
    # Inside a transform, and on devices where looking would mean waiting, NaN stays NaN: never a silent zero.
    def spikes(x):
        return lif(x, backend="reference")[0]

    out = torch.func.vmap(spikes, in_dims=1, out_dims=1)(torch.tensor([[0.5, 0.5], [math.nan, 0.0], [5.0, 5.0]]))
    assert out[:, 1].tolist() == [0, 0, 1]
    assert out[0, 0] == 0
    assert out[1:, 0].isnan().all()


def test_layers_keep_no_state():
    layer = LIF(beta=0.8, learn_beta=True, learn_threshold=True, channels=3)
    x = torch.rand(5, 2, 3, 4, 4) * 2
    first, _ = layer(x)
    assert torch.equal(layer(x)[0], first)
    assert set(layer.state_dict()) == {"beta_logit", "threshold"}
    assert set(LIF().state_dict()) == {"beta_value", "threshold"}
    torch.testing.assert_close(layer.beta, torch.full((3,), 0.8))
    for _ in range(2):  # a second backward pass over a re-used layer
        layer(x)[0].sum().backward()
    assert layer.beta_logit.grad is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reset": "hard"}, "reset must be one of subtract, zero, none, got 'hard'"),
        ({"surrogate": "step"}, "surrogate must be one of .*, got 'step'"),
        ({"backend": "cuda9"}, "backend must be one of reference, cpu, cuda or None, got 'cuda9'"),
        ({"backend": "cuda"}, "x must be on a cuda device for backend 'cuda', got cpu"),
        ({"backend": "cpu", "surrogate": torch.sigmoid}, "a callable needs backend='reference'"),
        ({"backend": "cpu", "x": torch.rand(5, 2, 4).half()}, "x must be float32, float64, bfloat16 for backend 'cpu'"),
        ({"beta": math.nan}, "beta must be a finite number or a tensor, got nan"),
        ({"threshold": "1"}, "threshold must be a finite number or a tensor, got '1'"),
        ({"state": [0.0]}, "state must be a floating-point tensor, got list"),
        ({"state": torch.zeros(2, 4, device="meta")}, "state is on meta and x on cpu: move one of them"),
        ({"beta": torch.ones((), device="meta")}, "beta is on meta and x on cpu: move one of them"),
        ({"state": torch.zeros(3)}, r"state must have the shape of one step of x, \(2, 4\), got \(3,\)"),
        ({"beta": torch.ones(3)}, "beta must be a scalar or one value per channel"),
        ({"x": torch.ones(3, dtype=torch.int64)}, "x must be a floating-point tensor with time first"),
        ({"surrogate": 3}, "surrogate must be a name, a Surrogate or a callable, got int"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        lif(**{"x": torch.rand(5, 2, 4), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.rand(5, 4)}, r"x must be \(T, B, C, ...\) for norm_lif, got \(5, 4\)"),
        ({"weight": torch.ones(3)}, r"weight must hold one value per channel of x \(5, 2, 4\), got \(3,\)"),
        ({"running_var": torch.ones(4, device="meta")}, "running_var is on meta and x on cpu"),
        ({"x": torch.rand(1, 1, 4), "training": True}, "x must hold more than one value per channel to train"),
        ({"reset": "hard"}, "reset must be one of subtract, zero, none, got 'hard'"),
        ({"eps": 0.0}, "eps must be finite and above 0, got 0.0"),
        ({"eps": -1e-5}, "eps must be finite and above 0, got -1e-05"),
        ({"eps": math.nan}, "eps must be finite and above 0, got nan"),
        ({"eps": math.inf}, "eps must be finite and above 0, got inf"),
        ({"eps": "small"}, "eps must be finite and above 0, got 'small'"),
    ],
)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_wrong_argument_of_norm_lif_is_named(arguments, message, backend):
    given = {"running_mean": torch.zeros(4), "running_var": torch.ones(4), "weight": torch.ones(4), "backend": backend}
    for training in (True, False):
        values = {"x": torch.rand(5, 2, 4), "bias": torch.zeros(4), "training": training} | given | arguments
        with pytest.raises(ValueError, match=message):
            norm_lif(**values)


def test_half_precision_without_kernels_goes_to_the_reference():
    x = torch.rand(5, 2, 4).half()
    assert torch.equal(lif(x)[0], lif(x, backend="reference")[0])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16), surrogate=st.sampled_from(SURROGATES), dtype=st.sampled_from(["float32", "bfloat16"])
)
def test_the_order_of_the_batch_changes_nothing(seed, surrogate, dtype):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(6, 5, 3, 4, generator=generator).to(getattr(torch, dtype)) + 0.3
    order = torch.randperm(5, generator=generator)
    beta = torch.tensor([0.7, 0.8, 0.9])
    leaf = x.clone().requires_grad_()
    spikes, state = lif(leaf, beta, surrogate=surrogate)
    (grad,) = torch.autograd.grad((spikes * x.detach()).sum(), leaf)
    shuffled = x[:, order].clone().requires_grad_()
    other, last = lif(shuffled, beta, surrogate=surrogate)
    assert torch.equal(other, spikes[:, order])
    assert torch.equal(last, state[order])
    assert torch.equal(torch.autograd.grad((other * x[:, order]).sum(), shuffled)[0], grad[:, order])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("layer", ["lif", "norm", "li"])
def test_a_layer_fed_step_by_step_gives_bitwise_the_same(layer, dtype):
    torch.manual_seed(0)
    module = {"lif": LIF(channels=3), "norm": NormLIF(3), "li": LI()}[layer].eval()
    if layer == "norm":
        module.norm.running_mean.fill_(0.2)
        module.norm.running_var.fill_(0.6)
    x = torch.randn(9, 2, 3, 7, 5).to(dtype)
    whole, last = module(x)
    state, steps = None, []
    for step in x:
        out, state = module(step[None], state)
        steps.append(out)
    assert torch.equal(torch.cat(steps), whole)
    assert torch.equal(state, last)


def test_norm_lif_learns_and_remembers_as_batch_norm_does():
    torch.manual_seed(0)
    ours, norm, neurons = (
        NormLIF(4, beta=0.8, momentum=0.3),
        torch.nn.BatchNorm2d(4, momentum=0.3),
        LIF(0.8, channels=4),
    )
    for _ in range(3):
        x = torch.randn(5, 2, 4, 6, 6) * 2 + 1
        spikes, _ = ours(x)
        expected, _ = neurons(norm(x.flatten(0, 1)).unflatten(0, (5, 2)))
        assert (spikes != expected).float().mean() < 2e-3
    for name, value in norm.state_dict().items():
        torch.testing.assert_close(ours.norm.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert set(ours.state_dict()) == {"beta_value", "threshold", *(f"norm.{name}" for name in norm.state_dict())}
    assert torch.equal(ours.eval()(x)[0], ours(x)[0])


def test_neurons_that_do_not_leak_are_integrate_and_fire():
    assert torch.equal(LIF(beta=1.0)(torch.full((5, 1), 0.45))[0].flatten(), torch.tensor([0.0, 0, 1, 0, 1]))


def test_norm_lif_follows_its_norms_own_mode_and_momentum():
    torch.manual_seed(0)
    frozen = NormLIF(3).train()
    frozen.norm.eval()
    x = torch.randn(4, 2, 3, 5, 5)
    frozen(x)
    assert torch.equal(frozen.norm.running_mean, torch.zeros(3))
    assert frozen.norm.num_batches_tracked == 0
    ours, theirs = NormLIF(3, momentum=None), torch.nn.BatchNorm2d(3, momentum=None)
    for _ in range(3):
        x = torch.randn(4, 2, 3, 5, 5)
        ours(x)
        theirs(x.flatten(0, 1))
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.norm.state_dict()[name], value)
    with pytest.raises(ValueError, match="norm must stay a BatchNorm2d"):
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(NormLIF(3))(x)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_refused_batch_leaves_the_running_statistics_alone(backend):
    layer = NormLIF(3, backend=backend)
    x = torch.randn(4, 2, 3, 5, 5)
    x[1, 0, 2, 3, 3] = math.nan
    with pytest.raises(ValueError, match="x must be finite, got 1 NaN"):
        layer(x)
    assert torch.equal(layer.norm.running_mean, torch.zeros(3))
    assert layer.norm.num_batches_tracked == 0


def test_moments_bear_an_outlier_and_a_mean_far_away():
    for layout in ("contiguous", "channels last"):
        x = torch.randn(8, 4, 16, 9, 9) + 100
        x[0, 0, :, 0, 0] = 1e4
        x = x if layout == "contiguous" else x.movedim(2, -1).contiguous().movedim(-1, 2)
        layer = NormLIF(16, momentum=1.0)
        layer(x)
        torch.testing.assert_close(layer.norm.running_mean, x.double().mean((0, 1, 3, 4)).float(), rtol=1e-6, atol=0)
        expected = x.double().var((0, 1, 3, 4)).float()
        torch.testing.assert_close(layer.norm.running_var, expected, rtol=2e-5, atol=0)


@pytest.mark.parametrize("layout", ["rows", "channels last"])
def test_moments_where_the_corners_are_unlike_the_rest(layout):
    x = torch.zeros(8, 8, 4, 96, 96)
    x[..., 0, 0] = x[..., -1, -1] = 3.3
    x = x if layout == "rows" else x.movedim(2, -1).contiguous().movedim(-1, 2)
    layer = NormLIF(4, momentum=1.0)
    layer(x)
    expected = x.double().var((0, 1, 3, 4)).float()
    torch.testing.assert_close(layer.norm.running_var, expected, rtol=1e-5, atol=0)


def test_training_may_follow_evaluation_before_its_backward():
    layer, x = NormLIF(3).eval(), torch.randn(4, 2, 3, 5, 5, requires_grad=True)
    loss = layer(x)[0].sum()
    layer.train()(x)
    loss.backward()
    assert x.grad.isfinite().all()


def test_norm_lif_folds_into_the_convolution_before_it():
    torch.manual_seed(0)
    convolution, layer = torch.nn.Conv2d(2, 4, 3, bias=False), NormLIF(4, learn_beta=True, threshold=0.6)
    x = (torch.rand(6 * 2, 2, 9, 9) < 0.4).float()
    for _ in range(3):
        layer(convolution(x).unflatten(0, (6, 2)))
    layer.eval()
    folded, neurons = layer.fold(convolution)
    assert type(neurons) is LIF
    assert set(neurons.state_dict()) == {"beta_logit", "threshold"}
    assert set(layer.state_dict()) > {"beta_logit", "norm.weight"}, "the layer itself is as it was"
    spikes, expected = neurons(folded(x).unflatten(0, (6, 2)))[0], layer(convolution(x).unflatten(0, (6, 2)))[0]
    assert (spikes != expected).float().mean() < 2e-3
    assert 0.05 < spikes.mean() < 0.95


def test_wrong_layer_arguments_are_refused_at_construction():
    with pytest.raises(ValueError, match="beta must lie between 0 and 1, both excluded as it is learned, got 1"):
        LI(beta=1.0, learn_beta=True)
    with pytest.raises(ValueError, match=r"beta must lie between 0 and 1, got 1\.5"):
        LIF(beta=1.5)
    with pytest.raises(ValueError, match="backend must be one of reference, cpu, cuda or None, got 'gpu'"):
        LIF(backend="gpu")
    with pytest.raises(ValueError, match="threshold must be finite, got nan"):
        LIF(threshold=math.nan)
    with pytest.raises(ValueError, match="surrogate width must be above zero and finite, got inf"):
        Surrogate("fast_sigmoid", math.inf)
    with pytest.raises(ValueError, match="convolution must have 4 output channels, got 5"):
        NormLIF(4).fold(torch.nn.Conv2d(2, 5, 3))
    with pytest.raises(ValueError, match="reset must be one of"):
        LIF(reset="never")
    with pytest.raises(ValueError, match="surrogate width must be above zero"):
        Surrogate("atan", 0.0)


def test_a_checkpoint_brings_fixed_decay_and_threshold_along():
    x = torch.rand(20, 3, 4)
    saved, other = LIF(beta=0.5, threshold=0.4), LIF()
    other.load_state_dict(saved.state_dict())
    assert torch.equal(other(x)[0], saved(x)[0])


def test_constants_keep_their_precision_in_half_precision():
    layer = NormLIF(2, beta=0.999, threshold=1.001).bfloat16()
    assert layer.norm.weight.dtype == torch.bfloat16
    assert layer.beta.tolist() == pytest.approx([0.999] * 2, abs=1e-7)
    assert layer.threshold.tolist() == pytest.approx([1.001] * 2, abs=1e-7)
    assert LIF().double().beta.dtype == torch.float64


def test_a_layer_takes_a_decay_for_each_channel():
    beta = torch.linspace(0.5, 0.9, 3)
    layer = LIF(beta, threshold=torch.tensor([0.5, 1.0, 2.0]), learn_beta=True, learn_threshold=True)
    torch.testing.assert_close(layer.beta, beta)
    x = torch.rand(6, 2, 3, 4)
    assert torch.equal(layer(x)[0], lif(x, layer.beta, layer.threshold)[0])
    assert "beta=0.5..0.9 (3 channels), threshold=0.5..2 (3 channels)" in repr(layer)
    assert "beta=0.9" in repr(LI())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LIF(0.9, 1.0, learn_beta="yes"), "learn_beta must be True or False, got 'yes'"),
        (lambda: LIF(detach_reset=None), "detach_reset must be True or False, got None"),
        (lambda: LIF(beta="0.9"), "beta must be a number or a tensor of one per channel, got '0.9'"),
        (lambda: LIF(threshold=None), "threshold must be a number or a tensor"),
        (lambda: LIF(channels=0), "channels must be a whole number above 0 or None, got 0"),
        (lambda: LIF(torch.ones(2) / 2, channels=3), r"beta must be a number or one value per channel \(3,\), got"),
        (lambda: NormLIF(8)(torch.zeros(6, 8, 5, 5)), r"x must be \(T, B, 8, ...\).*is time missing"),
        (lambda: NormLIF(8).fold(torch.nn.Linear(2, 8)), "convolution must be a Conv2d, got Linear"),
        (lambda: lif(torch.ones(2, 3), surrogate=torch.sigmoid), "surrogate must be the step, 0 or 1"),
        (lambda: lif(torch.ones(2, 3), surrogate=lambda u: u.mean()), r"must give spikes of the shape \(3,\)"),
        (lambda: lif(torch.ones(2, 3), surrogate=snntorch.surrogate.fast_sigmoid), "are its parentheses missing"),
        (lambda: lif(torch.ones(2, 3, dtype=torch.int64)), r"call .float\(\) on it"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(make, message):
    with pytest.raises(ValueError, match=message) as told:
        make()
    assert "\n" not in str(told.value)
