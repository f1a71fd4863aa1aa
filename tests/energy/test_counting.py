"""Operations against loops over every input and weight."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnkd.energy.counting import Counter, operations


def brute_force_conv(conv, active):
    """Count by asking, for every output, which inputs under the kernel are active and which weights are not zero."""
    batch, _, height, width = active.shape
    out, per_group, kh, kw = conv.weight.shape
    (sy, sx), (py, px), (dy, dx) = conv.stride, conv.padding, conv.dilation
    rows = (height + 2 * py - dy * (kh - 1) - 1) // sy + 1
    columns = (width + 2 * px - dx * (kw - 1) - 1) // sx + 1
    total = 0
    for n, o, i, j in itertools.product(range(batch), range(out), range(rows), range(columns)):
        group = o // (out // conv.groups)
        for c, a, b in itertools.product(range(per_group), range(kh), range(kw)):
            y, x = i * sy - py + a * dy, j * sx - px + b * dx
            if 0 <= y < height and 0 <= x < width:
                total += bool(active[n, group * per_group + c, y, x]) and bool(conv.weight[o, c, a, b] != 0)
    return total


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
    pruned=st.floats(0, 1),
    rate=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_convolutions(kernel, stride, padding, dilation, groups, pruned, rate, seed):
    torch.manual_seed(seed)
    conv = nn.Conv2d(2 * groups, 3 * groups, kernel, stride, padding, dilation, groups)
    conv.weight.data[torch.rand_like(conv.weight) < pruned] = 0
    active = torch.rand(2, 2 * groups, 6, 5) < rate
    assert operations(conv, active) == brute_force_conv(conv, active)


def test_linear_layers():
    layer = nn.Linear(6, 4)
    layer.weight.data[0, :3] = 0
    active = torch.rand(3, 2, 6) < 0.5
    expected = sum(
        bool(active[a, b, i]) and bool(layer.weight[o, i] != 0)
        for a, b, i, o in itertools.product(range(3), range(2), range(6), range(4))
    )
    assert operations(layer, active) == expected


def test_the_padded_border_is_not_counted():
    # 3x3 on 4x4 with padding 1: 16 outputs of 9 taps, of which 100 and not 144 meet an input.
    assert operations(nn.Conv2d(1, 1, 3, padding=1), torch.ones(1, 1, 4, 4, dtype=torch.bool)) == 100


def test_binary_inputs_are_accumulates_and_others_dense_multiplies():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    x = torch.zeros(5, 1, 4, 4)
    x[:, 0, 1, 1] = 1
    with Counter(network) as counter:
        network(x)
    conv, linear = counter.layers.values()
    assert (conv.acs, conv.macs) == (5 * 2 * 4, 0)  # the pixel lies under 4 windows of 2 kernels
    assert (linear.acs, linear.macs) == (0, 5 * 8 * 3)  # currents, not spikes
    with Counter(network) as counter:
        network(x * 2)  # spikes scaled by 2: the factor folds into the weights
    assert (counter.layers["0"].acs, counter.layers["0"].macs) == (5 * 2 * 4, 0)
    with Counter(network) as counter:
        network(x)
        network(x * 2)  # two levels: no longer one weight each
    assert (counter.layers["0"].acs, counter.layers["0"].macs) == (0, 2 * 5 * 2 * 4 * 9)


def test_all_ones_analog_pixels_count_like_spikes_of_the_same_values():
    conv = nn.Conv2d(1, 1, 1, bias=False)
    with Counter(conv) as counter:
        conv(torch.ones(1, 1, 3, 3))
        conv(torch.full((1, 1, 3, 3), 0.5))
    layer = next(iter(counter.layers.values()))
    assert (layer.acs, layer.macs) == (0, 18)  # one analog batch makes the layer a multiplying one


def test_what_is_not_counted_is_listed_and_hooks_are_gone():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.PReLU())
    with Counter(network) as counter:
        network(torch.rand(1, 1, 4, 4))
    assert counter.uncounted == ["2 (PReLU)"]
    before = counter.layers["0"].macs
    network(torch.rand(1, 1, 4, 4))
    assert counter.layers["0"].macs == before


def test_nan_names_the_layer():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    with pytest.raises(ValueError, match="layer 0: its input holds NaN"), Counter(network):
        network(torch.full((1, 1, 4, 4), float("nan")))
