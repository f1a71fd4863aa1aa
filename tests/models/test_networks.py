"""What every network promises: logits per step, named features, and for the student, nothing but spikes inside."""

import pytest
import torch
from torch import nn

from snnkd.errors import ModelError
from snnkd.models import STUDENT_SIZES, EventStudent, FrameStudent, FrameTeacher, parameter_count, predict
from snnkd.models.blocks import ResidualBlock, SlowSynapses, SpikingStage


def events(steps=5, batch=2, size=(64, 64), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.poisson(torch.full((steps, batch, 2, size[1], size[0]), 0.3), generator=generator)


def frames(steps=5, batch=2, size=(64, 64)):
    return torch.rand(steps, batch, 1, size[1], size[0])


def trained_norms(network):
    """Give batch norm statistics of its own input, so that evaluation fires as training does."""
    network.train()
    with torch.no_grad():
        for _ in range(30):
            network(events())
    return network.eval()


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (90, 90)])
@pytest.mark.parametrize(("kind", "make"), [(EventStudent, events), (FrameStudent, frames), (FrameTeacher, frames)])
def test_logits_per_step_and_features_of_the_promised_shapes(kind, make, size):
    network = kind(size)
    output = network.run(make(size=size))
    assert output.logits.shape == (5, 2, 7)
    assert {k: tuple(v.shape[2:]) for k, v in output.features.items()} == network.feature_shapes
    assert all(v.shape[:2] == (5, 2) for v in output.features.values())
    assert torch.equal(predict(output.logits), output.logits.mean(0))


@pytest.mark.parametrize(("size", "most"), [("nano", 100_000), ("tiny", 300_000), ("small", 600_000)])
def test_students_are_light(size, most):
    for network in (EventStudent(size=size), EventStudent((96, 96), size=size), FrameStudent(size=size)):
        assert most / 3 < parameter_count(network) < most


@pytest.mark.parametrize("size", STUDENT_SIZES)
@pytest.mark.parametrize("kind", [EventStudent, FrameStudent])
def test_every_synaptic_input_past_the_first_layer_is_binary(kind, size):
    torch.manual_seed(0)
    network = kind(size=size, **({"binary_input": False} if kind is EventStudent else {})).train()
    seen = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda m, x, y, name=name: seen.update({name: x[0].detach()}))
    make = events if kind is EventStudent else frames
    network.dropout.p = 0.0  # which scales what it keeps in training, and is not there in use
    for _ in range(20):
        network(make())
    network.eval()(make())
    first, *rest = seen
    assert len(seen[first].unique()) > 2
    assert len(rest) == 3 + 2 * sum(STUDENT_SIZES[size].blocks) + 1
    for name in rest:
        assert set(seen[name].unique().tolist()) == {0.0, 1.0}, name


def test_counts_are_seen_up_to_a_bound():
    network = trained_norms(EventStudent(size="nano", binary_input=False, max_count=3))
    x = 6 * (events() > 0)
    assert torch.equal(network(x.float()), network(x.clamp(max=3).float()))
    assert not torch.equal(network(x.float()), network(x.clamp(max=1).float()))


def test_slow_synapses_are_leaky_sums_of_their_formula():
    synapses = SlowSynapses(5, 0.5, (0.5, 0.9))
    assert synapses.number == 2
    x = torch.randn(6, 3, 5, 4, 4)
    y, state = synapses(x)
    kept = torch.zeros(3, 2, 4, 4)
    for t in range(6):
        kept = torch.tensor([0.5, 0.9]).reshape(1, 2, 1, 1) * kept + x[t, :, :2]
        torch.testing.assert_close(y[t, :, :2], kept)
    torch.testing.assert_close(state, kept)
    assert torch.equal(y[:, :, 2:], x[:, :, 2:])


def test_a_block_adds_to_the_current_that_passes_it_by():
    """The stage against its formula, layer by layer, in evaluation and with the blocks' norms at zero."""
    torch.manual_seed(0)
    stage = SpikingStage(3, 8, 2, 0.8).train()
    x = (torch.rand(7, 4, 3, 16, 16) < 0.3).float()
    for _ in range(20):
        stage(x)
    stage.eval()

    def over(layer, y):
        return layer(y.flatten(0, 1)).unflatten(0, y.shape[:2])

    with torch.no_grad():
        u = over(stage.norm, over(stage.conv, x))
        for block in stage.blocks:
            inner = over(block.lif2.norm, over(block.conv1, block.lif1(u)[0]))
            plain = block.lif1.__class__.forward(block.lif2, inner)[0]
            u = u + over(block.norm, over(block.conv2, plain))
        torch.testing.assert_close(stage(x)[0], stage.lif(u)[0])
        for block in stage.blocks:
            block.norm.weight.zero_()
            block.norm.bias.zero_()
        alone = stage.lif(over(stage.norm, over(stage.conv, x)))[0]
        assert torch.equal(stage(x)[0], alone)


