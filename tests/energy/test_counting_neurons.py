"""Neurons by hand, and what is folded: pooling, scales, sums of spikes, norms."""

import pytest
import torch
from brute_force import convolution_pairs
from counting_helpers import OverTime, counted, rows
from torch import nn
from torch.nn import functional

from snnkd.spiking import LI, LIF, NormLIF


def spiking(*behind, size=(4, 4), shape=(6, 3, 2)):
    """Neurons, and layers behind them."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif = LIF(beta=0.8, threshold=0.5)
            self.behind = OverTime(*behind)

        def forward(self, x):
            return self.behind(self.lif(x)[0])

    torch.manual_seed(0)
    return Network(), torch.randn(*shape, *size)


def test_average_pooling_of_spikes_goes_into_the_next_layer():
    """Each spike under the window meets the weights behind it: no products, and nothing at half the rate."""
    conv = nn.Conv2d(2, 3, 3, padding=1)
    network, x = spiking(nn.AvgPool2d(2), conv)
    found = rows(network, x)
    spikes = network.lif(x)[0]
    sums = functional.avg_pool2d(spikes.flatten(0, 1), 2) * 4
    expected = convolution_pairs(conv, sums).unflatten(0, (6, 3))
    assert torch.equal(found["behind.layers.1"].totals["accumulates"], expected)
    assert found["behind.layers.1"].totals["macs"].sum() == 0
    pool = found["behind.layers.0 (elementwise)"].totals
    assert pool["additions"].sum() == 0
    assert pool["folded_additions"].sum() == sums.numel() * 3


def test_scaled_spikes_are_accumulates():
    class Scaled(nn.Module):
        def forward(self, x):
            return 0.3 * x

    conv = nn.Conv2d(2, 3, 3)
    network, x = spiking(Scaled(), conv)
    row = rows(network, x)["behind.layers.1"]
    spikes = network.lif(x)[0].flatten(0, 1)
    assert torch.equal(row.totals["accumulates"].flatten(), convolution_pairs(conv, spikes))


class Residual(nn.Module):
    """The sum of two trains of spikes into a convolution: {0, 1, 2}."""

    def __init__(self):
        super().__init__()
        self.one, self.two = LIF(beta=0.9, threshold=0.4), LIF(beta=0.5, threshold=0.2)
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x):
        total = self.one(x)[0] + self.two(x)[0]
        return self.conv(total.flatten(0, 1)).unflatten(0, x.shape[:2])


def test_sums_of_spikes_deliver_each_spike():
    torch.manual_seed(1)
    network, x = Residual(), torch.randn(4, 2, 2, 5, 5)
    found = rows(network, x)
    total = (network.one(x)[0] + network.two(x)[0]).flatten(0, 1)
    assert set(total.unique().tolist()) == {0, 1, 2}
    assert torch.equal(found["conv"].totals["accumulates"].flatten(), convolution_pairs(network.conv, total))
    assert found["Residual (elementwise)"].totals["folded_additions"].sum() == total.numel()
    assert found["Residual (elementwise)"].totals["additions"].sum() == 0


def test_neurons_by_hand():
    torch.manual_seed(0)
    x = torch.rand(5, 2, 3)
    for reset, additions in (("subtract", 1), ("zero", 0)):
        layer = LIF(beta=0.8, threshold=0.6, reset=reset)
        (row,) = counted(layer, x).layers.values()
        spikes = layer(x)[0].double().sum(2)
        assert torch.equal(row.totals["spikes"], spikes)
        assert torch.equal(row.totals["additions"], additions * spikes)
        for name in ("updates", "comparisons"):
            assert torch.equal(row.totals[name], torch.full((5, 2), 3.0, dtype=torch.float64))
    # Without decay there is nothing to multiply by.
    (row,) = counted(LIF(beta=1.0, threshold=9.0), x).layers.values()
    assert (row.totals["updates"].sum(), row.totals["additions"].sum()) == (0, 30)
    (row,) = counted(LI(beta=0.8), x).layers.values()
    assert (row.totals["updates"].sum(), row.totals["comparisons"].sum()) == (30, 0)


def test_norms_are_folded_behind_weights_and_counted_elsewhere():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.free = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.BatchNorm2d(2)
            self.neurons = NormLIF(3)

        def forward(self, x):
            a = self.free(x.flatten(0, 1))
            return self.neurons(self.norm(self.conv(a)).unflatten(0, x.shape[:2]))[0]

    found = rows(Network(), torch.randn(4, 2, 2, 5, 5), "auto")
    size = 4 * 2 * 2 * 25
    free = found["free (batchnorm)"].totals
    assert (free["multiplications"].sum(), free["additions"].sum()) == (size, size)
    for name in ("norm (batchnorm)", "neurons (batchnorm)"):
        totals = found[name].totals
        assert totals["multiplications"].sum() + totals["additions"].sum() == 0
        assert totals["folded_multiplications"].sum() == 4 * 2 * 3 * 9


def test_snntorchs_neurons_count_as_ours():
    snntorch = pytest.importorskip("snntorch")

    class Theirs(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.neurons, self.head = nn.Conv2d(2, 3, 3), snntorch.Leaky(beta=0.8), nn.Linear(27, 4)
            self.pool = nn.AvgPool2d(1)

        def forward(self, x):
            state, out = self.neurons.init_leaky(), []
            for step in x:
                spikes, state = self.neurons(self.conv(step), state)
                out.append(self.head(self.pool(spikes).flatten(1)))
            return torch.stack(out)

    class Ours(nn.Module):
        def __init__(self, theirs):
            super().__init__()
            self.conv, self.head = theirs.conv, theirs.head
            self.neurons = LIF(beta=0.8, threshold=1.0, reset="subtract", reset_delay=True)

        def forward(self, x):
            current = self.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            return self.head(self.neurons(current)[0].flatten(2))

    torch.manual_seed(0)
    theirs = Theirs()
    theirs.conv.weight.data *= 6
    x = (torch.rand(5, 3, 2, 5, 5) < 0.4).float()
    one, two = rows(theirs, x), rows(Ours(theirs), x)
    assert one["head"].totals["accumulates"].sum() > 0
    for name in ("conv", "head"):
        assert torch.equal(one[name].totals["accumulates"], two[name].totals["accumulates"])
    for quantity in ("updates", "comparisons", "spikes", "additions"):
        assert torch.equal(one["neurons"].totals[quantity], two["neurons"].totals[quantity]), quantity


def test_a_functional_neuron_counts_by_its_operators():
    """h = βv + x, s = h > θ, v = h − θ·s: one product, two sums and a comparison, and its spikes are spikes."""
    linear = nn.Linear(6, 4)

    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = linear

        def forward(self, x):
            v, out = torch.zeros_like(x[0]), []
            for step in x:
                h = 0.9 * v + step
                s = (h > 0.6).float()
                v = h - 0.6 * s
                out.append(self.linear(s))
            return torch.stack(out)

    torch.manual_seed(0)
    x = torch.rand(5, 2, 6)
    found = rows(Loop(), x, "analog")
    assert found["linear"].input_kind == "binary"
    neuron = LIF(beta=0.9, threshold=0.6)
    assert torch.equal(found["linear"].totals["accumulates"], 4 * neuron(x)[0].double().sum(2))
    assert found["Loop (elementwise)"].totals["comparisons"].sum() == x.numel()
    assert found["Loop (elementwise)"].totals["multiplications"].sum() == 4 * 2 * 6  # none in the first step, v = 0
