"""The fusion teacher: both branches count, no step looks ahead, only spikes run in the events' branch."""

import pytest
import torch
from torch import nn

from snnkd.models import FusionTeacher, load_model, parameter_count, save_model

EMOTIONS = ("happiness", "sadness", "anger", "disgust", "surprise", "fear", "neutral")


def clips(steps=6, batch=2, size=(64, 64)):
    torch.manual_seed(0)
    frames = torch.rand(steps, batch, 1, size[1], size[0])
    return torch.cat([frames, torch.poisson(torch.full((steps, batch, 2, size[1], size[0]), 0.3))], 2)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = FusionTeacher().train()
    with torch.no_grad():
        for _ in range(20):
            network(clips())
    return network.eval()


def test_shapes_and_weight(network):
    x = clips()
    output = network.run(x)
    assert output.logits.shape == (6, 2, 7)
    assert {k: tuple(v.shape[2:]) for k, v in output.features.items()} == network.feature_shapes
    assert 600_000 < parameter_count(network) < 1_200_000


def test_no_step_sees_what_comes_later_and_both_branches_count(network):
    x = clips()
    whole = network(x)
    for channels in (slice(0, 1), slice(1, 3)):
        changed = x.clone()
        changed[4:, :, channels] = 1 - changed[4:, :, channels].clamp(max=1)
        other = network(changed)
        torch.testing.assert_close(other[:4], whole[:4])
        assert not torch.allclose(other[4:], whole[4:])


def test_the_events_branch_passes_spikes_alone(network):
    seen = []
    for module in network.stages.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, x, y: seen.append(set(x[0].unique().tolist())))
    network(clips())
    assert len(seen) == 4
    assert all(values == {0.0, 1.0} for values in seen)


def test_gradient_reaches_every_parameter():
    network = FusionTeacher((32, 32), (4, 6), (4, 6)).train()
    network(clips(size=(32, 32))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_round_trip_and_refusals(network, tmp_path):
    save_model(network, tmp_path / "m", emotions=EMOTIONS, input={})
    x = clips()
    assert torch.equal(load_model(tmp_path / "m")[0](x), network(x))
    with pytest.raises(ValueError, match=r"FusionTeacher takes \(T, B, 3, 64, 64\)"):
        network(x[:, :, :1])
    with pytest.raises(ValueError, match="takes no state"):
        network.run(x, state=())
