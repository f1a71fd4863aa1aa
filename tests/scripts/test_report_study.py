"""The study's table: rows with results, differences in pairs, nothing of other settings."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_study import CONTENT, answered

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from report_study import study
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
