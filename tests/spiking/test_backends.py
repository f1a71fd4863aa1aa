"""Every fused backend against the reference: equal spikes, gradients within a stated tolerance.

On the CPU this is the Numba backend. Where there is a GPU the same tests run the Triton kernels on it; without one,
``test_cuda.py`` runs those through Triton's interpreter.
"""

import itertools

import pytest
import torch

from snnkd.spiking import LIF, RESETS, SURROGATES, NormLIF, Surrogate, li, lif, norm_lif

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
# Gradients are sums over time, and a sum per channel over all its neurons: relative to the largest of them.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 2e-2}
SHAPES = {
    "time only": (7,),
    "one neuron": (7, 1),
    "one step": (1, 2, 3, 5),
    "odd": (9, 3, 5, 7, 3),
    "more than a tile": (5, 2, 3, 31, 33),
    "several tiles a sample": (4, 3, 16, 20, 16),
    "more channels than a tile": (4, 3, 2048),
    "long": (301, 2, 3),
    "empty batch": (5, 0, 3, 4, 4),
    "no steps": (0, 2, 3, 4, 4),
}


def inputs(shape, dtype, device, layout="contiguous", seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = (torch.randn(shape, generator=generator) * 0.8 + 0.4).to(device, dtype)
    state = (torch.randn(shape[1:], generator=generator) * 0.7).to(device)
    if layout == "channels last":
        x = x.movedim(2, -1).contiguous().movedim(-1, 2)
    elif layout == "batch first":
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    elif layout == "every second":
        x = torch.stack([x, x], -1)[..., 0]
    return x, state.double() if dtype == torch.float64 else state


def run(function, x, state, learned, seed=1, **options):
    """Output, last state and all gradients of a scalar that weighs every one of them."""
    x, state = x.detach().requires_grad_(), state.detach().requires_grad_()
    learned = {name: value.detach().clone().requires_grad_() for name, value in learned.items()}
    out, last = function(x, state=state, **learned, **options)
    generator = torch.Generator().manual_seed(seed)
    # Weights that every dtype holds exactly, so that all runs get the same gradient from behind.
    weights = [torch.randn(v.shape, generator=generator).bfloat16().to(v) for v in (out, last)]
    loss = (out * weights[0]).sum() + (last * weights[1]).sum().to(out.dtype)
    grads = torch.autograd.grad(loss, [x, state, *learned.values()], allow_unused=True)
    return out, last, dict(zip(["x", "state", *learned], grads, strict=True))


def check(function, x, state, learned, device, **options):
    ours = run(function, x, state, learned, backend=device, **options)
    reference = run(function, x, state, learned, backend="reference", **options)
    assert torch.equal(ours[0], reference[0]), "spikes differ"
    assert torch.equal(ours[1], reference[1]), "last states differ"
    assert ours[0].dtype == x.dtype
    # A bfloat16 input is exact in fp32, and fires the same spikes.
    if x.dtype == torch.bfloat16:
        wide = {name: value.double() for name, value in learned.items()}
        exact = run(function, x.float(), state, {k: v.float() for k, v in wide.items()}, backend="reference", **options)
    else:
        exact = reference
    for name, grad in ours[2].items():
        expected = exact[2][name]
        if expected is None:
            expected = torch.zeros_like(grad)
        assert grad.shape == expected.shape
        scale = max(expected.abs().max().item(), 1e-6) if expected.numel() else 1.0
        torch.testing.assert_close(
            grad.double(), expected.double(), rtol=0, atol=TOLERANCE[x.dtype] * scale, msg=lambda m, n=name: f"{n}: {m}"
        )
    return ours


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_every_choice_is_the_reference(surrogate, dtype, device):
    x, state = inputs((9, 3, 5, 7, 3), dtype, device)
    fired = []
    for reset, delay, detach, channels, learn in itertools.product(
        RESETS, [False, True], [False, True], [False, True], [False, True]
    ):
        real = state.dtype
        beta = torch.linspace(0.6, 0.95, 5, dtype=real, device=device) if channels else torch.tensor(0.85, dtype=real)
        threshold = (
            torch.linspace(0.4, 1.2, 5, dtype=real, device=device) if channels else torch.tensor(0.7, dtype=real)
        )
        given = {"beta": beta.to(device), "threshold": threshold.to(device)}
        learned = given if learn else {}
        fixed = {} if learn else given
        spikes, _, _ = check(
            lif,
            x,
            state,
            learned,
            device,
            **fixed,
            surrogate=Surrogate(surrogate, 3.0 if surrogate == "fast_sigmoid" else None),
            reset=reset,
            reset_delay=delay,
            detach_reset=detach,
        )
        fired.append(spikes.float().mean().item())
    assert min(fired) > 0.1
    assert max(fired) < 0.9


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("surrogate", ["atan", "rectangle"])
def test_every_shape_is_the_reference(surrogate, shape, device):
    x, state = inputs(SHAPES[shape], torch.float32, device)
    for reset, delay in itertools.product(RESETS, [False, True]):
        learned = {"beta": torch.tensor(0.8, device=device), "threshold": torch.tensor(0.9, device=device)}
        check(lif, x, state, learned, device, surrogate=surrogate, reset=reset, reset_delay=delay)
        check(lif, x, state, {}, device, beta=0.8, surrogate=surrogate, reset=reset, reset_delay=delay)
        if x.ndim < 3:
            continue
        channels = {
            "beta": torch.linspace(0.6, 0.95, x.shape[2], device=device),
            "threshold": torch.linspace(0.4, 1.2, x.shape[2], device=device),
        }
        check(lif, x, state, channels, device, surrogate=surrogate, reset=reset, reset_delay=delay)
        check(lif, x, state, {}, device, **channels, surrogate=surrogate, reset=reset, reset_delay=delay)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", ["channels last", "batch first", "every second"])
def test_every_memory_order_is_the_reference(layout, dtype, device):
    x, state = inputs((6, 3, 5, 7, 9), dtype, device, layout)
    learned = {
        "beta": torch.linspace(0.6, 0.95, 5, device=device),
        "threshold": torch.linspace(0.4, 1.2, 5, device=device),
    }
    spikes, last, grads = check(lif, x, state, learned, device, detach_reset=False)
    check(lif, x, state, {}, device, beta=learned["beta"], surrogate="rectangle", reset="zero")
    if layout == "channels last":
        assert spikes.stride() == x.stride()
        assert last.stride() == x.stride()[1:]
        assert grads["x"].stride() == x.stride()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_integrator_is_the_reference(shape, dtype, device):
    x, state = inputs(SHAPES[shape], dtype, device)
    check(li, x, state, {"beta": torch.tensor(0.8, dtype=state.dtype, device=device)}, device)
    check(li, x, state, {}, device, beta=0.7)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("only", ["spikes", "state"])
@pytest.mark.parametrize("surrogate", ["atan", "rectangle"])
def test_a_gradient_may_come_from_spikes_or_state_alone(surrogate, only, device):
    x, state = inputs((6, 3, 5, 7), torch.float32, device)
    grads = []
    for backend in ("reference", device):
        leaf, v = x.clone().requires_grad_(), state.clone().requires_grad_()
        spikes, last = lif(leaf, 0.8, state=v, surrogate=surrogate, backend=backend)
        grads.append(torch.autograd.grad((spikes if only == "spikes" else last).square().sum(), [leaf, v]))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
@pytest.mark.parametrize("shape", [(6, 3, 5, 7, 9), (4, 3, 16, 20, 16)], ids=["odd", "several tiles a sample"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_norm_lif_is_batch_norm_and_lif(dtype, shape, layout, training, device):
    x, state = inputs(shape, dtype, device, layout)
    made, c = {"dtype": dtype, "device": device}, shape[2]
    # A mean far from zero, as unnormalised currents have: nothing may be lost to it.
    x = x * torch.linspace(0.2, 3, c, **made).view(c, 1, 1) + 20
    learned = {
        "beta": torch.linspace(0.6, 0.95, c, **made),
        "threshold": torch.linspace(0.4, 1.2, c, **made),
        "weight": torch.linspace(0.5, 1.5, c, **made),
        "bias": torch.linspace(-0.2, 0.6, c, **made),
    }
    results, running = [], []
    for backend in ("reference", device):
        stats = torch.full((c,), 19.5, **made), torch.full((c,), 2.0, **made)
        options = {"running_mean": stats[0], "running_var": stats[1], "training": training, "backend": backend}
        results.append(run(norm_lif, x, state, learned, **options))
        running.append(stats)
    (spikes, last, grads), (ours, our_last, our_grads) = results
    # Batch norm rounds in its own order; a membrane that close to its threshold may fall on either side.
    assert (spikes != ours).float().mean() < (2e-3 if dtype == torch.float32 else 1e-9)
    for old, new in zip(*running, strict=True):
        torch.testing.assert_close(new, old, rtol=1e-5, atol=1e-6)
    # A spike that fell on the other side makes the rest of its neuron's course another one: gradients where none did.
    if torch.equal(ours, spikes):
        # Batch norm's sums are shared out among threads: with one they round otherwise than with two.
        tolerance = 1e-8 if dtype == torch.float64 else 5e-4
        torch.testing.assert_close(our_last, last, rtol=tolerance, atol=tolerance)
        for name, grad in grads.items():
            scale = grad.abs().max().item()
            torch.testing.assert_close(
                our_grads[name], grad, rtol=0, atol=tolerance * scale, msg=lambda m, n=name: f"{n}: {m}"
            )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [True, False])
def test_every_eps_is_batch_norms(training, device):
    x, state = inputs((6, 3, 5, 7, 9), torch.float64, device)
    made = {"dtype": torch.float64, "device": device}
    learned = {"weight": torch.linspace(0.5, 1.5, 5, **made), "bias": torch.linspace(-0.2, 0.6, 5, **made)}
    found = []
    # Of one shape and one process: what is worked out once for a shape must not take the first one's along.
    for eps in (1e-5, 0.1):
        for backend in ("reference", device):
            stats = torch.zeros(5, **made), torch.full((5,), 0.3, **made)
            found.append(run(norm_lif, x, state, learned, running_mean=stats[0], running_var=stats[1],
                             training=training, eps=eps, backend=backend))  # fmt: skip
    for theirs, ours in (found[:2], found[2:]):
        assert torch.equal(ours[0], theirs[0])
        torch.testing.assert_close(ours[1], theirs[1], rtol=1e-9, atol=1e-9)
        for name, grad in theirs[2].items():
            torch.testing.assert_close(ours[2][name], grad, rtol=0, atol=1e-9 * grad.abs().max().item())
    assert not torch.equal(found[0][1], found[2][1])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layer", [LIF(learn_beta=True, channels=3), NormLIF(3), NormLIF(3).eval()], ids=str)
@pytest.mark.parametrize("shape", [(4, 0, 3, 5, 5), (4, 2, 3, 0, 5)])
def test_an_empty_batch_has_gradients_of_zero(shape, layer, device):
    layer = layer.to(device)
    if layer.training and isinstance(layer, NormLIF):
        with pytest.raises(ValueError, match="more than one value per channel"):
            layer(torch.zeros(shape, device=device))
        return
    layer(torch.zeros(shape, device=device).requires_grad_())[0].sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


@pytest.mark.parametrize("device", DEVICES)
def test_odd_strides_of_axes_of_one_change_nothing(device):
    memory = torch.randn(4 * 50 + 50, device=device)
    x = memory.as_strided((4, 2, 1, 5, 5), (50, 25, 0, 5, 1))
    torch.manual_seed(0)
    ours, plain = NormLIF(1).to(device), NormLIF(1, backend="reference").to(device)
    assert torch.equal(ours(x)[0], plain(x)[0])
    one = memory.as_strided((1, 1, 2, 2, 2), (8, 8, 1, 4, 2))
    results = []
    for backend in ("reference", device):
        leaf = one.double().detach().requires_grad_()
        layer = NormLIF(2, backend=backend).to(device).double()
        results.append(torch.autograd.grad(layer(leaf)[1].square().sum(), leaf)[0])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("backend", ["reference", *DEVICES])
def test_what_comes_out_may_be_changed_in_place(backend):
    x, state = inputs((4, 2, 3, 5), torch.float32, "cpu" if backend == "reference" else backend)
    x.requires_grad_()
    spikes, last = lif(x, state=state, backend=backend)
    spikes += x
    last.mul_(2)
    torch.autograd.grad(spikes.sum() + last.sum(), x)


@pytest.mark.parametrize("device", DEVICES)
def test_an_infinite_gradient_does_not_become_nan_where_the_reset_is_detached(device):
    x, _ = inputs((4, 2, 3), torch.float32, device)
    grads = []
    for backend in ("reference", device):
        leaf = x.clone().requires_grad_()
        spikes = lif(leaf, backend=backend)[0]
        grads.append(torch.autograd.grad(spikes, leaf, torch.full_like(spikes, float("inf")))[0])
    assert not grads[0].isnan().any()
    assert torch.equal(grads[0].isinf(), grads[1].isinf())
    assert not grads[1].isnan().any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_results_do_not_depend_on_the_number_of_threads(layout, device):
    x, state = inputs((8, 4, 16, 33, 35), torch.float32, device, layout)
    learned = {"beta": torch.linspace(0.6, 0.95, 16, device=device)}
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(run(lif, x, state, learned, backend=device))
    finally:
        torch.set_num_threads(threads)
    for spikes, last, grads in results[1:]:
        assert torch.equal(spikes, results[0][0])
        assert torch.equal(last, results[0][1])
        assert all(torch.equal(grads[name], results[0][2][name]) for name in grads)
