"""The price of synaptic operations: exact, differentiable, and felt by a training."""

import pytest
import torch
from brute_force import convolution_pairs, linear_pairs
from torch import nn

from snnkd.energy import profile
from snnkd.errors import ConfigError
from snnkd.models import EventStudent, FrameTeacher, FusionTeacher
from snnkd.spiking import LIF
from snnkd.training import Classification
from snnkd.training.energy_price import energy_price, fan_out_of, recorded_operations


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 1, 1)])
def test_the_fan_out_is_the_gradient_and_the_count_is_exact(groups, stride, padding, dilation):
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 4, 3, stride, padding, dilation, groups)
    layer.weight.data[torch.rand_like(layer.weight) < 0.3] = 0
    network = nn.Sequential(nn.Identity(), nn.Conv2d(2, 2, 1), layer)  # the first layer with weights is not priced
    spikes = (torch.rand(3, 2, 7, 6) < 0.4).float().requires_grad_()
    with recorded_operations(network) as operations:
        operations.add(layer, spikes)
    assert operations.total.item() == convolution_pairs(layer, spikes.detach()).sum()
    operations.total.backward()
    ones = torch.zeros(1, 2, 7, 6)
    ones[0, 1, 3, 3] = 1
    assert spikes.grad[0, 1, 3, 3] == convolution_pairs(layer, ones).item()
    assert torch.equal(spikes.grad[0], fan_out_of(layer, spikes))
    assert operations.dense == convolution_pairs(layer, torch.ones(3, 2, 7, 6)).sum()


def test_linear_layers_and_what_has_no_fan_out():
    torch.manual_seed(0)
    layer = nn.Linear(5, 3)
    layer.weight.data[0, 1:4] = 0
    x = (torch.rand(4, 5) < 0.5).float()
    assert (x * fan_out_of(layer, x)).sum() == linear_pairs(layer, x).sum()
    with pytest.raises(ValueError, match="padding 'same'"):
        fan_out_of(nn.Conv2d(1, 1, 3, padding="same"), torch.zeros(1, 1, 4, 4))


def lively(seed=0):
    torch.manual_seed(seed)
    network = EventStudent((32, 32), (4, 8), dropout=0.0)
    for layer in network.modules():
        if isinstance(layer, LIF):
            layer.threshold.data.fill_(0.05)
    return network


def test_it_is_the_profiles_count_past_the_first_layer():
    network = lively().eval()
    x = (torch.rand(4, 3, 2, 32, 32) < 0.2).float()
    with torch.no_grad(), recorded_operations(network) as operations:
        network(x)
    report = profile(network, x)
    first, *others = (layer for layer in report.layers if layer.inputs)
    assert operations.total.item() == pytest.approx(3 * sum(layer.synaptic_operations for layer in others))
    assert operations.dense == pytest.approx(3 * sum(layer.dense_operations for layer in others))
    assert first.name == "stages.0.conv"


def test_a_training_that_pays_for_operations_makes_fewer():
    x, labels = (torch.rand(5, 6, 2, 32, 32) < 0.2).float(), torch.arange(6)
    shares = {}
    for weight in (0.0, 5.0):
        network = lively().train()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        for _ in range(15):
            with recorded_operations(network) as operations:
                loss = nn.functional.cross_entropy(network(x).mean(0), labels)
            loss = loss + weight * energy_price(operations, 0.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with recorded_operations(network) as operations, torch.no_grad():
            network(x)
        shares[weight] = operations.share().item()
    assert 0 < shares[5.0] < 0.8 * shares[0.0]


def test_below_its_target_it_costs_nothing():
    network = lively()
    with recorded_operations(network) as operations:
        network((torch.rand(3, 2, 2, 32, 32) < 0.2).float())
    share = operations.share().item()
    assert energy_price(operations, min(1.0, share + 0.01)).item() == 0
    assert energy_price(operations, 0.0).item() == pytest.approx(share)
    with pytest.raises(ValueError, match="target must be from 0 to 1"):
        energy_price(operations, 2.0)


def test_a_module_takes_it_by_name_and_refuses_what_has_no_spikes():
    module = Classification(lively(), energy_weight=0.5, energy_target=0.1)
    assert (module.energy_weight, module.energy_target) == (0.5, 0.1)
    with pytest.raises(ConfigError, match=r"energy_weight: prices the students.*FrameTeacher is none"):
        Classification(FrameTeacher((32, 32), (4, 8)), energy_weight=0.5)
    with pytest.raises(ConfigError, match="FusionTeacher is none"):  # it fires, but its frames are no spikes
        Classification(FusionTeacher((32, 32), (4, 8), (4, 8)), energy_weight=0.5)
    with pytest.raises(ConfigError, match="energy_target: must be from 0 to 1"):
        Classification(lively(), energy_target=3.0)
