"""The commands on models and their data: ``demo``, ``data synth``, ``train``, ``evaluate``, ``energy``, ``infer``."""

import argparse
import json
from typing import TYPE_CHECKING

from snnkd.errors import ModelError

if TYPE_CHECKING:
    from snnkd.datasets import EyeDataset
    from snnkd.inference import Recognizer


def demo(options: argparse.Namespace) -> int:
    """Run everything small."""
    from snnkd.demo import Settings, run

    run(
        options.output,
        Settings(options.persons, options.takes, options.epochs, options.seed, options.workers),
    )
    return 0


def synth(options: argparse.Namespace) -> int:
    """Write a synthetic dataset."""
    from snnkd.datasets.eyesim import generate
    from snnkd.terminal import counting

    with counting("generating") as progress:
        generate(
            options.output,
            persons=options.persons,
            takes=options.takes,
            seed=options.seed,
            size=(options.size, options.size),
            duration_s=options.duration,
            workers=options.workers,
            progress=progress,
        )
    print(f"wrote {options.output}")
    return 0


def train(arguments: list[str]) -> int:
    """Train what the arguments say."""
    from snnkd.training import train as run

    print(f"wrote {run(arguments)}")
    return 0


def _dataset(recognizer: "Recognizer", options: argparse.Namespace) -> "EyeDataset":
    """Open the data as the model's training cut and split it, and refuse to score on persons that trained it."""
    from snnkd.datasets import EMOTIONS, open_dataset
    from snnkd.training.evaluate import refuse_known_persons

    if recognizer.emotions != EMOTIONS:
        raise ModelError(f"{options.model}: its emotions are not the datasets' {', '.join(EMOTIONS)}, in this order")
    for key, kind in (("split", dict), ("training_persons", list)):
        if "population" in recognizer.input and not isinstance(recognizer.input.get(key), kind):
            raise ModelError(f"{options.model}: config.json: input.{key} is missing or no {kind.__name__}")
    clip = {key: recognizer.input[key] for key in ("steps", "window_us", "stride") if key in recognizer.input}
    size = recognizer.network.input_size
    dataset = open_dataset(options.data, options.subset, size=size, **clip)
    if dataset.population == recognizer.input.get("population"):
        split = recognizer.input["split"]
        dataset = open_dataset(options.data, options.subset, size=size, **clip, **split)
    if options.subset != "train":
        refuse_known_persons(recognizer.input, dataset, f"{options.model}: was trained on", "its own split")
    return dataset


def evaluate(options: argparse.Namespace) -> int:
    """Print the scores of a model on a dataset."""
    from snnkd.inference import load
    from snnkd.training import evaluate as score

    recognizer = load(options.model)
    dataset = _dataset(recognizer, options)
    scores = score(recognizer.network, dataset)
    if options.json:
        recalls = dict(zip(recognizer.emotions, scores.recalls, strict=True))
        facts = {"clips": len(dataset), "war": scores.war, "uar": scores.uar, "recalls": recalls}
        print(json.dumps({**facts, "confusion": scores.confusion.tolist()}, indent=2))
    else:
        print(scores.table(recognizer.emotions))
    return 0


def energy(options: argparse.Namespace) -> int:
    """Print what a model costs per clip."""
    from snnkd.datasets import collate
    from snnkd.energy import load_hardware, profile
    from snnkd.inference import load

    hardware = load_hardware(options.hardware)
    recognizer = load(options.model)
    dataset = _dataset(recognizer, options)
    number = min(options.clips, len(dataset))
    batch = collate([dataset[i * len(dataset) // number] for i in range(number)])  # spread over persons and emotions
    report = profile(recognizer.network, batch[recognizer.network.modality], options.hardware)
    if options.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print(report.table())
        rate = "" if report.spike_rate is None else f", {report.spike_rate:.1%} of neurons fire per step"
        print(f"{report.samples} clips{rate}. Constants: {hardware.mac.source}.")
    return 0


def infer(options: argparse.Namespace) -> int:
    """Write the timelines of recordings."""
    from snnkd.inference import load
    from snnkd.inference.files import infer_files

    recognizer = load(options.model)
    return 0 if infer_files(recognizer, options.recordings, options.output) else 2
