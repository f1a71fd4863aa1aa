"""Scores for the terminal."""

from typing import Any

from snnkd.datasets import EMOTIONS
from snnkd.terminal import as_text, plain_table, visible
from snnkd.training.evaluation.bootstrap import Estimate
from snnkd.training.evaluation.scores import HEADLINES, Scores

NAMES = {
    "war": "WAR",
    "uar": "UAR",
    "macro_f1": "macro F1",
    "ece": "calibration error (ECE)",
    "nll": "negative log likelihood",
}
PLAIN = ("nll",)
"""Scores that are no shares"""
COLUMNS = 8
"""Time steps that the table shows"""


def scores_table(scores: Scores, title: str, width: int = 110) -> str:
    """Return headline scores, confusion with recalls, accuracies by lighting, the anytime curve, and what limits them.

    Intervals are 95%, over persons; an en dash stands where there is no score.
    """
    facts, runs = scores.facts, len(scores.runs)
    persons = f"{facts['persons']:,} person{'s' * (facts['persons'] != 1)}"
    per = f", {runs} runs" if runs > 1 else ""
    head = f"{visible(title)}\n{facts['sequences']:,} sequences of {persons}{per}"
    parts = [plain_table()]
    for heading, justify in (("score", "left"), ("", "right"), ("95% interval", "left")):
        parts[0].add_column(heading, justify=justify)  # type: ignore[arg-type]
    if runs > 1:
        parts[0].add_column("spread over runs", justify="right")
    for name in HEADLINES:
        estimate, spread = scores.headline[name], scores.spread(name)
        row = [NAMES[name], _value(estimate, name in PLAIN), _interval(estimate, name in PLAIN)]
        if runs > 1:
            row.append("–" if spread is None else f"{spread:.3f}" if name in PLAIN else f"{100 * spread:.1f} points")
        parts[0].add_row(*row)

    missing = scores.missing.any()
    table = plain_table("Told" + (f", in {runs} runs" if runs > 1 else ""))
    table.add_column("true")
    for heading in (*EMOTIONS, *(["missing"] if missing else []), "recall"):
        table.add_column(heading, justify="right")
    table.add_column("95%")
    for k, emotion in enumerate(EMOTIONS):
        counts = [*scores.confusion[k].tolist(), *([int(scores.missing[k])] if missing else [])]
        recall = scores.recalls[emotion]
        table.add_row(emotion, *(f"{n:,}" if n else "·" for n in counts), _value(recall), _interval(recall))
    parts.append(table)

    table = plain_table()
    for heading, justify in (("lighting", "left"), ("sequences", "right"), ("accuracy", "right"), ("95%", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for name, estimate in scores.lightings.items():
        number = f"{scores.lighting_sequences[name]:,}"
        table.add_row(visible(name), number, _value(estimate), _interval(estimate))
    parts.append(table)

    if len(scores.steps) > 1:
        table = plain_table()
        table.add_column("read after step")
        length = len(scores.steps)
        shown = sorted({round(1 + i * (length - 1) / (COLUMNS - 1)) for i in range(COLUMNS)})
        for step in shown:
            table.add_column(str(step), justify="right")
        for name in ("war", "uar"):
            table.add_row(NAMES[name], *(_value(scores.steps[step - 1][name]) for step in shown))
        parts.append(table)
    blocks = [head, *(as_text(part, width=width).lstrip("\n") for part in parts)]
    return "\n\n".join([*blocks, *(["\n".join(map(visible, scores.notes))] if scores.notes else [])])


def _value(estimate: Estimate, plain: bool = False) -> str:
    if estimate.value is None:
        return "–"
    return f"{estimate.value:.3f}" if plain else f"{100 * estimate.value:.1f}%"


def _interval(estimate: Estimate, plain: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return "–"
    if plain:
        return f"{estimate.low:.3f} to {estimate.high:.3f}"
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def early_exit_text(facts: dict[str, Any], width: int = 110) -> str:
    """Return what :func:`snnkd.training.evaluation.early_exit.report` found, as a table."""
    steps, of = Estimate(**facts["steps"]), facts["of_steps"]
    persons = facts["calibrated_on"]["persons"]
    table = plain_table(
        f"Early exit at a confidence of {facts['threshold']:.2f}"
        if facts["threshold"] <= 1
        else "Early exit: no confidence is high enough to stop at without losing more",
        f"Chosen on {persons} validation person{'s' * (persons != 1)}, to lose no more than {facts['tolerance']:.1%}.",
    )
    for heading, justify in (("", "left"), ("steps", "right"), ("95%", "left"), ("UAR", "right"), ("95%", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    span = "–" if steps.low is None else f"{steps.low:.1f} to {steps.high:.1f}"
    for name, count, shown, key in (
        ("all steps", f"{of}", "", "uar_of_all_steps"),
        ("until sure", f"{steps.value:.1f}", span, "uar"),
    ):
        uar = Estimate(**facts[key])
        table.add_row(name, count, shown, _value(uar), _interval(uar))
    return as_text(table, width=width)
