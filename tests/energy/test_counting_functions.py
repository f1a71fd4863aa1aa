"""What is called as a function, and layers that are nobody's here: counted by their operators."""

import pytest
import torch
from brute_force import convolution_pairs
from counting_helpers import OverTime, counted, only, rows
from torch import nn
from torch.nn import functional

from snnkd.energy import Profiler, profile
from snnkd.models import SEENNetwork
from snnkd.spiking import LIF


def test_functions_count_as_modules_do():
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(2, 3, 3, padding=1), nn.Linear(3 * 16, 5)

    class Modules(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.linear = conv, linear

        def forward(self, x):
            return self.linear((self.conv(x.flatten(0, 1)) > 0).float().flatten(1))

    class Functions(Modules):
        def forward(self, x):
            y = functional.conv2d(x.flatten(0, 1), self.conv.weight, self.conv.bias, padding=1)
            return torch.matmul((y > 0).float().flatten(1), self.linear.weight.t()) + self.linear.bias

    x = (torch.rand(3, 2, 2, 4, 4) < 0.3).float()
    one, two = (counted(kind(), x) for kind in (Modules, Functions))
    for name in ("accumulates", "macs", "dense", "comparisons"):
        sums = [sum(row.totals[name].sum() for row in each.layers.values()) for each in (one, two)]
        assert sums[0] == sums[1]
    names = [row.name for row in two.layers.values() if row.totals["dense"].sum()]
    assert names == ["Functions (conv2d)", "Functions (linear)"]


def test_a_loop_over_steps_counts_as_all_steps_at_once():
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, 3)

    class Stepped(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = conv

        def forward(self, x):
            return torch.stack([self.conv(step) for step in x])

    x = (torch.rand(4, 3, 2, 5, 5) < 0.3).float()
    stepped, whole = only(Stepped(), x), only(OverTime(conv), x)
    assert torch.equal(stepped.totals["accumulates"], whole.totals["accumulates"])


def test_attention_of_spikes_adds_and_of_currents_multiplies():
    class Attention(nn.Module):
        def __init__(self, spikes):
            super().__init__()
            self.lif, self.spikes = LIF(beta=0.5, threshold=0.3), spikes

        def forward(self, x):
            y = self.lif(x)[0] if self.spikes else x * 1.5
            a = y.flatten(0, 1)
            return torch.bmm(a, a.transpose(1, 2))

    torch.manual_seed(0)
    x = torch.randn(3, 2, 4, 5)
    network = Attention(True)
    (row,) = (r for r in counted(network, x, "auto").layers.values() if r.kind == "matmul")
    s = network.lif(x)[0].double()
    assert torch.equal(row.totals["accumulates"], torch.einsum("tbnk,tbmk->tb", s, s))
    (row,) = (r for r in counted(Attention(False), x, "auto").layers.values() if r.kind == "matmul")
    assert torch.equal(row.totals["macs"], torch.full((3, 2), 4.0 * 5 * 4, dtype=torch.float64))


def test_fused_attention_counts_as_its_two_products():
    class Attention(nn.Module):
        def forward(self, x):
            y = x.flatten(0, 1)[:, None]
            return functional.scaled_dot_product_attention(y, y, y)

    rows_ = list(counted(Attention(), torch.randn(3, 2, 5, 8), "analog").layers.values())
    assert sum(row.totals["macs"].sum() for row in rows_) == 3 * 2 * (5 * 5 * 8 + 5 * 5 * 8)
    assert sum(row.totals["uncounted"].sum() for row in rows_) == 3 * 2 * 5 * 5  # the softmax


def test_selection_costs_nothing_and_signs_are_ternary():
    linear = nn.Linear(6, 4)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.lif = linear, linear, LIF(beta=0.5, threshold=0.5)

        def forward(self, x):
            spikes = self.lif(x)[0]
            kept = torch.where(x > 0, spikes, 0.0)
            return self.one(kept) + functional.linear(torch.sign(x) * (x.abs() > 0.5), linear.weight)

    torch.manual_seed(0)
    x = torch.randn(3, 2, 6)
    counter = counted(Network(), x, "analog")
    kinds = {row.name: row.input_kind for row in counter.layers.values() if row.totals["inputs"].sum()}
    assert kinds["one"] == "binary"
    assert not any(row.kind == "uncounted" for row in counter.layers.values())


class Through(nn.Module):
    """A layer, and a function that runs it."""

    def __init__(self, layer, function):
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, x):
        return self.function(self.layer, x)


def filled(layer, x):
    """Through a buffer of zeros that is written step by step."""
    buffer = torch.zeros_like(x)
    for t, step in enumerate(x):
        buffer[t] = step
    return layer(buffer.flatten(0, 1))


def test_a_buffer_that_was_written_into_is_no_constant():
    torch.manual_seed(0)
    x = (torch.rand(3, 2, 2, 5, 5) < 0.3).float()
    conv = nn.Conv2d(2, 3, 3)
    expected = only(OverTime(conv), x).totals["accumulates"]
    assert torch.equal(only(Through(conv, filled), x, "auto").totals["accumulates"], expected)
    around = nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular")  # which writes into a buffer, too
    plain = nn.Conv2d(2, 3, 3)
    padded = functional.pad(x.flatten(0, 1), (1, 1, 1, 1), mode="circular")
    row = only(Through(around, lambda layer, x: layer(x.flatten(0, 1))), x, "auto")
    assert torch.equal(row.totals["accumulates"].flatten(), convolution_pairs(plain, padded))


