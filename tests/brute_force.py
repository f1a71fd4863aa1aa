"""Counting by asking for every output which inputs under it are nonzero and which weights are: slow, and plain."""

import itertools

import torch


def convolution_pairs(layer, x):
    """Pairs of a nonzero input and a nonzero weight of each row ``x (N, C, *S)``, any number of axes."""
    weight = layer.weight.detach()
    size = x.shape[2:]
    outputs = layer(torch.zeros(1, *x.shape[1:])).shape[2:]
    totals = [0.0] * len(x)
    amounts = x.abs()
    per_group_out = weight.shape[0] // layer.groups
    for o, place in itertools.product(range(weight.shape[0]), itertools.product(*map(range, outputs))):
        group = o // per_group_out
        for c, tap in itertools.product(range(weight.shape[1]), itertools.product(*map(range, weight.shape[2:]))):
            if weight[(o, c, *tap)] == 0:
                continue
            spot = tuple(
                p * s - q + t * d
                for p, s, q, t, d in zip(place, layer.stride, layer.padding, tap, layer.dilation, strict=True)
            )
            if all(0 <= v < n for v, n in zip(spot, size, strict=True)):
                for n in range(len(x)):
                    totals[n] += float(amounts[(n, group * weight.shape[1] + c, *spot)])
    return torch.tensor(totals, dtype=torch.float64)


def transposed_pairs(layer, x):
    """The same of a transposed convolution over two axes: every input spreads its weights."""
    weight = layer.weight.detach()
    height, width = layer(torch.zeros(1, *x.shape[1:])).shape[2:]
    totals = [0.0] * len(x)
    per_group_in = weight.shape[0] // layer.groups
    amounts = x.abs()
    for n, c, i, j in itertools.product(*map(range, x.shape)):
        for o, a, b in itertools.product(*map(range, weight.shape[1:])):
            y = i * layer.stride[0] - layer.padding[0] + a * layer.dilation[0]
            z = j * layer.stride[1] - layer.padding[1] + b * layer.dilation[1]
            if 0 <= y < height and 0 <= z < width and weight[c, o, a, b] != 0:
                totals[n] += float(amounts[n, c, i, j])
    assert per_group_in
    return torch.tensor(totals, dtype=torch.float64)


def linear_pairs(layer, x):
    """The same of a linear layer on ``x (N, K)``."""
    totals = []
    for row in x.abs():
        totals.append(
            sum(float(row[i]) for i in range(x.shape[1]) for o in range(layer.out_features) if layer.weight[o, i] != 0)
        )
    return torch.tensor(totals, dtype=torch.float64)
