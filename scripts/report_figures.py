"""Pictures of results, for report.py."""

from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import PercentFormatter
from matplotlib.transforms import Bbox
from study_parts.comparing import Difference

from snnkd.inference.drawing import png_bytes

INK, MUTED, FAINT = "#22262b", "#6b7178", "#e6e8eb"
BLUE, ORANGE = "#2a7f9e", "#c4572e"
PALETTE = ("#c4572e", "#2a7f9e", "#6a8f3a", "#7a4fa3", "#8a6d1f", "#8a8f98", "#3b6fb5")
CHANCE = 1 / 7


def tradeoff(result: dict[str, Any]) -> bytes:
    """Accuracy against energy: over the price of synaptic operations, and over thresholds of the early exit."""
    figure = Figure(figsize=(8.6, 4.4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    rows = sorted(result["rows"], key=lambda row: row["joules"])
    micro = 1e6
    joules, uars = [row["joules"] * micro for row in rows], [row["uar"]["value"] for row in rows]
    spread = [
        [row["uar"]["value"] - row["uar"]["low"] for row in rows],
        [row["uar"]["high"] - row["uar"]["value"] for row in rows],
    ]
    axes.errorbar(
        joules,
        uars,
        spread,
        color=BLUE,
        marker="o",
        lw=2,
        capsize=3,
        elinewidth=1,
        label="trained with a price (energy_weight beside it)",
    )
    for x, y, row in zip(joules, uars, rows, strict=True):
        axes.annotate(
            f"{row['price']:g}",
            (x, y),
            xytext=(7, 5),
            textcoords="offset points",
            color=BLUE,
            fontsize=10,
            weight="bold",
        )
    curve = sorted(result["early_exit"], key=lambda row: row["joules"])
    axes.plot(
        [row["joules"] * micro for row in curve], [row["uar"] for row in curve],
        color=ORANGE, lw=1.6, marker=".", label="early exit, without a price",
    )  # fmt: skip
    axes.axhline(CHANCE, color=MUTED, lw=0.9, ls=(0, (2, 3)))
    axes.text(0, CHANCE, " chance", va="bottom", color=MUTED, fontsize=9)
    axes.set_xlim(0)
    _dress(axes, "Accuracy against energy", "nano student, EyeSim, one fold; bars: 95% over persons", "")
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    return png_bytes(figure)


def models(rows: list[tuple[str, str, float, tuple[float, float], float]]) -> bytes:
    """Accuracy against energy over the study's networks: (name, group, UAR, its interval, joules) each."""
    figure = Figure(figsize=(8.6, 4.8), layout="constrained", facecolor="white")
    axes = figure.subplots()
    groups = list(dict.fromkeys(group for _, group, *_ in rows))
    for _, group, uar, (low, high), joules in rows:
        colour = PALETTE[groups.index(group) % len(PALETTE)]
        axes.errorbar(joules * 1e6, uar, [[uar - low], [high - uar]], color=colour, marker="o", ms=6, elinewidth=1)
    axes.axhline(CHANCE, color=MUTED, lw=0.9, ls=(0, (2, 3)))
    axes.text(
        1, CHANCE, "chance ", va="bottom", ha="right", color=MUTED, fontsize=9, transform=axes.get_yaxis_transform()
    )
    axes.set_xscale("log")
    axes.margins(x=0.18)
    _dress(axes, "Accuracy against energy over networks", "EyeSim (synthetic); bars: 95% over persons", "; logarithmic")
    colours = [PALETTE[groups.index(group) % len(PALETTE)] for _, group, *_ in rows]
    _name_points(axes, [(name, joules * 1e6, uar, span) for name, _, uar, span, joules in rows], colours)
    return png_bytes(figure)


def objectives(rows: list[tuple[str, Difference, float, int]], seeds: int) -> bytes:
    """What each objective alone brings: differences to labels alone, the best on top."""
    rows = sorted(rows, key=lambda row: row[1].uar.value or 0.0)
    figure = Figure(figsize=(8.6, 0.26 * len(rows) + 1.2), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for y, (_, difference, p, _) in enumerate(rows):
        value, low, high = (100 * (each or 0.0) for each in difference.uar[:3])
        sure = p < 0.05
        colour = (BLUE if value > 0 else ORANGE) if sure else MUTED
        axes.errorbar(
            value, y, xerr=[[value - low], [high - value]], color=colour, marker="o", ms=6, elinewidth=1.2,
            markerfacecolor=colour if sure else "white",
        )  # fmt: skip
    axes.axvline(0, color=INK, lw=0.9)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=9)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    fewest = min(done for *_, done in rows)
    axes.set_xlabel(
        "points of UAR more than on labels alone; bars: 95% over persons; filled: p < 0.05 after Holm", color=MUTED
    )
    axes.grid(axis="x", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    folds = f"{fewest} of {seeds} folds" if fewest < seeds else "all folds"
    axes.set_title("Each objective alone", loc="left", fontsize=12, color=INK)
    axes.set_title(f"nano student, EyeSim (synthetic), {folds}", loc="right", fontsize=9, color=MUTED)
    return png_bytes(figure)


def _name_points(axes: Axes, points: list[tuple[str, float, float, tuple[float, float]]], colours: list[str]) -> None:
    """Write each point's name where it covers no other name, point or bar: beside it, or above or below.

    From the top down, so that of points above each other the higher one's name is the higher.
    """
    figure = axes.figure
    assert isinstance(figure, Figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)  # which settles the layout
    to_pixels = axes.transData.transform
    pads = [Bbox.from_bounds(*(to_pixels((x, y)) - 6), 12, 12) for _, x, y, _ in points]
    pads += [Bbox([to_pixels((x, low)), to_pixels((x, high))]).padded(1) for _, x, _, (low, high) in points]
    taken: list[Bbox] = []
    for (name, x, y, _), colour in sorted(zip(points, colours, strict=True), key=lambda pair: -pair[0][2]):
        for up, right in product((4, -12, 16, -24, 28, -36, 40, -48), (True, False)):
            text = axes.annotate(
                name, (x, y), xytext=(7 if right else -7, up), ha="left" if right else "right",
                textcoords="offset points", fontsize=8.5, color=colour,
                # A name that is far from its point is led to it.
                arrowprops=None if abs(up) <= 16 else {
                    "arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkB": 4, "relpos": (0 if right else 1, 0.5),
                },
            )  # fmt: skip
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer)  # of the words, not of the line that leads there
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
            if inside and not any(box.overlaps(other) for other in [*taken, *pads]):
                break
            text.remove()
        else:  # there is no free place: better over another name than none
            text = axes.annotate(name, (x, y), xytext=(7, 4), textcoords="offset points", fontsize=8.5, color=colour)
            box = text.get_window_extent(renderer)
        taken.append(box)


def _dress(axes: Axes, title: str, note: str, scale: str) -> None:
    """Both pictures' axes: UAR over energy."""
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(f"energy per clip (µJ, arithmetic at 45 nm, fp32{scale})", color=MUTED)
    axes.set_ylabel("UAR on unknown persons", color=MUTED)
    axes.grid(axis="y", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=12, color=INK)
    axes.set_title(note, loc="right", fontsize=9, color=MUTED)
