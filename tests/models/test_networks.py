"""What every network promises: logits per step, named features, and for the student, nothing but spikes inside."""

import pytest
import torch
from torch import nn

from snnkd.errors import ModelError
from snnkd.models import EventStudent, FrameTeacher, parameter_count, predict


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
@pytest.mark.parametrize(("kind", "make"), [(EventStudent, events), (FrameTeacher, frames)])
def test_logits_per_step_and_features_of_the_promised_shapes(kind, make, size):
    network = kind(size)
    output = network.run(make(size=size))
    assert output.logits.shape == (5, 2, 7)
    assert {k: tuple(v.shape[2:]) for k, v in output.features.items()} == network.feature_shapes
    assert all(v.shape[:2] == (5, 2) for v in output.features.values())
    assert torch.equal(predict(output.logits), output.logits.mean(0))


def test_the_student_is_light():
    assert parameter_count(EventStudent((96, 96))) < 600_000


def test_every_synaptic_input_past_the_first_layer_is_binary():
    network = trained_norms(EventStudent(binary_input=False))
    seen = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda m, x, y, name=name: seen.update({name: x[0]}))
    network(events())
    first, *rest = seen
    assert seen[first].max() > 1  # event counts
    assert len(rest) == 4
    for name in rest:
        assert set(seen[name].unique().tolist()) == {0.0, 1.0}, name


def test_binary_input_sees_whether_and_not_how_often():
    network = trained_norms(EventStudent())
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
def test_the_student_streams(cut):
    network = trained_norms(EventStudent())
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
    with pytest.raises(ModelError, match="input_size must be at least 16x16"):
        EventStudent((8, 64))
