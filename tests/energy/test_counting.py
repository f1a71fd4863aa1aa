"""Synapses against loops over every input and weight, and what kinds of inputs there are."""

import pytest
import torch
from brute_force import convolution_pairs, linear_pairs, transposed_pairs
from counting_helpers import OverTime, counted, only, pruned
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn


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


def test_nan_names_the_layer_and_hooks_are_gone():
    network = OverTime(nn.Conv2d(1, 2, 3))
    with pytest.raises(ValueError, match=r"layer layers\.0: its input holds NaN"):
        counted(network, torch.full((1, 1, 1, 4, 4), float("nan")))
    assert not network._forward_hooks
    assert not network.layers[0]._forward_pre_hooks
    with pytest.raises(ValueError, match=r"must be \(T, B, ...\)"):
        counted(network, torch.zeros(0, 1, 1, 4, 4))


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
