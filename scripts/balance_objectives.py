"""How strongly each objective of a study pulls at the student, beside the labels: what its weight should make equal.

Losses differ by orders of magnitude, so at one weight for all a study would compare sizes of gradients. For each row of
the group "one objective" this prints the norm of the objective's gradient on the student's parameters over that of the
labels', at a fresh student and at one trained on labels, over batches of the first fold's training persons, and the
weight that brings the geometric mean of both to one.

Usage: python scripts/balance_objectives.py configs/study/eyesim.yaml [--root DATA] [--runs runs/study]
Needs the models `teacher-0` and `alone_labels-0` of the study under --runs.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from study_parts.plan import Row, read_plan
from study_parts.running import network
from torch import Tensor

from snnkd.datasets import EyeSim, collate
from snnkd.distill import Distiller, Objective
from snnkd.models import EyeNetwork, load_model

BATCHES = 6


def norm(loss: Tensor, parameters: list[torch.nn.Parameter]) -> float:
    """Length of a loss's gradient."""
    parts = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return float(torch.stack([part.square().sum() for part in parts if part is not None]).sum().sqrt())


def pull(row: Row, teacher: EyeNetwork, student: EyeNetwork, batches: list[dict[str, Any]]) -> float:
    """Median over batches of the objectives' gradient over the labels'."""
    given = [replace(Objective(**objective), weight=1.0) for objective in row.settings["objectives"]]
    torch.manual_seed(0)
    distiller = Distiller(teacher, student, given, label_smoothing=row.settings["training"]["label_smoothing"]).train()
    parameters, ratios = list(student.parameters()), []
    for batch in batches:
        terms = distiller(batch).terms
        label = norm(terms.pop("label"), parameters)
        ratios.append(norm(torch.stack(list(terms.values())).sum(), parameters) / label)
    return float(np.median(ratios))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--root")
    parser.add_argument("--runs", type=Path, default=Path("runs/study"))
    options = parser.parse_args()
    plan = read_plan(options.study)
    rows = {name: row for name, row in plan.rows.items() if row.group == "one objective" and row.links}
    source = next(iter(rows.values())).settings["data"]
    models = options.runs / plan.name
    teacher = load_model(models / "teacher-0")[0]
    clips = EyeSim(
        options.root or source["root"], "train", size=teacher.input_size, fold=0, folds=plan.folds, val_share=0.0,
        steps=source["steps"], window_us=source["window_us"],
    )  # fmt: skip
    size = source["batch_size"]
    order = np.random.default_rng(0).permutation(len(clips))[: BATCHES * size].reshape(BATCHES, size)
    batches = [collate([clips[int(i)] for i in chosen]) for chosen in order]
    print(f"{'row':<28}{'fresh':>9}{'trained':>9}{'weight':>9}")
    for name, row in rows.items():
        torch.manual_seed(0)
        fresh = pull(row, teacher, network(row.settings["network"]), batches)
        trained = pull(row, teacher, load_model(models / "alone_labels-0")[0], batches)
        print(f"{name:<28}{fresh:>9.3g}{trained:>9.3g}{(fresh * trained) ** -0.5:>9.2g}")


if __name__ == "__main__":
    main()
