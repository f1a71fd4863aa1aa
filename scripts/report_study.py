"""The study's table, for report.py."""

import json
from pathlib import Path
from typing import Any

from study_parts.comparing import Answers, Difference, compare, gather, holm, uar
from study_parts.plan import Plan, read_plan

from snnkd.energy import joules_text

BASE = {"few labels": "few_labels", "one objective": "alone_labels", "sizes": "labels", "frames": "frames_labels"}
"""What the rows of a group are held against; those of the others against ``labels``"""


def study(plan_path: Path, results: Path) -> str:
    """Every row with results: scores over seeds, the difference to the same student without, and what it costs."""
    plan = read_plan(plan_path)
    done = read(plan, results)
    answers = {name: gather(rows) for name, rows in done.items()}
    heads = [
        "",
        "seeds",
        "UAR",
        "95%",
        "against labels alone",
        "p",
        "folds ahead",
        "weights",
        "firing",
        "energy per clip",
        "training",
    ]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    group = None
    for name, rows in done.items():
        row = plan.rows[name]
        if row.group != group:
            group = row.group
            lines.append(f"| **{group}** |{' |' * (len(heads) - 1)}")
        lines.append(_line(row.says, rows, answers[name], answers.get(BASE.get(row.group, "labels")), len(plan.seeds)))
    left = [row.says for name, row in plan.rows.items() if name not in done]
    lines += [
        "",
        f"EyeSim's standard set (synthetic eyes), {plan.folds} person-disjoint folds, one a seed: with all seeds every "
        "person is a test person once. Intervals and p are over persons, differences over takes that both answered "
        "under the same seed; they do not speak of other draws of the training, and each p is of "
        "its row alone. Energy is arithmetic at 45 nm, fp32; "
        "training times are of one thread or, where marked, of a GPU, with other trainings on the machine.",
    ]
    lines[-1] += _redrawn(plan, results, done)
    if left:
        lines[-1] += f" Not trained yet: {len(left)} of {len(plan.rows)} rows."
    return "\n".join(lines)


def _redrawn(plan: Plan, results: Path, done: dict[str, list[dict[str, Any]]]) -> str:
    """What trainings came to that were repeated under their seed on another machine (``NAME/again/``)."""
    first = {(name, row["seed"]): row for name, rows in done.items() for row in rows}
    again = [json.loads(path.read_text()) for path in sorted((results / plan.name / "again").glob("*.json"))]
    moved = [100 * (row["uar"] - first[key]["uar"]) for row in again if (key := (row["row"], row["seed"])) in first]
    if not moved:
        return ""
    return (
        f" What one draw is worth: {len(moved)} of these trainings, repeated under the same seed on another processor "
        f"(float32 in place of bfloat16), came to {min(moved):+.1f} to {max(moved):+.1f} points of the first."
    )


def read(plan: Plan, results: Path) -> dict[str, list[dict[str, Any]]]:
    """Results by row, in the plan's order; only of the settings that the plan has now."""
    from study_parts.running import versions

    known, found = versions(), {}
    for name, row in plan.rows.items():
        digest = plan.digest(row, known)
        paths = (results / plan.name / f"{name}-{seed}.json" for seed in plan.seeds)
        rows = [json.loads(path.read_text()) for path in paths if path.exists()]
        rows = [result for result in rows if result["digest"] == digest]
        if rows:
            found[name] = rows
    return found


def _line(says: str, rows: list[dict[str, Any]], mine: Answers, base: Answers | None, seeds: int) -> str:
    score = uar(mine)
    gap, p, ahead = "", "", ""
    if base is not None and base is not mine and {key for key, _ in mine.keys} & {key for key, _ in base.keys}:
        found = compare(mine, base)
        if found.uar.low is not None and found.uar.high is not None and found.uar.value is not None:
            gap = f"{100 * found.uar.value:+.1f} ({100 * found.uar.low:+.1f} to {100 * found.uar.high:+.1f})"
            p = "<0.001" if found.p < 0.001 else f"{found.p:.2g}"
            ahead = f"{found.ahead[0]} of {found.ahead[1]}"
    mean = {key: sum(row[key] or 0.0 for row in rows) / len(rows) for key in ("joules", "spike_rate", "training_s")}
    span = "" if score.low is None or score.high is None else f"{100 * score.low:.0f} to {100 * score.high:.0f}"
    rate = "" if rows[0]["spike_rate"] is None else f"{mean['spike_rate']:.1%}"
    minutes = f"{mean['training_s'] / 60:.0f} min" + " (GPU)" * any(row["device"] != "cpu" for row in rows)
    return (
        f"| {says} | {len(rows)}/{seeds} | {100 * (score.value or 0):.1f} | {span} | {gap} | {p} | {ahead} "
        f"| {rows[0]['parameters']:,} | {rate} | {joules_text(mean['joules'])} | {minutes} |"
    )


def points(plan_path: Path, results: Path) -> list[tuple[str, str, float, tuple[float, float], float]]:
    """Of each row that all seeds were trained of: name, group, UAR, its interval, joules.

    The objectives alone are in the table: here they would lie on each other.
    """
    plan = read_plan(plan_path)
    found = []
    for name, rows in read(plan, results).items():
        row, score = plan.rows[name], uar(gather(rows))
        if row.group == "one objective" or len(rows) < len(plan.seeds):
            continue
        if score.value is not None and score.low is not None and score.high is not None:
            joules = sum(row["joules"] for row in rows) / len(rows)
            found.append((row.says, row.group, score.value, (score.low, score.high), joules))
    return found


def objectives(plan_path: Path, results: Path) -> list[tuple[str, Difference, float, int]]:
    """Of each objective alone: name, its student less that on labels, p after Holm over all of them, and seeds.

    Empty as long as one has no result: their number is part of the correction.
    """
    plan = read_plan(plan_path)
    base = BASE["one objective"]
    wanted = [name for name, row in plan.rows.items() if row.group == "one objective" and name != base]
    done = read(plan, results)
    if not wanted or not {base, *wanted} <= set(done):
        return []
    labels = gather(done[base])
    found = [compare(gather(done[name]), labels) for name in wanted]
    corrected = holm([difference.p for difference in found])
    says = [plan.rows[name].says for name in wanted]
    return list(zip(says, found, corrected, [len(done[name]) for name in wanted], strict=True))
