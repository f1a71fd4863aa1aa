"""The pictures of scores: confusion matrix, recalls with intervals, reliability diagram, anytime curve.

Colours are two of Okabe and Ito's, which people tell apart whatever their colour vision, and one ramp of growing
darkness. Every picture has an opaque pale ground, so that it reads alike on light and dark pages.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from snnkd.datasets import EMOTIONS
from snnkd.training.evaluation.bootstrap import Estimate
from snnkd.training.evaluation.scores import Scores

INK, MUTED, FAINT, GROUND = "#22262b", "#6b7280", "#d5d9df", "#fbfbfa"
BLUE, ORANGE = "#0072B2", "#D55E00"
RAMP = LinearSegmentedColormap.from_list("blue", ["#ffffff", "#9ecae8", "#2b7fb8", "#08325c"])
CHANCE = 1 / len(EMOTIONS)
HEADER = 0.92
"""Inches above the axes for what a picture is of"""


def draw_scores(scores: Scores, title: str) -> dict[str, Figure]:
    """Return the figures by the name of their file. There is no anytime curve of predictions without time steps."""
    figures = {
        "confusion": draw_confusion(scores, title),
        "recalls": draw_recalls(scores, title),
        "reliability": draw_reliability(scores, title),
    }
    if len(scores.steps) > 1:
        figures["anytime"] = draw_anytime(scores, title)
    if "early_exit" in scores.facts:
        figures["early_exit"] = draw_early_exit(scores, title)
    return figures


def draw_confusion(scores: Scores, title: str) -> Figure:
    """Draw shares of each true emotion, by rows; the counts stand below the shares."""
    counts = scores.confusion
    columns = list(EMOTIONS)
    if scores.missing.any():
        counts, columns = np.column_stack([counts, scores.missing]), [*columns, "missing"]
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    size = (7.4 + 0.7 * (len(columns) - 7), 6.9)
    figure, (axes,) = _figure(size, "Confusion: share of each true emotion, and count", (_summary(scores), title))
    axes.imshow(shares, cmap=RAMP, vmin=0, vmax=1, aspect="equal")
    for row, column in np.ndindex(*counts.shape):
        if not counts[row, column]:
            continue
        share = shares[row, column]
        colour = "white" if share > 0.6 else INK
        axes.text(column, row - 0.08, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=10.5)
        small: dict[str, Any] = {"ha": "center", "va": "center", "color": colour, "fontsize": 7.5, "alpha": 0.85}
        axes.text(column, row + 0.23, f"{counts[row, column]:,}", **small)
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(EMOTIONS)), EMOTIONS)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(EMOTIONS) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=FAINT, lw=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("told", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    return figure


def draw_recalls(scores: Scores, title: str) -> Figure:
    """Draw recall per emotion and accuracy per lighting, each with its interval."""
    rows: list[tuple[str, Estimate, str]] = [(name, e, BLUE) for name, e in scores.recalls.items()]
    gap = len(rows)
    rows += [(name, e, ORANGE) for name, e in scores.lightings.items()]
    size = (7.4, 1.2 + 0.36 * (len(rows) + 1))
    figure, (axes,) = _figure(size, "Recall by emotion, accuracy by lighting", (_summary(scores), title))
    places = [i + (i >= gap) for i in range(len(rows))]
    for place, (_, estimate, colour) in zip(places, rows, strict=True):
        if estimate.value is None:
            axes.text(CHANCE + 0.01, place, "not in the data", va="center", color=MUTED, fontsize=8.5)
            continue
        if estimate.low is not None and estimate.high is not None:
            axes.plot(
                [estimate.low, estimate.high], [place, place], color=colour, lw=5, alpha=0.3, solid_capstyle="butt"
            )
        axes.plot(estimate.value, place, "o", color=colour, ms=6.5, mec=GROUND, mew=0.8, clip_on=False, zorder=3)
        axes.text(1.03, place, f"{estimate.value:.1%}", va="center", color=INK, fontsize=9.5, clip_on=False)
    axes.axvline(CHANCE, color=MUTED, lw=0.9, ls=(0, (2, 3)))
    axes.text(CHANCE + 0.01, -1, "chance", ha="left", va="center", color=MUTED, fontsize=8.5)
    axes.text(-0.01, gap, "accuracy by lighting", ha="right", va="center", color=ORANGE, fontsize=9, weight="bold")
    axes.text(-0.01, -1, "recall by emotion", ha="right", va="center", color=BLUE, fontsize=9, weight="bold")
    axes.set_yticks(places, [name for name, _, _ in rows])
    axes.set_ylim(places[-1] + 0.6, -1.4)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="x", color=FAINT, lw=0.8)
    _plain(axes)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("bars: 95% interval over persons", color=MUTED, fontsize=9)
    return figure


def draw_reliability(scores: Scores, title: str) -> Figure:
    """Draw accuracy and mean confidence of each bin, and how many answers it holds."""
    ece = scores.headline["ece"]
    note = "no answers" if ece.value is None else f"expected calibration error {ece.value:.1%}{_within(ece)}"
    figure, (axes, below) = _figure((6.6, 6.2), "Calibration: how often an answer is right", (note, title), (3.6, 1))
    axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (2, 3)), zorder=3)
    for number, cell in enumerate(scores.reliability):
        labels = ("accuracy", "mean confidence") if not number else (None, None)
        middle, half = (cell["low"] + cell["high"]) / 2, (cell["high"] - cell["low"]) * 0.44
        axes.bar(middle, cell["accuracy"], 2 * half, color=BLUE, alpha=0.55, label=labels[0])
        ends = [middle - half, middle + half]
        axes.plot(
            ends, [cell["confidence"]] * 2, color=ORANGE, lw=2.6, label=labels[1], zorder=4, solid_capstyle="butt"
        )
        below.bar(middle, cell["answers"], 2 * half, color=MUTED)
    if scores.reliability:
        axes.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2, labelcolor=INK, fontsize=9.5
        )
    axes.set_ylabel("accuracy", color=MUTED)
    below.set_ylabel("answers", color=MUTED)
    below.set_xlabel("confidence: probability of the emotion told", color=MUTED)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for part in (axes, below):
        part.set_xlim(0, 1)
        part.xaxis.set_major_formatter(PercentFormatter(1))
        part.grid(axis="y", color=FAINT, lw=0.8)
        _plain(part)
    axes.tick_params(axis="x", labelbottom=False)
    return figure


def draw_anytime(scores: Scores, title: str) -> Figure:
    """Draw WAR and UAR when the prediction is read from the first steps alone."""
    size = (7.4, 4.0)
    figure, (axes,) = _figure(size, "Read from the first time steps alone", (_summary(scores), title))
    steps = [step["step"] for step in scores.steps]
    ends = []
    for name, colour, style in (("war", BLUE, "-"), ("uar", ORANGE, (0, (4, 1.5)))):
        estimates: list[Estimate] = [step[name] for step in scores.steps]
        values = [np.nan if e.value is None else e.value for e in estimates]
        low = [np.nan if e.low is None else e.low for e in estimates]
        high = [np.nan if e.high is None else e.high for e in estimates]
        axes.fill_between(steps, low, high, color=colour, alpha=0.13, lw=0)
        axes.plot(steps, values, color=colour, lw=2, ls=style, label=name.upper())
        ends.append((values[-1], f"{name.upper()} {values[-1]:.1%}", colour))
    axes.axhline(CHANCE, color=MUTED, lw=0.9, ls=(0, (2, 3)))
    span = steps[-1] - steps[0]
    axes.set_xlim(steps[0], steps[-1])
    axes.set_ylim(0, 1)
    axes.text(steps[-1] + 0.015 * span, CHANCE, "chance", va="center", color=MUTED, fontsize=9)
    (upper, _, _), (lower, _, _) = sorted(ends, reverse=True)
    push = max(0.0, 0.055 - (upper - lower)) / 2  # labels of equal scores would lie on each other
    for value, text, colour in ends:
        first = (value, text) == max(ends)[:2]
        place = value + (push if first else -push)
        axes.text(steps[-1] + 0.015 * span, place, text, va="center", color=colour, fontsize=10, weight="bold")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 4, 5, 10]))
    axes.grid(axis="y", color=FAINT, lw=0.8)
    _plain(axes)
    unit = ""
    if "time_us" in scores.steps[-1]:
        unit = f"; the last ends {scores.steps[-1]['time_us'] / 1e6:.2g} s after the first began"
    axes.set_xlabel(f"time steps of the clip{unit}. Bands: 95% over persons", color=MUTED, fontsize=9)
    return figure


def draw_early_exit(scores: Scores, title: str) -> Figure:
    """Draw UAR against mean steps over thresholds, and the threshold that validation chose."""
    facts = scores.facts["early_exit"]
    figure, (axes,) = _figure((7.4, 4.0), "Stopping when sure: UAR against steps", (_summary(scores), title))
    rows = sorted(facts["curve"], key=lambda row: row["steps"])
    steps, uars = [row["steps"] for row in rows], [row["uar"] for row in rows]
    axes.plot(steps, uars, color=BLUE, lw=2, marker="o", ms=3.5)
    chosen, uar = Estimate(**facts["steps"]), Estimate(**facts["uar"])
    assert chosen.value is not None
    assert uar.value is not None
    if uar.low is not None and uar.high is not None:
        axes.plot([chosen.value] * 2, [uar.low, uar.high], color=ORANGE, lw=1.6, alpha=0.6)
    axes.plot([chosen.value], [uar.value], color=ORANGE, marker="o", ms=8, zorder=3)
    last = facts["of_steps"]
    left = chosen.value > last / 2
    axes.annotate(
        f"validation's choice: {chosen.value:.1f} of {last} steps, {uar.value:.1%}",
        (chosen.value, uar.value),
        # The curve rises: above it on the left, below it on the right there is room.
        xytext=(-10, 16) if left else (12, -18),
        textcoords="offset points",
        ha="right" if left else "left",
        va="bottom" if left else "top",
        color=ORANGE,
        fontsize=10,
        weight="bold",
    )
    axes.axhline(CHANCE, color=MUTED, lw=0.9, ls=(0, (2, 3)))
    axes.text(last, CHANCE, "chance ", va="bottom", ha="right", color=MUTED, fontsize=9)
    axes.set_xlim(1, last)
    axes.set_ylim(0, min(1.0, max(*uars, uar.high or 0) * 1.15))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 4, 5, 10]))
    axes.grid(axis="y", color=FAINT, lw=0.8)
    _plain(axes)
    axes.set_xlabel("mean time steps until the exit. Bar: 95% over persons", color=MUTED, fontsize=9)
    return figure


def _figure(
    size: tuple[float, float], heading: str, notes: tuple[str, str], rows: tuple[float, ...] = ()
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a heading and two lines below it, in a margin of their own, and ``rows`` of axes."""
    width, height = size[0], size[1] + HEADER
    layout = ConstrainedLayoutEngine(rect=(0.01, 0.01, 0.98, 0.99 - HEADER / height))
    figure = Figure(figsize=(width, height), layout=layout, facecolor=GROUND)
    axes = list(np.atleast_1d(np.asarray(figure.subplots(max(len(rows), 1), 1, height_ratios=rows or None))))
    for part in axes:
        part.set_facecolor(GROUND)
        part.tick_params(colors=INK, labelsize=9.5)
    room = int(width * 14.5)
    lines = [(heading, 12.5, INK, 0.14), (notes[0], 9.5, INK, 0.42), (notes[1], 8.5, MUTED, 0.64)]
    for text, points, colour, below in lines:
        short = text if len(text) <= room else f"…{text[1 - room :]}"
        weight = "bold" if text is heading else "normal"
        style: dict[str, Any] = {"ha": "left", "va": "top", "fontsize": points, "color": colour, "weight": weight}
        figure.text(0.16 / width, 1 - below / height, short, parse_math=False, **style)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(axis="both", color=FAINT)


def _summary(scores: Scores) -> str:
    parts = []
    for name in ("war", "uar"):
        estimate = scores.headline[name]
        if estimate.value is not None:
            parts.append(f"{name.upper()} {estimate.value:.1%}{_within(estimate)}")
    facts = scores.facts
    parts.append(f"{facts['sequences']:,} sequences, {facts['persons']:,} person{'s' * (facts['persons'] != 1)}")
    if len(scores.runs) > 1:
        parts.append(f"{len(scores.runs)} runs")
    return "  ·  ".join(parts)


def _within(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
