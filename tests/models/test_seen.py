"""SEEN against its description, written out step by step, and its place among the networks."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from snnkd.errors import ModelError
from snnkd.models import SEEN, SEENNetwork, load_model, parameter_count, predict, save_model
from snnkd.models.seen import neurons
from snnkd.models.seen_network import event_images, seen_inputs
from snnkd.spiking import Surrogate
from snnkd.spiking.surrogate import spike_function

EMOTIONS = ("happiness", "sadness", "anger", "disgust", "surprise", "fear", "neutral")


def drawn(size=(90, 90), steps=3, batch=2, seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return [torch.rand(batch, 3, steps, size[1], size[0], dtype=dtype) for _ in range(2)]


def active(seen):
    """Weights large enough for every layer to fire, as trained ones are."""
    with torch.no_grad():
        for name, parameter in seen.named_parameters():
            if parameter.ndim == 4 and "mlp" not in name:
                parameter.mul_(3)
    return seen


def step_by_step(net, frames, events):
    """The description, one event image and one neuron update at a time."""
    step = spike_function(Surrogate("rectangle", 0.5))

    def lif(x, m, s):
        m = 0.2 * m * (1 - s) + x
        return m, step(m - 0.3)

    def scales(x, bias):
        for conv in (net.conv1_f2, net.conv1_f3, net.conv1_f4):
            weight = conv.weight if bias else conv.weight.detach()
            yield functional.conv2d(x, weight, conv.bias if bias else None, conv.stride, conv.padding)

    def rest(conv, x):
        return functional.conv2d(x, conv.weight.detach(), None, conv.stride, conv.padding)

    x = net.conv0(torch.cat([frames[:, :, 0], frames[:, :, -1]], 1))
    maps, mlps = list(scales(x, True)), (net.mlp_f1, net.mlp_f2, net.mlp_f3)
    w = torch.softmax(torch.cat([f(m) for f, m in zip(mlps, maps, strict=True)], 1), 1)
    x = net.conv1_cat(torch.cat([w[:, i : i + 1] * m for i, m in enumerate(maps)], 1))
    x = net.conv3_f2(net.conv2_f2(x)).flatten(1)
    held = lif(x, 0.0, 0.0)[1]
    states = [(0.0, 0.0)] * 5
    total = 0.0
    for t in range(events.shape[2]):
        x = torch.cat([w[:, i : i + 1] * m for i, m in enumerate(scales(events[:, :, t], False))], 1)
        for i, conv in enumerate((net.conv1_cat, net.conv2_f2, net.conv3_f2)):
            states[i] = lif(rest(conv, x), *states[i])
            x = states[i][1]
        states[3] = lif(net.fc1(x.flatten(1) + held), *states[3])
        states[4] = lif(net.fc2(states[3][1]), *states[4])
        total = total + states[4][0]
    return total / events.shape[2]


def test_it_has_the_authors_parameters():
    net = SEEN()
    assert parameter_count(net) == 6_078_655
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert shapes["conv0.weight"] == (3, 6, 1, 1)
    assert shapes["conv1_f4.weight"] == (64, 3, 7, 7)
    assert shapes["mlp_f2.1.weight"] == (8, 64, 1, 1)
    assert shapes["mlp_f3.2.weight"] == (8,)
    assert shapes["mlp_f1.4.weight"] == (1, 8, 1, 1)
    assert shapes["conv3_f2.weight"] == (512, 256, 3, 3)
    assert shapes["fc1.weight"] == (256, 18432)
    assert net(*drawn()).shape == (2, 7)


def test_its_dense_multiplications_are_the_published_ones():
    """0.907 G at 90×90 and four event images: convolutions and linear layers, counted from their outputs."""
    net, total = SEEN().eval(), 0
    conv2d, linear = functional.conv2d, functional.linear

    def counting_conv(x, weight, *rest, **more):
        nonlocal total
        y = conv2d(x, weight, *rest, **more)
        total += y.numel() * weight[0].numel()
        return y

    def counting_linear(x, weight, *rest):
        nonlocal total
        y = linear(x, weight, *rest)
        total += y.numel() * weight.shape[1]
        return y

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "conv2d", counting_conv)
        patch.setattr(functional, "linear", counting_linear)
        patch.setattr(
            nn.Conv2d, "_conv_forward", lambda self, x, w, b: counting_conv(x, w, b, self.stride, self.padding)
        )
        net(*drawn(steps=4, batch=1))
    assert total == pytest.approx(0.907e9, rel=0.002)


def test_it_is_its_description_in_values_and_gradients():
    torch.manual_seed(1)
    net = active(SEEN(input_size=(34, 30)).double())
    frames, events = drawn((34, 30), steps=4, batch=3, dtype=torch.float64)
    results = []
    for function in (net.__call__, lambda f, e: step_by_step(net, f, e)):
        net.zero_grad()
        net.mlp_f1[2].reset_running_stats()
        f, e = frames.clone().requires_grad_(), events.clone().requires_grad_()
        out = function(f, e)
        out.square().sum().backward()
        results.append([out.detach(), f.grad, e.grad, *(p.grad for p in net.parameters())])
    assert results[0][0].abs().max() > 0
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_its_neuron_is_the_equation():
    torch.manual_seed(0)
    x, m, s = torch.randn(50, 40), torch.zeros(40), torch.zeros(40)
    got, last = neurons(x)
    for t in range(50):
        m = 0.2 * m * (1 - s) + x[t]
        s = (m > 0.3).float()
        assert torch.equal(got[t], s)
    torch.testing.assert_close(last, m)


def test_every_spike_is_one():
    net = active(SEEN(input_size=(34, 30)))
    frames, events = drawn((34, 30))
    _, spikes = net.run(frames[:, :, 0], frames[:, :, -1], events.movedim(2, 0))
    for name, each in spikes.items():
        assert set(each.unique().tolist()) <= {0.0, 1.0}, name
        assert each.mean() > 0, name


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: {"state_dict": {f"module.{k}": v for k, v in d.items()}}])
def test_a_checkpoint_of_the_authors_layout_loads(tmp_path, wrap):
    theirs, ours = SEEN(), SEEN()
    torch.save(wrap(theirs.state_dict()), tmp_path / "seen.pth")
    ours.load_checkpoint(tmp_path / "seen.pth")
    frames, events = drawn()
    assert torch.equal(theirs.eval()(frames, events), ours.eval()(frames, events))


def test_what_is_no_checkpoint_of_it_is_refused_by_name(tmp_path):
    path = tmp_path / "x.pth"
    state = SEEN().state_dict()
    for change, message in (
        ({k: v for k, v in state.items() if k != "fc2.bias"}, "tensor 'fc2.bias' is missing"),
        ({**state, "fc2.bias": torch.zeros(8)}, r"tensor 'fc2.bias' has shape \(8,\), SEEN at \(90, 90\) \(7,\)"),
        ({**state, "fc3.bias": torch.zeros(8)}, "unknown tensor 'fc3.bias'"),
        ([1, 2], "holds no state dict but a list"),
    ):
        torch.save(change, path)
        with pytest.raises(ModelError, match=message):
            SEEN().load_checkpoint(path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="is no checkpoint of plain tensors"):
        SEEN().load_checkpoint(path)

    class Bad:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"state_dict": Bad()}, path)
    with pytest.raises(ModelError, match="is no checkpoint of plain tensors"):
        SEEN().load_checkpoint(path)


def test_a_batch_of_another_layout_is_refused():
    with pytest.raises(ValueError, match=r"events must be \(B, 3, T, 90, 90\), got \(2, 3, 3, 90, 80\)"):
        SEEN()(torch.zeros(2, 3, 3, 90, 90), torch.zeros(2, 3, 3, 90, 80))


def both(steps=4, batch=2, size=(40, 36)):
    torch.manual_seed(3)
    frames = torch.rand(steps, batch, 1, size[1], size[0])
    return torch.cat([frames, torch.poisson(torch.full((steps, batch, 2, size[1], size[0]), 0.5))], 2)


def test_among_the_networks_its_prediction_is_its_output(tmp_path):
    network = SEENNetwork((40, 36)).eval()
    active(network.seen)
    x = both()
    output = network.run(x)
    torch.testing.assert_close(predict(output.logits), network.seen(*seen_inputs(x)))
    assert {k: tuple(v.shape[2:]) for k, v in output.features.items()} == network.feature_shapes
    torch.testing.assert_close(network(x)[:, 1:], network(x[:, 1:]), rtol=1e-4, atol=1e-5)
    save_model(network, tmp_path / "m", emotions=EMOTIONS, input={})
    assert torch.equal(load_model(tmp_path / "m")[0](x), network(x))
    with pytest.raises(ValueError, match=r"SEENNetwork takes \(T, B, 3, 36, 40\)"):
        network(x[:, :, :2])
    with pytest.raises(ValueError, match="takes no state"):
        network.run(x, state=())


def test_event_images_are_grey_where_nothing_happened():
    counts = torch.zeros(1, 1, 2, 1, 4)
    counts[0, 0, 1, 0, 1], counts[0, 0, 0, 0, 2], counts[0, 0, 1, 0, 3] = 2, 1, 99
    assert event_images(counts, 0.1)[0, 0, :, 0].T.tolist() == [
        pytest.approx([value] * 3) for value in (0.504, 0.704, 0.404, 1.0)
    ]
