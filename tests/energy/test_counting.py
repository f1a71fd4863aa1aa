"""Counts against loops over every input and weight, and one test for each way in which counts go wrong elsewhere."""

import pytest
import torch
from brute_force import convolution_pairs, linear_pairs, transposed_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from snnkd.energy.counting import Counter
from snnkd.spiking import LI, LIF, NormLIF


def counted(network, x, inputs="events"):
    with torch.no_grad(), Counter(network.eval(), inputs) as counter:
        network(x)
    return counter


def rows(network, x, inputs="events"):
    return {row.name: row for row in counted(network, x, inputs).layers.values()}


class OverTime(nn.Module):
    """A layer that knows no time, on ``(T, B, ...)``."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def only(network, x, inputs="events"):
    (row,) = (row for row in counted(network, x, inputs).layers.values() if row.totals["inputs"].sum())
    return row


def pruned(layer, share, seed=0):
    generator = torch.Generator().manual_seed(seed)
    layer.weight.data[torch.rand(layer.weight.shape, generator=generator) < share] = 0
    return layer


@settings(max_examples=40, deadline=None)
@given(
    axes=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
    share=st.floats(0, 1),
    rate=st.floats(0, 1),
    steps=st.integers(1, 3),
    batch=st.integers(1, 3),
    most=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_convolutions(axes, kernel, stride, padding, dilation, groups, share, rate, steps, batch, most, seed):
    torch.manual_seed(seed)
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    layer = pruned(kind(2 * groups, 2 * groups, kernel, stride, padding, dilation, groups), share, seed)
    size = (6, 5, 5)[:axes] if axes < 3 else (5, 5, 5)
    x = (torch.rand(steps, batch, 2 * groups, *size) < rate) * torch.randint(
        1, most + 1, (steps, batch, 1, *[1] * axes)
    )
    x = x.float()
    row = only(OverTime(layer), x)
    expected = convolution_pairs(layer, x.flatten(0, 1)).unflatten(0, (steps, batch))
    assert torch.equal(row.totals["accumulates"], expected)  # by step and by sample
    dense = convolution_pairs(layer, torch.ones(1, *x.shape[2:]))
    assert torch.equal(row.totals["dense"], dense.expand(steps, batch))
    assert row.totals["macs"].sum() == 0


@settings(max_examples=15, deadline=None)
@given(
    stride=st.integers(1, 3), padding=st.integers(0, 1), dilation=st.integers(1, 2), groups=st.sampled_from([1, 2]),
    share=st.floats(0, 1), seed=st.integers(0, 1000),
)  # fmt: skip
def test_transposed_convolutions(stride, padding, dilation, groups, share, seed):
    torch.manual_seed(seed)
    layer = pruned(nn.ConvTranspose2d(2 * groups, 2 * groups, 3, stride, padding, 0, groups, dilation=dilation), share)
    x = (torch.rand(2, 2, 2 * groups, 4, 3) < 0.4).float()
    row = only(OverTime(layer), x)
    assert torch.equal(row.totals["accumulates"].flatten(), transposed_pairs(layer, x.flatten(0, 1)))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_linear_layers(share):
    torch.manual_seed(0)
    layer = pruned(nn.Linear(6, 4), share)
    x = (torch.rand(3, 2, 6) < 0.5).float()
    expected = linear_pairs(layer, x.flatten(0, 1)).unflatten(0, (3, 2))
    assert torch.equal(only(OverTime(layer), x).totals["accumulates"], expected)
    assert torch.equal(only(layer, x).totals["accumulates"], expected)  # on (T, B, D) as it is


def test_large_sums_stay_exact():
    """Past 2^24 float32 holds no odd numbers: a sum that is not cut would be off."""
    layer = nn.Linear(20_001, 1001)
    nn.init.ones_(layer.weight)  # of so many drawn ones some are zero
    x = torch.ones(1, 2, 20_001)
    x[0, 1, 0] = 0
    row = only(layer, x)
    assert row.totals["accumulates"].tolist() == [[20_001 * 1001, 20_000 * 1001]]


def test_the_padded_border_is_not_counted():
    """3×3 on 4×4 with padding 1: 16 outputs of 9 taps, of which 100 and not 144 meet an input."""
    x = torch.zeros(1, 2, 1, 4, 4)
    x[:, 0] = 1
    assert only(OverTime(nn.Conv2d(1, 1, 3, padding=1)), x).totals["accumulates"].tolist() == [[100, 0]]
    # The case of the literature: 119,952 by rate × FLOPs.
    layer = nn.Conv2d(2, 17, 3, padding=1)
    ones = torch.ones(1, 1, 2, 14, 14)
    exact = only(OverTime(layer), ones).totals["accumulates"].item()
    assert exact == 2 * 17 * (14 * 3 - 2) ** 2 < 2 * 17 * 9 * 14 * 14


def test_stride_two_meets_a_quarter_of_the_weights():
    x = torch.zeros(1, 1, 1, 8, 8)
    x[..., 4, 4] = 1  # under one window of four
    assert only(OverTime(nn.Conv2d(1, 1, 2, 2)), x).totals["accumulates"].item() == 1


def kinds(x, inputs="auto"):
    return only(OverTime(nn.Conv2d(1, 2, 3, padding=1)), x, inputs)


@pytest.mark.parametrize(
    ("values", "kind", "units"),
    [
        ([0.0, 1.0], "binary", 1),
        ([0.0, 0.3], "scaled", 1),
        ([-0.5, 0.0, 0.5], "ternary", 1),
        ([0.0, 1.0, 2.0, 3.0], "integer", None),
        ([0.0, 0.25, 0.5, 1.0], "integer", None),
        ([0.0, 0.1, 0.35], "analog", None),
        ([0.0, 1.0, 40.0], "analog", None),
        ([1.0], "analog", None),
        ([0.0], "silent", None),
    ],
)
def test_kinds_of_inputs(values, kind, units):
    generator = torch.Generator().manual_seed(0)
    x = torch.tensor(values)[torch.randint(len(values), (4, 2, 1, 6, 6), generator=generator)]
    row = kinds(x)
    assert row.input_kind == kind
    layer = nn.Conv2d(1, 2, 3, padding=1)
    if kind == "analog":
        assert row.totals["accumulates"].sum() == 0
        assert torch.equal(row.totals["macs"], row.totals["dense"])
    else:
        unit = min((abs(v) for v in values if v), default=1.0)
        expected = convolution_pairs(layer, (x / unit).flatten(0, 1)).unflatten(0, (4, 2))
        assert torch.equal(row.totals["accumulates"], expected)
    if units:
        pairs = convolution_pairs(layer, (x != 0).float().flatten(0, 1)).sum()
        assert row.totals["accumulates"].sum() == pairs


def test_a_picture_of_ones_is_not_taken_for_spikes():
    ones = torch.ones(2, 2, 1, 5, 5)
    assert kinds(ones).input_kind == "analog"
    assert kinds(ones, "events").input_kind == "binary"  # unless it is said to be one
    zeros_and_ones = (torch.rand(2, 2, 1, 5, 5) < 0.5).float()
    assert kinds(zeros_and_ones, "analog").input_kind == "analog"


def test_a_samples_kind_hangs_on_itself_alone():
    x = torch.zeros(2, 3, 1, 5, 5)
    x[:, 0, :, 2, 2] = 1  # spikes
    x[:, 1] = torch.rand(2, 1, 5, 5)  # a picture
    x[:, 2, :, 1, 1] = 2  # twos: two events each, whatever stands beside
    row = kinds(x)
    assert row.totals["accumulates"].tolist() == [[18, 0, 36]] * 2
    assert row.totals["macs"].tolist() == [[0, 2 * 169, 0]] * 2
    for i in range(3):
        alone = kinds(x[:, i : i + 1])
        for name in ("accumulates", "macs"):
            assert torch.equal(alone.totals[name][:, 0], row.totals[name][:, i])


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


def test_nan_names_the_layer_and_hooks_are_gone():
    network = OverTime(nn.Conv2d(1, 2, 3))
    with pytest.raises(ValueError, match=r"layer layers\.0: its input holds NaN"):
        counted(network, torch.full((1, 1, 1, 4, 4), float("nan")))
    assert not network._forward_hooks
    assert not network.layers[0]._forward_pre_hooks
    with pytest.raises(ValueError, match=r"must be \(T, B, ...\)"):
        counted(network, torch.zeros(0, 1, 1, 4, 4))


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


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 100))
def test_totals_add_up_over_samples_and_steps(steps, batch, seed):
    torch.manual_seed(seed)
    network = OverTime(pruned(nn.Conv2d(2, 3, 3, 2, 1), 0.3, seed), nn.ReLU(), nn.Conv2d(3, 2, 3))
    x = (torch.rand(steps, batch, 2, 9, 9) < 0.3).float()
    whole = counted(network, x)
    for key, row in whole.layers.items():
        for name in ("accumulates", "macs", "additions", "comparisons"):
            alone = [counted(network, x[:, i : i + 1]).layers[key].totals[name] for i in range(batch)]
            assert torch.equal(torch.cat(alone, 1), row.totals[name]), name