def test_weights_that_are_worked_out_are_weights():
    torch.manual_seed(0)
    x = torch.rand(3, 2, 6)
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
    einsum = Through(nn.Linear(6, 4), lambda layer, x: torch.einsum("tbd,od->tbo", x, layer.weight))
    for network in (normed, einsum):
        row = only(network, x, "analog")
        assert row.totals["macs"].tolist() == [[24, 24]] * 3


def test_recurrent_and_attending_layers_of_pytorch_are_counted():
    x = torch.randn(5, 2, 6)

    def macs(layer, function):
        rows_ = counted(Through(layer, function), x, "analog").layers.values()
        return sum(float(row.totals["macs"].sum()) for row in rows_) / 2, rows_

    lstm, rows_ = macs(nn.LSTM(6, 4), lambda layer, x: layer(x)[0])
    assert lstm == 5 * (16 * 6 + 16 * 4)
    assert any(row.totals["uncounted"].sum() for row in rows_)  # its gates
    gru, _ = macs(nn.GRU(6, 4), lambda layer, x: layer(x)[0])
    assert gru == 5 * 12 * 6 + 4 * 12 * 4  # the first state is zero
    encoder = nn.TransformerEncoderLayer(6, 2, 8)  # past whose modules evaluation has a short way
    found, _ = macs(encoder, lambda layer, x: layer(x))
    assert found == 5 * (6 * 18 + 6 * 6 + 2 * 6 * 8) + 2 * 5 * 5 * 6
    assert torch.backends.mha.get_fastpath_enabled()


def test_what_has_no_count_is_listed_with_its_size():
    network = OverTime(nn.Conv2d(1, 2, 3), nn.GELU())
    found = rows(network, torch.rand(2, 1, 1, 4, 4), "analog")
    row = found["layers.1 (gelu)"]
    assert row.kind == "uncounted"
    assert row.totals["uncounted"].sum() == 2 * 2 * 4


def test_weights_made_anew_in_every_pass_keep_their_rows_and_their_own_zeros():
    """Wherever in memory they come to lie: SEEN mixes its weights for each clip."""
    torch.manual_seed(0)
    network = SEENNetwork((32, 32)).eval()
    x = torch.cat([torch.rand(3, 6, 1, 32, 32), (torch.rand(3, 6, 2, 32, 32) < 0.3).float()], 2)
    profiler = Profiler(network)
    for start in (0, 1, 3):
        profiler.add(x[:, start : {0: 1, 1: 3, 3: 6}[start]])
        torch.randn(1_000_000)  # memory moves
    whole = profile(network, x)
    gathered = profiler.report()
    assert [layer.name for layer in gathered.layers] == [layer.name for layer in whole.layers]
    assert gathered.macs == pytest.approx(whole.macs, rel=1e-6)

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.share = nn.Parameter(torch.rand(4, 6)), 0.0

        def forward(self, x):
            mask = (torch.arange(24).reshape(4, 6) >= self.share * 24).float()
            return functional.linear(x, self.weight * mask)

    masked, spikes = Masked(), torch.ones(1, 1, 6)
    for share in (0.0, 0.5, 0.75, 0.25):
        masked.share = share
        assert only(masked, spikes).totals["accumulates"].item() == 24 * (1 - share)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (torch.neg, "ternary"),
        (lambda s: s.clamp(0, 0.5), "analog"),  # half a spike is none
        (lambda s: s.masked_fill(s == 0, 2.0), "integer"),  # spikes and pairs of them
        (lambda s: 2.0 / (s + 1), "analog"),  # ones and twos again, and no count of anything
        (lambda s: functional.pad(s, (1, 0), value=3.0)[..., 1:], "binary"),
    ],
)
def test_changed_spikes_are_looked_at(change, kind):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif, self.linear = LIF(beta=0.5, threshold=0.5), nn.Linear(6, 4)

        def forward(self, x):
            return self.linear(change(self.lif(x)[0]))

    torch.manual_seed(0)
    network, x = Network(), torch.rand(4, 3, 6)
    row = only(network, x, "analog")
    assert row.input_kind == kind
    if kind == "analog":
        assert row.totals["macs"].sum() > 0
    else:
        assert torch.equal(row.totals["accumulates"], 4 * change(network.lif(x)[0]).abs().double().sum(2))


def test_memory_that_is_used_again_brings_nothing_along():
    """A buffer written into and freed; spikes that come to lie where it lay are spikes all the same."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif, self.linear = LIF(beta=0.5, threshold=0.3), nn.Linear(6, 4)

        def forward(self, x):
            for _ in range(20):
                buffer = torch.zeros_like(x)
                buffer[0] = x[0] * 0.37
                del buffer
            return self.linear(self.lif(x)[0].mean(2, keepdim=True).expand(-1, -1, 6))

    torch.manual_seed(0)
    row = only(Network(), torch.rand(4, 3, 6), "analog")
    assert row.input_kind in ("integer", "scaled")
    assert row.totals["macs"].sum() == 0
