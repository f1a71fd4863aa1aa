"""Accuracy against energy: the same student under rising prices of a synaptic operation, and left early.

Trains the nano student on EyeSim's standard set, person-disjoint, once for each price (``energy_weight``), and
scores it on the test persons. That of the lowest price is also left early, at every threshold rather than at a chosen
one: a point of that curve is one threshold, energy being that of the steps until the exit.

Usage: python scripts/energy_tradeoff.py DATA [--prices 0 1 3 10] [--epochs 60] [--fold 0] [--cache DIR] [-o FILE]
Then: python scripts/report.py, which draws assets/energy_tradeoff.png.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from make_assets import machine

from snnkd.datasets import EyeSim, collate
from snnkd.energy import Profiler
from snnkd.models import EventStudent
from snnkd.training import Classification, EyeSimData
from snnkd.training.callbacks import EpochSeed
from snnkd.training.evaluation import run, score
from snnkd.training.evaluation.early_exit import candidates, leave, logits_of, uar_of
from snnkd.training.precision import chosen_precision
from snnkd.training.run import quiet

RESULTS = Path(__file__).parents[1] / "assets" / "results" / "energy_tradeoff.json"
CLIP: dict[str, Any] = {"steps": 15, "window_us": 99_999}
MOVED: dict[str, Any] = {
    "affine": {"degrees": 8.0, "shift": 0.08, "scale": (0.9, 1.1)},
    **dict.fromkeys(("drop", "noise", "hot_pixels")),
}
"""Augmentation: that of configs/eyesim"""
SIZE = (64, 64)
BATCH = 24


def trained(options: argparse.Namespace, price: float) -> EventStudent:
    """The student under a price."""
    pl.seed_everything(options.fold, verbose=False)
    data = EyeSimData(
        str(options.data), **CLIP, fold=options.fold, val_share=0.0, cache=options.cache, augmentation=MOVED
    )
    network = EventStudent(SIZE, size="nano")
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=options.epochs, gradient_clip_val=1.0, logger=False, enable_checkpointing=False,
        precision=chosen_precision("auto") or "32-true", callbacks=[EpochSeed(options.fold)],
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Classification(network, weight_decay=0.02, energy_weight=price), data)
    return network.eval()


def measured(network: EventStudent, options: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Scores and energy on the test persons, and both over thresholds of the early exit."""
    test = EyeSim(options.data, "test", size=SIZE, fold=options.fold, val_share=0.0, **CLIP).use_cache(options.cache)
    predictions = run(network, test, "centre")
    profiler = Profiler(network)
    for start in range(0, len(test), BATCH):
        profiler.add(network.take(collate([test[i] for i in range(start, min(start + BATCH, len(test)))])))
    report = profiler.report()
    scores = score(predictions)
    each = np.cumsum(report.per_step())  # a clip's mean energy until each step
    curve = []
    for threshold in candidates(logits_of(predictions))[::10]:
        exits = leave(predictions, float(threshold))
        curve.append(
            {
                "threshold": float(threshold),
                "steps": float(exits.used.mean()),
                "joules": float(each[exits.used - 1].mean()),
                "uar": uar_of(exits.predictions),
            }
        )
    uar = scores.headline["uar"]
    whole = {
        "uar": {"value": uar.value, "low": uar.low, "high": uar.high},
        "joules": report.joules,
        "synaptic_operations": report.synaptic_operations,
        "spike_rate": report.spike_rate,
    }
    return whole, curve


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--prices", type=float, nargs="+", default=[0.0, 1.0, 3.0, 10.0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--cache", default="runs/cache")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    quiet()
    facts = {"epochs": options.epochs, "fold": options.fold, "clip": CLIP, "machine": machine()}
    result: dict[str, Any] = {**facts, "rows": [], "early_exit": []}
    for price in options.prices:
        whole, curve = measured(trained(options, price), options)
        result["rows"].append({"price": price, **whole})
        if price == min(options.prices):
            result["early_exit"] = curve
        options.output.write_text(json.dumps(result, indent=1) + "\n")
        print(price, whole)


if __name__ == "__main__":
    main()
