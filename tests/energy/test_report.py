"""The report: hand-computed figures, per sample, and what it says beside others."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from torch import nn

from snnkd.energy import Profiler, load_hardware, profile
from snnkd.errors import ConfigError
from snnkd.models import EventStudent, FrameTeacher, FusionTeacher, SEENNetwork
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


def tiny_input():
    x = torch.zeros(3, 2, 2, 1, 1)  # T, B, C, H, W
    x[:, 0] = 1  # sample 0: current 2 at every step: h = 2, 2.5, 2.75, fires each time
    x[0, 1, 0] = 1  # sample 1: current 1 once, never above 1
    return x


def test_a_network_counted_by_hand():
    report = profile(Tiny(), tiny_input(), inputs="events")
    conv, lif, head = report.layers
    assert (conv.synaptic_operations, conv.macs, conv.dense_operations) == ((6 + 1) / 2, 0, 6)
    assert (lif.neuron_updates, lif.spikes, lif.comparisons, lif.additions) == (3, 3 / 2, 3, 3 / 2)
    assert (head.synaptic_operations, head.macs) == (3 * 3 / 2, 0)
    assert report.spike_rate == 3 / 6
    assert report.synaptic_operations == 3.5 + 4.5
    assert report.joules == pytest.approx((8 + 1.5 + 3) * AC + 3 * MAC, rel=1e-12)
    assert report.joules == pytest.approx(sum(layer.joules for layer in report.layers), rel=1e-12)
    assert report.per_sample().tolist() == pytest.approx([(6 + 9 + 3 + 3) * AC + 3 * MAC, (1 + 3) * AC + 3 * MAC])
    assert report.per_step("synaptic_operations").tolist() == [(2 + 1 + 3) / 2, (2 + 3) / 2, (2 + 3) / 2]
    assert report.per_step().sum() == pytest.approx(report.joules)
    assert report.per_sample().mean() == pytest.approx(report.joules)


def events(steps=5, batch=4, size=32, seed=0):
    return torch.poisson(torch.full((steps, batch, 2, size, size), 0.3), generator=torch.Generator().manual_seed(seed))


def lively(network):
    """Before training it is silent otherwise."""
    for layer in network.modules():
        if isinstance(layer, LIF):
            layer.threshold.data.fill_(0.01)
    return network.eval()


def test_figures_of_a_sample_do_not_depend_on_its_batch_or_on_how_they_were_gathered():
    network, x = lively(EventStudent((32, 32), (4, 8))), events()
    whole = profile(network, x)
    each = [profile(network, x[:, i : i + 1]) for i in range(4)]
    assert whole.per_sample().tolist() == pytest.approx([r.joules for r in each])
    profiler = Profiler(network)
    profiler.add(x[:, :3])
    profiler.add(x[:, 3:])
    gathered = profiler.report()
    assert gathered.per_sample().tolist() == pytest.approx(whole.per_sample().tolist())
    assert gathered.per_step("spikes").tolist() == pytest.approx(whole.per_step("spikes").tolist())
    assert [vars(layer) for layer in gathered.layers] == [
        {key: pytest.approx(value) for key, value in vars(layer).items()} for layer in whole.layers
    ]
    with pytest.raises(ValueError, match="batch has 3 time steps, and those before it 5"):
        profiler.add(x[:3])


def test_the_student_needs_no_multiplication_in_its_synapses_and_the_teacher_nothing_else():
    student = profile(lively(EventStudent((32, 32), (4, 8))), events())
    assert student.macs == 0
    assert student.synaptic_operations > 0
    assert {layer.input for layer in student.layers if layer.inputs} == {"integer", "binary"}
    firing = [layer for layer in student.layers if layer.kind == "LIF"]
    rate = sum(layer.spikes for layer in firing) / sum(layer.neuron_updates for layer in firing)
    assert student.spike_rate == pytest.approx(rate)
    assert 0 < rate < 1
    teacher = profile(FrameTeacher((32, 32), (4, 8)), torch.rand(3, 2, 1, 32, 32))
    assert teacher.synaptic_operations == 0
    assert teacher.spike_rate is None
    # The stem alone: 3x3 over 2 channels, stride 2, padding 1 on 32x32 to 4 maps of 16x16.
    stem = next(layer for layer in teacher.layers if layer.name == "stem.0")
    assert stem.macs == 3 * (3 * 16 - 1) ** 2 * 2 * 4


@pytest.mark.parametrize("network", [FusionTeacher((32, 32), (4, 8), (4, 8)), SEENNetwork((32, 32))])
def test_every_network_of_the_library_is_counted_whole(network):
    x = torch.cat([torch.rand(3, 2, 1, 32, 32), (torch.rand(3, 2, 2, 32, 32) < 0.3).float()], 2)
    report = profile(network, x)
    weights = sum(p.numel() for p in network.parameters() if p.ndim > 1)
    counted = sum(layer.parameters for layer in report.layers)
    # SEEN shares weights of its frames' path with its events' path, mixed anew for each clip: they count in both.
    assert counted == pytest.approx(weights, abs=9) or (isinstance(network, SEENNetwork) and counted > weights)
    assert all(not layer.uncounted or "softmax" in layer.name or "sigmoid" in layer.name for layer in report.layers)


def test_profiling_leaves_the_network_as_it_was():
    network = EventStudent((32, 32), (4, 8)).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    profile(network, torch.ones(3, 2, 2, 32, 32))
    assert network.training
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_table_json_csv_and_plot_say_the_same():
    report = profile(Tiny(), tiny_input(), inputs="events")
    data = json.loads(json.dumps(report.to_json()))
    assert data["per_sample"]["joules"] == report.joules
    assert data["spread"]["joules"]["mean"] == pytest.approx(report.joules)
    assert data["sources"] == list(report.hardware.sources)
    assert [layer["name"] for layer in data["layers"]] == ["conv", "lif", "head"]
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [row["name"] for row in rows] == ["conv", "lif", "head"]
    assert sum(float(row["joules"]) for row in rows) == pytest.approx(report.joules)
    table = report.table()
    for name in ("conv", "lif", "head", "total", "45nm-fp32"):
        assert name in table
    labels = [t.get_text() for t in report.plot().axes[0].get_yticklabels()]
    assert labels == ["conv", "lif", "head"]


def test_beside_dense_networks_by_hand():
    report = profile(Tiny(), tiny_input(), inputs="events")
    beside = report.against()
    dense = 3 * (2 + 3)  # both layers, three steps
    assert beside.dense_joules("45nm-fp32") == pytest.approx(dense * MAC)
    assert beside.dense_joules("45nm-int8", steps=1) == pytest.approx(5 * 0.23e-12)
    assert beside.event_share == 8 / dense
    fixed = 4.5 * AC + 3 * MAC
    assert beside.fixed_joules == pytest.approx(fixed)
    limit = beside.break_even("45nm-fp32")
    assert limit == pytest.approx((dense * MAC - fixed) / (dense * AC))
    assert beside.break_even("45nm-int8") < 0  # never: neurons alone cost more
    assert beside.bits == 2  # three binary steps tell four numbers
    other = profile(Tiny(), torch.ones(3, 1, 2, 1, 1), inputs="events")
    assert report.against(other).times == pytest.approx(other.joules / report.joules)
    assert "cheaper below" in beside.table()


def test_break_even_is_where_both_cost_the_same():
    network, x = lively(EventStudent((32, 32), (4, 8))), events()
    report = profile(network, x)
    beside = report.against()
    limit = beside.break_even("45nm-fp32")
    event_dense = sum(layer.dense_operations for layer in report.layers)
    assert beside.fixed_joules + limit * event_dense * AC == pytest.approx(beside.dense_joules("45nm-fp32"))
    rates = beside.sensitivity()["rate"]
    assert rates["1"] == pytest.approx(report.joules)
    assert rates["2"] - rates["1"] == pytest.approx(report.synaptic_operations * AC)
    found = beside.sensitivity()
    assert found["steps"]["10"] == pytest.approx(2 * report.joules)
    assert found["bits"]["32"] == pytest.approx(report.joules)
    assert found["memory"]["32"] == pytest.approx(report.joules + report.memory(32).joules)
    assert list(found["memory_size"].values()) == sorted(found["memory_size"].values())
    accesses = sum(row.accesses * row.bits for row in report.memory().rows)
    assert found["memory_size"]["SRAM 8 KB"] == pytest.approx(report.joules + accesses * 10e-12 / 64)


def test_a_chips_figure_has_the_neurons_in_it_and_covers_nothing_else():
    loihi = load_hardware("loihi")
    report = profile(Tiny(), tiny_input(), loihi, inputs="events")
    assert report.joules == pytest.approx(8 * 23.6e-12)
    assert report.unpriced == ()
    teacher = profile(FrameTeacher((32, 32), (4, 8)), torch.rand(3, 2, 1, 32, 32), loihi)
    assert teacher.joules == 0
    assert "stem.0" in teacher.unpriced
    assert "no figure" in teacher.table()
    assert profile(Tiny(), tiny_input(), inputs="events").on("loihi").joules == report.joules


def test_the_published_formula_is_told_apart():
    """Rate × FLOPs: too high at a border, and it knows no neurons."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network

        def forward(self, x):
            return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    x = torch.zeros(2, 1, 1, 4, 4)
    x[:, :, :, 0, :] = 1
    approximate = profile(Net(), x, method="rate", inputs="events")
    assert approximate.method == "rate"
    assert approximate.synaptic_operations == 2 * 0.25 * 9 * 16 * 2
    assert approximate.synaptic_operations > profile(Net(), x, inputs="events").synaptic_operations
    assert "approximation" in approximate.table()
    with pytest.raises(ValueError, match="method must be exact or rate"):
        profile(Net(), x, method="guess")


