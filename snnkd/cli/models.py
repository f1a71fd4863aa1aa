"""The commands that make data and models: ``demo``, ``data synth``, ``train``."""

import argparse
from typing import TYPE_CHECKING, Any

from snnkd.errors import DatasetError, ModelError

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
            size=options.size,
            duration_s=options.duration,
            lightings=options.lightings,
            layout=options.layout,
            workers=options.workers,
            progress=progress,
        )
    print(f"wrote {options.output}")
    return 0


def train(arguments: list[str]) -> int:
    """Train what the arguments say."""
    from snnkd.models import load_model
    from snnkd.recordings.summary_table import counted
    from snnkd.training import train as run

    folder = run(arguments)
    facts = load_model(folder)[1].training
    told = counted(facts["epochs"], "epoch")
    if (uar := facts.get("val_uar")) is not None:
        told += f", UAR {uar:.1%} on persons of the validation subset"
    print(f"wrote {folder}: {told}\nscore it on others: snnkd evaluate {folder} --data DATA")
    return 0


def split_options(options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for of the split, as keyword arguments of the datasets."""
    names = {"split": "split", "fold": "fold", "folds": "folds", "person_fold": "person_fold", "split_seed": "seed"}
    return {key: value for name, key in names.items() if (value := getattr(options, name, None)) is not None}


def open_for(recognizer: "Recognizer", options: argparse.Namespace) -> "EyeDataset":
    """Open the data as the model's training cut and split it, but for what the options say of the split.

    Raises :class:`~snnkd.errors.DatasetError` rather than score a network on persons that trained it, unless the
    training subset itself is asked for.
    """
    from snnkd.datasets import EMOTIONS, open_dataset
    from snnkd.training.evaluation import known_persons, refuse_known_persons

    if recognizer.emotions != EMOTIONS:
        raise ModelError(f"{options.model}: its emotions are not the datasets' {', '.join(EMOTIONS)}, in this order")
    for key, kind in (("split", dict), ("training_persons", list)):
        if "population" in recognizer.input and not isinstance(recognizer.input.get(key), kind):
            raise ModelError(f"{options.model}: config.json: input.{key} is missing or no {kind.__name__}")
    clip = {key: recognizer.input[key] for key in ("steps", "window_us", "stride") if key in recognizer.input}
    split = split_options(options)
    population = open_dataset(options.data, "all", steps=1, stride=1).population
    if population == recognizer.input.get("population"):
        split = recognizer.input["split"] | split
    dataset = open_dataset(options.data, options.subset, size=recognizer.network.input_size, **clip, **split)
    said = f"{options.model}: was trained on"
    if options.subset == "all" and (known := known_persons(recognizer.input, dataset)):
        raise DatasetError(f"{said} {len(known)} of the persons in this subset ({known[0]}, …): choose --subset test")
    if options.subset != "train":
        refuse_known_persons(recognizer.input, dataset, said, "its own split")
    return dataset
