"""What a small student costs beside SEEN, on the same takes: joules, time to recognise one, time to train on one.

Usage: python scripts/benchmark_seen.py DATA MODEL [-o FILE] [--threads 2] [--rounds 3]
DATA: EyeSim's standard set. MODEL: a student trained on it (runs/study/eyesim/synergistic-0 after the study).

SEEN is its authors': 90×90, clips of four images of which three are skipped, fp32, untrained. What it costs hardly
depends on its weights: its frames' convolutions and its first event layer see analog values whatever they are, and the
energy of those alone is told beside that of the whole, whose spikes are those of untrained weights. SEEN on all
windows of a take is told, too: what the student sees. Times are medians over rounds in which all take turns.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from make_assets import machine
from study_parts.plan import Row, read_plan
from study_parts.running import module, network

from snnkd.datasets import EMOTIONS, EyeSim, collate
from snnkd.energy import load_hardware, profile
from snnkd.energy.pricing import PRICES
from snnkd.inference.engine import EventDriven
from snnkd.models import EyeNetwork, load_model, save_model
from snnkd.training import EyeSimData
from snnkd.training.callbacks import EpochSeed
from snnkd.training.run import quiet

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "assets" / "results" / "seen.json"
TAKES = 28
"""Of one fold's test set, spread over it"""
WARM, STEPS = 3, 12
WHOLE = {"steps": 15, "stride": 1}
GOALS = {"energy": 20, "recognising": 10, "training": 10}
"""Times as much"""


def takes(data: str, network: EyeNetwork, clip: dict[str, Any]) -> list[dict[str, Any]]:
    """The same takes in a network's input."""
    test = EyeSim(data, "test", size=network.input_size, folds=5, val_share=0.0, window_us=99_999, **clip)
    return [test[number * len(test) // TAKES] for number in range(TAKES)]


def timed(run: Callable[[Any], Any], every: list[Any]) -> float:
    """Median ms of one."""
    times = []
    for each in every:
        began = time.perf_counter()
        run(each)
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


def recognising(
    samples: dict[str, list[dict[str, Any]]], networks: dict[str, EyeNetwork], rounds: int
) -> dict[str, float]:
    """Median ms from a take's tensors to its emotion, one take at a time."""
    engine = EventDriven(networks["student"])
    bins = [sample["events"].numpy().astype(np.uint16) for sample in samples["student"]]

    def by_events(counts: np.ndarray) -> int:
        return int(engine.run(counts, engine.rest()).logits.mean(0).argmax())

    def by_torch(name: str) -> Callable[[dict[str, Any]], int]:
        def run(sample: dict[str, Any]) -> int:
            with torch.inference_mode():
                return int(networks[name](networks[name].take(collate([sample]))).mean(0).argmax())

        return run

    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, run, every in (
            ("student", by_events, bins),
            *((name, by_torch(name), samples[name]) for name in ("SEEN", "SEEN, all windows")),
        ):
            taken = timed(run, every)
            if number:  # kernels are compiled and the allocator has settled
                found.setdefault(name, []).append(taken)
    return {name: statistics.median(values) for name, values in found.items()}


def energy(network: EyeNetwork, samples: list[dict[str, Any]]) -> dict[str, float]:
    """Joules of a take, and of its multiplications alone, which no spike saves."""
    hardware = load_hardware("45nm-fp32")
    report = profile(network, network.take(collate(samples)), hardware)
    return {
        "joules": report.joules,
        "joules_of_macs": report.macs * (hardware.joules(PRICES["macs"]) or 0.0),
        "synaptic_operations": report.synaptic_operations,
        "macs": report.macs,
        "spike_rate": report.spike_rate,
    }


def training(row: Row, data: str, cache: str, teacher: Path) -> float:
    """Median ms that a step of a row's training takes for each take of its batch, loading and augmenting included."""
    pl.seed_everything(0, verbose=False)
    settings = row.settings
    ends: list[float] = []

    class Clock(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            ends.append(time.perf_counter())

    source = dict(settings["data"]) | {"root": data}
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=WARM + STEPS, precision=settings["training"]["precision"], logger=False,
        gradient_clip_val=settings["training"]["clip"], enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[EpochSeed(0), Clock()],
    )  # fmt: skip
    trainer.fit(module(row, 0, teacher), EyeSimData(**source, fold=0, folds=5, val_share=0.0, cache=cache))
    return 1e3 * statistics.median(np.diff(ends)[WARM - 1 :]) / source["batch_size"]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    parser.add_argument("--cache", default="runs/cache")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    quiet()
    rows = read_plan(ROOT / "configs" / "study" / "eyesim.yaml").rows
    torch.manual_seed(0)
    baseline = network(rows["seen"].settings["network"]).eval()
    networks = {"student": load_model(options.model)[0], "SEEN": baseline, "SEEN, all windows": baseline}
    authors = {key: rows["seen"].settings["data"][key] for key in ("steps", "stride")}
    clips = {"student": WHOLE, "SEEN": authors, "SEEN, all windows": WHOLE}
    samples = {name: takes(options.data, networks[name], clips[name]) for name in networks}
    result: dict[str, Any] = {
        "machine": machine() | {"threads": options.threads},
        "takes": TAKES,
        "clips": clips,
        "goals": GOALS,
        "student": options.model.name,
    }
    result["energy"] = {name: energy(networks[name], samples[name]) for name in networks}
    print(json.dumps(result["energy"], indent=1), file=sys.stderr)
    result["recognising_ms"] = recognising(samples, networks, options.rounds)
    print(result["recognising_ms"], file=sys.stderr)
    seen = rows["seen"]
    whole = Row("seen", {**seen.settings, "data": {**seen.settings["data"], **WHOLE, "batch_size": 16}})
    steps: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # A teacher takes as long whatever it has learned.
        settings = rows["teacher"].settings["network"]
        save_model(network(settings), Path(folder) / "teacher-0", emotions=EMOTIONS, input={"window_us": 99_999})
        for _ in range(options.rounds):
            for name, row in (
                ("student, labels alone", rows["labels"]), ("student, distilled", rows["synergistic"]),
                ("SEEN", seen), ("SEEN, all windows", whole),
            ):  # fmt: skip
                steps.setdefault(name, []).append(training(row, options.data, options.cache, Path(folder)))
    result["training_ms"] = {name: statistics.median(values) for name, values in steps.items()}
    print(result["training_ms"], file=sys.stderr)
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
