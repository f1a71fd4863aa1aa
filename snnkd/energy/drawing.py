"""Pictures of where the energy goes."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from snnkd.energy.report import EnergyReport

PARTS = (
    ("synaptic_operations", "ac", "accumulates", "#2a7f9e"),
    ("macs", "mac", "multiply-accumulates", "#c4572e"),
    ("neuron_updates", "mac", "membranes", "#8a8f98"),
)
REST = ("resets, thresholds, sums", "#d3d7dc")
INK, MUTED = "#22262b", "#6b7178"
LEAST = 2e-3
"""Share of the energy below which a row is left out"""


def draw_layers(report: "EnergyReport") -> Figure:
    """Draw a bar per layer, by what it is spent on; rows that cost next to nothing are left out."""
    from snnkd.energy.report import joules_text, unit_of

    total = report.joules or 1.0
    layers = [x for x in report.layers if (x.joules or 0.0) >= LEAST * total or x.dense_operations]
    figure = Figure(figsize=(8.6, 0.3 * len(layers) + 1.5), layout="constrained", facecolor="white")
    axes = figure.subplots()
    scale, unit = unit_of(max((x.joules or 0.0 for x in layers), default=0.0))
    left = [0.0] * len(layers)
    places = range(len(layers))
    drawn = [(label, colour, [getattr(x, name) * (report.hardware.joules(price) or 0.0) / scale for x in layers])
             for name, price, label, colour in PARTS]  # fmt: skip
    spent = [sum(values[i] for _, _, values in drawn) for i in places]
    drawn.append((*REST, [max((x.joules or 0.0) / scale - s, 0.0) for x, s in zip(layers, spent, strict=True)]))
    for label, colour, values in drawn:
        if max(values, default=0.0) > 0:
            axes.barh(places, values, left=left, color=colour, label=label, height=0.72)
        left = [a + b for a, b in zip(left, values, strict=True)]
    for place, layer in enumerate(layers):
        axes.text(left[place], place, f" {(layer.joules or 0.0) / total:.0%}", va="center", fontsize=8, color=MUTED)
    axes.set_yticks(places, [x.name for x in layers], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, max(left, default=1.0) * 1.09 or 1.0)
    axes.set_xlabel(f"energy per sample ({unit}), {report.hardware.name}", color=MUTED)
    axes.set_title(f"{joules_text(report.joules)} per sample", loc="left", fontsize=12, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return figure
