"""What the tests of counting share: running a network under the counter, and layers over time."""

import torch
from torch import nn

from snnkd.energy.counting import Counter


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
