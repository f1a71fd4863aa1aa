"""One training of a study and what is kept of it."""

import json
import os
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from numpy.typing import NDArray

import snnkd
from snnkd.datasets import EyeDataset, EyeSim, collate
from snnkd.datasets.eyesim.settings import VERSION
from snnkd.distill import Curriculum, Objective
from snnkd.energy import profile
from snnkd.models import ARCHITECTURES, EyeNetwork, load_model, parameter_count
from snnkd.training import Classification, Distillation, EmotionModule, EyeSimData, SaveModel
from snnkd.training.callbacks import EpochSeed
from snnkd.training.evaluation import Predictions, run, score
from snnkd.training.precision import bf16_in_hardware
from snnkd.training.run import quiet

from .plan import MODULE_OPTIONS, Job, Plan, Row

CLIPS_PROFILED = 56
"""Of the test set, spread over it; enough for an energy that moves by a percent"""


def versions() -> dict[str, Any]:
    """What a result depends on beside its settings."""
    return {"snnkd": snnkd.__version__, "eyesim": VERSION}


def network(settings: dict[str, Any]) -> EyeNetwork:
    """Build a network from ``{class: ..., arguments}``."""
    arguments = dict(settings)
    kind = arguments.pop("class")
    if kind not in ARCHITECTURES:
        raise SystemExit(f"there is no network {kind!r}: there are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[kind](**arguments)


def module(row: Row, seed: int, models: Path) -> EmotionModule:
    """The Lightning module of a row; what it goes on from was trained before with the same seed."""
    settings = row.settings
    training = settings["training"]
    options = {key: training[key] for key in MODULE_OPTIONS if key in training}
    if "start_from" in row.links:
        options["start_from"] = str(models / f"{row.links['start_from']}-{seed}")
    student = network(settings["network"])
    if "teacher" not in row.links:
        return Classification(student, **options)
    distillation = dict(settings["distillation"])
    if "curriculum" in distillation:
        distillation["curriculum"] = Curriculum(**(distillation["curriculum"] or {}))
    return Distillation(
        str(models / f"{row.links['teacher']}-{seed}"),
        student,
        [Objective(**objective) for objective in settings["objectives"]],
        **options,
        **distillation,
    )


def precision(training: dict[str, Any]) -> Any:
    """What Lightning multiplies in: bfloat16 where it is asked for and the processor has it.

    Where it would be emulated it takes several times as long as float32, for no other result than rounding's.
    """
    asked = training.get("precision", "32-true")
    return "32-true" if asked == "bf16-mixed" and not bf16_in_hardware() else asked


def train(plan: Plan, job: Job, models: Path, cache: str) -> tuple[EyeNetwork, float]:
    """Train a row under a seed; return the network and the seconds it took."""
    training, source = job.row.settings["training"], job.row.settings["data"]
    pl.seed_everything(job.seed, verbose=False)
    lightning_module = module(job.row, job.seed, models)
    data = EyeSimData(
        **source, fold=job.seed % plan.folds, folds=plan.folds, seed=0, val_share=0.0, cache=cache
    )  # nothing is selected, so nobody validates
    folder = models / job.key
    callbacks: list[Callback] = [EpochSeed(job.seed), SaveModel(folder)]
    if training.get("ema_decay"):
        callbacks.append(EMAWeightAveraging(decay=training["ema_decay"]))
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=training["epochs"],
        precision=precision(training),
        gradient_clip_val=None if training.get("clip") is None else training["clip"],
        logger=False,
        enable_checkpointing=False,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    began = time.perf_counter()
    trainer.fit(lightning_module, data)
    return load_model(folder)[0], time.perf_counter() - began


def measure(trained: EyeNetwork, test: EyeDataset, seconds: float) -> dict[str, Any]:
    """Scores, answers and costs of a network on the test set."""
    predictions = run(trained, test, "centre")
    scores = score(predictions)
    picked = [test[i * len(test) // CLIPS_PROFILED] for i in range(CLIPS_PROFILED)]
    report = profile(trained, trained.take(collate(picked)))
    return {
        "war": scores.headline["war"].value,
        "uar": scores.headline["uar"].value,
        "parameters": parameter_count(trained),
        "spike_rate": report.spike_rate,
        "synaptic_operations": report.synaptic_operations,
        "macs": report.macs,
        "joules": report.joules,
        "training_s": seconds,
        "answers": answers(predictions),
    }


def answers(predictions: Predictions) -> dict[str, Any]:
    """Each test take's person, label, what was told, and the probabilities, to compare rows clip by clip."""
    truth = predictions.truth
    rounded: NDArray[np.float64] = np.round(predictions.probabilities[0], 4)
    return {
        "names": list(truth.names),
        "persons": list(truth.persons),
        "labels": truth.labels.tolist(),
        "told": predictions.told[0].tolist(),
        "probabilities": rounded.tolist(),
    }


def test_set(plan: Plan, job: Job, size: tuple[int, int], cache: str) -> EyeDataset:
    """The persons whom a seed's networks have not seen."""
    source = job.row.settings["data"]
    clip = {key: source[key] for key in ("steps", "window_us", "stride") if key in source}
    return EyeSim(
        source["root"], "test", size=size, fold=job.seed % plan.folds, folds=plan.folds, val_share=0.0, **clip
    ).use_cache(cache, workers=0)


def run_job(plan: Plan, job: Job, results: Path, models: Path, cache: str, facts: dict[str, Any]) -> None:
    """Train, measure and write one result, whole or not at all."""
    quiet()
    trained, seconds = train(plan, job, models, cache)
    test = test_set(plan, job, trained.input_size, cache)
    result = {
        "row": job.row.name,
        "seed": job.seed,
        "digest": plan.digest(job.row, versions()),
        "fold": job.seed % plan.folds,
        **measure(trained, test, seconds),
        "settings": settings_told(job.row.settings),
        "links": job.row.links,
        "precision": precision(job.row.settings["training"]),
        "machine": facts,
        "device": str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu",
    }
    write(results / f"{job.key}.json", result)


def settings_told(settings: dict[str, Any]) -> dict[str, Any]:
    """What a result says of its settings: where the data lie on a machine is nobody else's concern."""
    return {**settings, "data": {key: value for key, value in settings["data"].items() if key not in ("root", "cache")}}


def measure_again(plan: Plan, job: Job, results: Path, models: Path, cache: str) -> None:
    """Score a trained model and count its operations anew, as when the counting has changed; its training stands."""
    path = results / f"{job.key}.json"
    result = json.loads(path.read_text())
    trained, _ = load_model(models / job.key)
    test = test_set(plan, job, trained.input_size, cache)
    write(path, result | measure(trained, test, result["training_s"]))


def write(path: Path, result: dict[str, Any]) -> None:
    """Write a result beside its place and move it there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    os.replace(beside, path)