def test_what_cannot_be_profiled():
    with pytest.raises(ConfigError, match="hardware 'abacus' is not known: choose from 45nm-fp16"):
        profile(Tiny(), torch.ones(3, 2, 2, 1, 1), hardware="abacus")
    with pytest.raises(ValueError, match=r"batch must be \(T, B, C, H, W\)"):
        profile(Tiny(), torch.ones(2, 2))
    with pytest.raises(ValueError, match="nothing was counted"):
        profile(nn.Identity(), torch.ones(3, 2, 2, 1, 1))
    with pytest.raises(ValueError, match="nothing was counted"):
        Profiler(Tiny()).report()
    with pytest.raises(ValueError, match="inputs must be auto, events or analog"):
        profile(Tiny(), torch.ones(3, 2, 2, 1, 1), inputs="spikes")


def test_memory_by_hand():
    report = profile(Tiny(), tiny_input(), inputs="events")
    memory = report.memory(32)
    access = 10e-12 / 2  # 32 of 64 bits in 8 KB
    rows = {(row.layer, row.what): row for row in memory.rows}
    assert rows["conv", "weights"].accesses == 3.5
    assert rows["conv", "sums"].accesses == 7
    assert rows["lif", "membranes"].accesses == 6
    assert rows["head", "events"].accesses == pytest.approx(2 * 1.5)
    assert rows["conv", "weights"].joules == pytest.approx(3.5 * access)
    assert memory.joules == pytest.approx(sum(row.joules for row in memory.rows))
    assert sum(memory.by("level").values()) == pytest.approx(memory.joules)
    assert report.memory(8).joules < memory.joules
    dense = report.memory(32, "dense")
    assert {row.what for row in dense.rows} == {"membranes", "weights", "inputs", "outputs"}
    assert sum(row.accesses for row in dense.rows if row.what == "weights") == 15
    for wrong, message in (((5,), "bits must be"), ((8, "sparse"), "dataflow must be")):
        with pytest.raises(ValueError, match=message):
            report.memory(*wrong)
    with pytest.raises(ValueError, match="Loihi has no figures of memory"):
        report.on("loihi").memory()


def test_larger_layers_lie_in_larger_memories():
    def level(width):
        x = torch.zeros(1, 1, width)
        x[..., 0] = 1
        rows = profile(nn.Linear(width, width), x, inputs="events").memory(32).rows
        return next(row.level for row in rows if row.what == "weights")

    assert [level(width) for width in (40, 80, 400, 600)] == ["SRAM 8 KB", "SRAM 32 KB", "SRAM 1 MB", "DRAM"]
    assert np.isinf(load_hardware("45nm-fp32").memory[-1].capacity)
