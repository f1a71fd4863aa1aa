r"""The formulas that papers use, for comparison with their tables: an approximation.

With the operations of a dense layer worked out from its shape, borders and pruned weights left aside,

.. math::

    \mathrm{FL}_\text{conv} = k^2\,h\,w\,c_{in}\,c_{out}, \qquad \mathrm{FL}_\text{linear} = d_{in}\,d_{out}, \qquad
    \mathrm{SOP}_n = T\,r_n\,\mathrm{FL}_n

where :math:`h \times w` is the output's size and :math:`r_n` the rate of nonzero inputs; a layer with analog input
counts :math:`T\,\mathrm{FL}` MACs (Yao et al. 2023 and most others). Neurons, norms and sums are left out. Against the
exact count it is too high at padded borders and for pruned weights, and wrong where spikes meet more weights in one
place than in another.
"""

from dataclasses import replace

import numpy as np
from torch import nn

from snnkd.energy.pricing import joules_of
from snnkd.energy.report import COUNTED, Counts, EnergyReport, LayerReport


def by_rate(report: EnergyReport, network: nn.Module) -> EnergyReport:
    """Return the report as the published formulas have it. Products in functions have no shape and are left out."""
    modules = dict(network.named_modules())
    layers = []
    for layer in report.layers:
        operations = _dense(layer, modules.get(layer.name))
        events = layer.input not in ("analog", "current")
        changed = replace(
            layer,
            synaptic_operations=report.steps * layer.input_rate * operations if events else 0.0,
            macs=0.0 if events else report.steps * operations,
            neuron_updates=0.0,
            additions=0.0,
            multiplications=0.0,
            comparisons=0.0,
        )
        layers.append(replace(changed, joules=joules_of(layer.kind, vars(changed), report.hardware)))

    def everywhere(length: int) -> tuple[Counts, ...]:
        return tuple({name: np.full(length, getattr(layer, name)) for name in COUNTED} for layer in layers)

    per_step = tuple({name: each / report.steps for name, each in c.items()} for c in everywhere(report.steps))
    return replace(
        report, layers=tuple(layers), sample_counts=everywhere(report.samples), step_counts=per_step, method="rate"
    )


def _dense(layer: LayerReport, module: nn.Module | None) -> float:
    """Operations of one step of a layer without spikes, from its shape."""
    if isinstance(module, nn.Linear):
        return float(module.in_features * layer.outputs)
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        taps = module.weight[0].numel()  # k² c_in / groups
        return float(taps * layer.outputs)
    return 0.0
