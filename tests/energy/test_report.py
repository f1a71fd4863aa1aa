"""The report: hand-computed figures, per sample, and profiles that say where their constants are from."""

import pytest
import torch
from torch import nn

from snnkd.energy import available_hardware, load_hardware, profile
from snnkd.errors import ConfigError
from snnkd.models import EventStudent, FrameTeacher
from snnkd.spiking import LIF

MAC, AC = 4.6e-12, 0.9e-12


class Tiny(nn.Module):
    """Two inputs, one weight each, one neuron: small enough to count by hand."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)
        self.lif = LIF(beta=0.5, threshold=1.0)
        self.head = nn.Linear(1, 3)

    def forward(self, x):
        current = self.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.head(self.lif(current)[0].flatten(2))


def test_a_network_counted_by_hand():
    x = torch.zeros(3, 2, 2, 1, 1)  # T, B, C, H, W
    x[:, 0] = 1  # sample 0: current 2 at every step: h = 2, 2.5, 2.75, fires each time
    x[0, 1, 0] = 1  # sample 1: current 1 once, never above 1
    report = profile(Tiny(), x)
    conv, lif, head = report.layers
    assert (conv.synaptic_operations, conv.macs) == ((6 + 1) / 2, 0)
    assert (lif.neuron_updates, lif.spikes) == (3, 3 / 2)
    assert (head.synaptic_operations, head.macs) == (3 * 3 / 2, 0)
    assert report.spike_rate == 3 / 6
    assert report.synaptic_operations == 3.5 + 4.5
    assert report.joules == pytest.approx((8 + 1.5) * AC + 3 * MAC, rel=1e-12)
    assert report.joules == pytest.approx(sum(layer.joules for layer in report.layers), rel=1e-12)


def test_per_sample_figures_do_not_depend_on_the_batch():
    network = EventStudent((32, 32), (4, 8)).eval()
    x = torch.poisson(torch.full((5, 4, 2, 32, 32), 0.3), generator=torch.Generator().manual_seed(0))
    whole = profile(network, x)
    each = [profile(network, x[:, i : i + 1]) for i in range(4)]
    assert whole.synaptic_operations == pytest.approx(sum(r.synaptic_operations for r in each) / 4)
    assert whole.joules == pytest.approx(sum(r.joules for r in each) / 4)


def test_the_student_needs_no_multiplication_in_its_synapses_and_the_teacher_nothing_else():
    network = EventStudent((32, 32), (4, 8))
    for layer in network.modules():
        if isinstance(layer, LIF):
            layer.threshold.data.fill_(0.01)  # before training it is silent otherwise
    student = profile(network, torch.ones(3, 2, 2, 32, 32))
    assert student.macs == 0
    assert student.synaptic_operations > 0
    neurons = [layer for layer in student.layers if layer.input == "current"]
    assert {layer.kind for layer in neurons} == {"NormLIF", "LI"}
    firing = [layer for layer in neurons if layer.kind == "NormLIF"]
    rate = sum(layer.spikes for layer in firing) / sum(layer.neuron_updates for layer in firing)
    assert student.spike_rate == pytest.approx(rate)
    assert 0 < rate < 1
    teacher = profile(FrameTeacher((32, 32), (4, 8)), torch.rand(3, 2, 1, 32, 32))
    assert teacher.synaptic_operations == 0
    assert teacher.spike_rate is None
    # The stem alone: 3x3 over 2 channels, stride 2, padding 1 on 32x32 to 4 maps of 16x16.
    inside = (3 * 16 - 1) ** 2
    assert teacher.layers[0].macs == 3 * inside * 2 * 4


def test_profiling_leaves_the_network_as_it_was():
    network = EventStudent((32, 32), (4, 8)).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    profile(network, torch.ones(3, 2, 2, 32, 32))
    assert network.training
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_table_json_and_plot_say_the_same(tmp_path):
    report = profile(Tiny(), torch.ones(3, 2, 2, 1, 1))
    data = report.to_json()
    assert data["per_sample"]["joules"] == report.joules
    assert [layer["name"] for layer in data["layers"]] == ["conv", "lif", "head"]
    table = report.table()
    for name in ("conv", "lif", "head", "total", "45nm-fp32"):
        assert name in table
    labels = [t.get_text() for t in report.plot().axes[0].get_yticklabels()]
    assert labels == ["conv", "lif", "head"]


def test_profiles_carry_their_sources():
    assert "45nm-fp32" in available_hardware()
    for name in available_hardware():
        hardware = load_hardware(name)
        assert hardware.mac.source
        assert hardware.ac.source
    assert load_hardware("45nm-fp32").mac.joules == pytest.approx(MAC)
    assert load_hardware("45nm-fp32").ac.joules == pytest.approx(AC)


GOOD = "constants:\n  mac: {value: 3, unit: pJ, source: here}\n  ac: {value: 1, unit: pJ, source: here}\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit: pJ, source: here}\n  ac", "source: here}\n  ac", "constants.mac.unit is missing"),
        ("value: 1, unit: pJ, source: here", "value: 1, unit: pJ", "constants.ac.source is missing"),
        ("value: 1", "value: -1", "constants.ac.value: must be a number above zero"),
        ("value: 1, unit: pJ", "value: 1, unit: cal", "constants.ac.unit: 'cal' is not one of"),
        ("  ac:", "  acc:", "constants.ac is missing"),
        ("constants", "{", "is not YAML"),
        ("constants", "numbers", "key 'constants' is missing"),
    ],
)
def test_a_profile_that_cannot_be_trusted_is_refused(tmp_path, old, new, message):
    path = tmp_path / "chip.yaml"
    path.write_text(GOOD)
    assert load_hardware(str(path)).ac.joules == pytest.approx(1e-12)
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_hardware(str(bad))


def test_what_cannot_be_profiled():
    with pytest.raises(ConfigError, match="hardware 'abacus' is not known: choose from 45nm-fp32"):
        profile(Tiny(), torch.ones(3, 2, 2, 1, 1), hardware="abacus")
    with pytest.raises(ValueError, match=r"batch must be \(T, B, C, H, W\)"):
        profile(Tiny(), torch.ones(2, 2, 1, 1))
    with pytest.raises(ValueError, match="nothing was counted"):
        profile(nn.Identity(), torch.ones(3, 2, 2, 1, 1))
