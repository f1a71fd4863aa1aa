"""The study's table: rows with results, differences in pairs, nothing of other settings."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_study import CONTENT, answered

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from report_study import objectives, study
from study_parts.comparing import holm
from study_parts.plan import read_plan
from study_parts.running import versions


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(CONTENT, sort_keys=False))
    return path


def result(plan, results, name, seed, right, digest=None):
    row = read_plan(plan).rows[name]
    folder = results / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"parameters": 1234, "spike_rate": 0.1, "joules": 2e-6, "training_s": 120.0}
    facts["device"] = "cpu" if name == "labels" else "GPU of some name"
    digest = digest or read_plan(plan).digest(row, versions())
    (folder / f"{name}-{seed}.json").write_text(json.dumps({**facts, **answered(seed, 8, 2, right), "digest": digest}))


def test_rows_are_told_with_their_difference_and_others_are_left_out(plan, tmp_path):
    results, rng = tmp_path / "results", np.random.default_rng(0)
    low, high = rng.random(48) < 0.3, rng.random(48) < 0.9
    for seed in (0, 1):
        result(plan, results, "labels", seed, low)
        result(plan, results, "kd", seed, high)
    result(plan, results, "teacher", 0, high, digest="of other settings")
    table = study(plan, results)
    labels, kd = (line for line in table.splitlines() if line.startswith(("| labels", "| kd")))
    recall = np.mean([high[[i for i in range(48) if i // 2 % 3 == k]].mean() for k in range(3)])
    base = np.mean([low[[i for i in range(48) if i // 2 % 3 == k]].mean() for k in range(3)])
    assert f"| 2/2 | {100 * recall:.1f} |" in kd
    assert f"{100 * (recall - base):+.1f} (" in kd
    assert "2 min" in kd
    assert "+" not in labels
    assert "teacher" not in table.split("Intervals")[0]
    assert "Not trained yet: 1 of 3 rows" in table


def test_what_repeated_trainings_came_to_is_told(plan, tmp_path):
    results, rng = tmp_path / "results", np.random.default_rng(0)
    right = rng.random(48) < 0.5
    result(plan, results, "labels", 0, right)
    assert "one draw" not in study(plan, results)
    first = results / "tiny" / "labels-0.json"
    found = json.loads(first.read_text())
    first.write_text(json.dumps(found | {"row": "labels", "uar": 0.5}))
    (results / "tiny" / "again").mkdir()
    for name, uar in (("labels-0", 0.46), ("absent-0", 0.1)):
        told = found | {"row": name[:-2], "uar": uar}
        (results / "tiny" / "again" / f"{name}.json").write_text(json.dumps(told))
    assert "1 of these trainings" in study(plan, results)
    assert "-4.0 to -4.0 points" in study(plan, results)


def test_objectives_alone_are_told_once_each_has_a_result_and_corrected_together(tmp_path):
    path = tmp_path / "study.yaml"
    alone = {"group": "one objective", "teacher": "teacher"}
    rows = {name: {**alone, "objectives": [{"name": name}]} for name in ("kd", "dkd")}
    content = {**CONTENT, "rows": {**CONTENT["rows"], "alone_labels": {"group": "one objective"}, **rows}}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    results, rng = tmp_path / "results", np.random.default_rng(0)
    low, high = rng.random(48) < 0.3, rng.random(48) < 0.9
    result(path, results, "alone_labels", 0, low)
    result(path, results, "kd", 0, high)
    assert objectives(path, results) == []
    result(path, results, "dkd", 0, low)
    (_, better, p, _), (_, same, q, seeds) = objectives(path, results)
    assert better.uar.value > 0 == same.uar.value
    assert (p, q) == (min(1, 2 * better.p), 1)
    assert seeds == 1


def test_holms_correction():
    # By hand: 0.01 * 4, 0.02 * 3, then 0.03 * 2 and 0.9, none below what came before it.
    assert holm([0.9, 0.01, 0.03, 0.02]) == pytest.approx([0.9, 0.04, 0.06, 0.06])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])
    assert holm([]) == []
