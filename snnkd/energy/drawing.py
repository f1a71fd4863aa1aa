"""Pictures of where the energy goes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from snnkd.energy.report import EnergyReport

PARTS = (
    ("synaptic_operations", "ac", "accumulates", "#2a7f9e"),
    ("macs", "mac", "multiply-accumulates", "#c4572e"),
    ("neuron_updates", "mac", "membranes", "#8a8f98"),
)
REST = ("resets, thresholds, sums", "#d3d7dc")
COLOURS = ("#2a7f9e", "#c4572e", "#6a8f3a", "#7a4fa3")
DENSE_COLOUR = "#c3c8ce"
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


def draw_beside(reports: Mapping[str, "EnergyReport"]) -> Figure:
    """Draw networks beside each other: what each spends (a logarithmic axis), and on what.

    The first is the one in question; dense networks of its shape are drawn with it.
    """
    from snnkd.energy.comparison import DENSE
    from snnkd.energy.report import joules_text

    first = next(iter(reports.values()))
    beside = first.against()
    bars = [(name, report.joules, COLOURS[i % len(COLOURS)]) for i, (name, report) in enumerate(reports.items())]
    for name, hardware in DENSE.items():
        bars += [(f"{name}, each step", beside.dense_joules(hardware), DENSE_COLOUR)]
        bars += [(f"{name}, once a clip", beside.dense_joules(hardware, 1), DENSE_COLOUR)]
    number = len(reports)
    figure = Figure(figsize=(8.6, 0.36 * (len(bars) + number) + 2.1), layout="constrained", facecolor="white")
    top, bottom = figure.subplots(2, 1, height_ratios=[len(bars), number + 0.6])
    lowest = min(joules for _, joules, _ in bars)
    for place, (name, joules, colour) in enumerate(bars):
        top.barh(place, joules, left=0, color=colour, height=0.7)
        ratio = "" if place == 0 else f"   {joules / first.joules:.3g}×"
        top.text(joules * 1.12, place, f"{joules_text(joules)}{ratio}", va="center", fontsize=9, color=INK)
        top.text(
            -0.01, place, name, va="center", ha="right", fontsize=9, color=INK, transform=top.get_yaxis_transform()
        )
    top.set_xscale("log")
    top.set_xlim(lowest / 3, max(joules for _, joules, _ in bars) * 12)
    top.invert_yaxis()
    top.set_yticks([])
    top.set_xticks([])
    top.minorticks_off()
    top.spines[["top", "right", "bottom"]].set_visible(False)
    top.set_title(f"Energy per sample, {first.hardware.name}", loc="left", fontsize=12, color=INK)
    top.set_title("logarithmic lengths", loc="right", fontsize=9, color=MUTED)
    _draw_shares(bottom, reports)
    return figure


def _draw_shares(axes: "Axes", reports: Mapping[str, "EnergyReport"]) -> None:
    names = list(reports)
    left = [0.0] * len(names)
    parts = [
        (label, colour, [_share(reports[name], key, price) for name in names]) for key, price, label, colour in PARTS
    ]
    parts.append((*REST, [1 - sum(values[i] for _, _, values in parts) for i in range(len(names))]))
    for label, colour, values in parts:
        axes.barh(range(len(names)), values, left=left, color=colour, label=label, height=0.7)
        for place, (start, value) in enumerate(zip(left, values, strict=True)):
            if value >= 0.07:
                ink = INK if colour == REST[1] else "white"
                axes.text(start + value / 2, place, f"{value:.0%}", ha="center", va="center", fontsize=9, color=ink)
        left = [a + b for a, b in zip(left, values, strict=True)]
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.legend(frameon=False, fontsize=9, ncols=4, loc="upper left", bbox_to_anchor=(0, -0.02))


def _share(report: "EnergyReport", key: str, price: str) -> float:
    spent = sum(getattr(layer, key) for layer in report.layers) * (report.hardware.joules(price) or 0.0)
    return spent / report.joules if report.joules else 0.0