def test_binary_input_sees_whether_and_not_how_often():
    network = trained_norms(EventStudent(binary_input=True))
    x = events()
    assert torch.equal(network(x), network(x.clamp(max=1)))
    assert not torch.equal(network(x), network(torch.zeros_like(x)))


def test_a_short_training_is_evaluated_on_statistics_that_let_it_fire():
    torch.manual_seed(0)
    network = EventStudent()

    def firing():
        with torch.no_grad():
            return torch.stack([f.mean() for f in network.run(events(steps=12)).features.values()])

    trained = [firing() for _ in range(20)][-1]
    network.eval()
    torch.testing.assert_close(firing(), trained, rtol=0.25, atol=0.0)
    assert (trained > 0.01).all()


@pytest.mark.parametrize("cut", [1, 4, 7])
@pytest.mark.parametrize("size", STUDENT_SIZES)
def test_the_student_streams(cut, size):
    network = trained_norms(EventStudent(size=size))
    x = events(steps=8)
    with torch.inference_mode():
        whole = network.run(x)
        first = network.run(x[:cut])
        second = network.run(x[cut:], first.state)
    torch.testing.assert_close(torch.cat([first.logits, second.logits]), whole.logits)
    for carried, straight in zip(second.state, whole.state, strict=True):
        torch.testing.assert_close(carried, straight)


def test_the_students_readout_is_the_leaky_mean_of_its_formula():
    network = trained_norms(EventStudent())
    x = events(steps=4)
    with torch.no_grad():
        output = network.run(x)
        current = network.head(output.features["stage4"].flatten(2))
        beta, z = network.readout.beta, torch.zeros(2, 7)
        for t in range(4):
            z = beta * z + (1 - beta) * current[t]
            torch.testing.assert_close(output.logits[t], z)


def test_the_teacher_sees_no_later_frame():
    network = FrameTeacher().eval()
    x = frames(steps=6)
    changed = x.clone()
    changed[4:] = 1 - changed[4:]
    with torch.no_grad():
        a, b = network(x), network(changed)
    torch.testing.assert_close(a[:4], b[:4])
    assert not torch.allclose(a[4:], b[4:])


def test_no_network_mixes_the_clips_of_a_batch():
    for network, make in ((trained_norms(EventStudent()), events), (FrameTeacher().eval(), frames)):
        x = make(batch=3)
        with torch.no_grad():
            torch.testing.assert_close(network(x)[:, 1:2], network(x[:, 1:2]), rtol=1e-4, atol=1e-5)


def test_a_batch_of_the_wrong_layout_is_refused():
    with pytest.raises(ValueError, match=r"EventStudent takes \(T, B, 2, 64, 64\), time first"):
        EventStudent()(torch.zeros(2, 5, 64, 64, 2))
    with pytest.raises(ValueError, match="FrameTeacher takes"):
        FrameTeacher()(events())
    with pytest.raises(ValueError, match="takes no state"):
        FrameTeacher().run(frames(), state=())
    with pytest.raises(ValueError, match=r"FrameStudent takes \(T, B, 1, 64, 64\), time first"):
        FrameStudent()(events())
    with pytest.raises(ValueError, match="takes no state"):
        FrameStudent().run(frames(), state=())
    with pytest.raises(ModelError, match="input_size must be at least 16x16"):
        EventStudent((8, 64))
    with pytest.raises(ModelError, match="size must be one of nano, tiny, small, got 'huge'"):
        EventStudent(size="huge")
    with pytest.raises(ModelError, match="blocks must be a number from 0 to 64 for each of the channels"):
        EventStudent(channels=(4, 8), blocks=(1,))
    with pytest.raises(ModelError, match="FrameStudent: has no binary_input"):
        FrameStudent(binary_input=True)


@pytest.mark.parametrize("widths", [(4, 8), (3, 5), (16, 32)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_residual_blocks_gradients_with_channels_last_are_those_of_float64(widths, threads):
    """Few channels are what a processor's library of convolutions may have a way of its own for."""
    torch.manual_seed(0)
    exact = ResidualBlock(*widths, 2).double()
    block = ResidualBlock(*widths, 2).to(memory_format=torch.channels_last)
    block.load_state_dict(exact.state_dict())
    x, g = torch.randn(96, widths[0], 16, 16), torch.randn(96, widths[1], 8, 8)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for network, dtype in ((exact, torch.float64), (block, torch.float32)):
            network(x.to(dtype).contiguous(memory_format=torch.channels_last)).backward(g.to(dtype))
    finally:
        torch.set_num_threads(before)
    for (name, p), q in zip(block.named_parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(p.grad.double(), q.grad, rtol=1e-3, atol=1e-3 * float(q.grad.abs().max()), msg=name)
