"""The command ``evaluate``: a model, or prediction files, scored by the protocol."""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnkd.cli.models import open_for, split_options
from snnkd.errors import ConfigError, DatasetError, warn

if TYPE_CHECKING:
    from snnkd.datasets import EyeDataset
    from snnkd.inference import Recognizer
    from snnkd.training.evaluation import Predictions, Scores

OF_MODELS = ("protocol", "starts", "batch_size", "early_exit")
OF_DATA = ("subset", "split", "fold", "folds", "person_fold", "split_seed")
RESULT = "scores.json"


def evaluate(options: argparse.Namespace) -> int:
    """Print the scores of a model on a dataset, or of prediction files; write them with ``-o``."""
    _check(options)
    if options.output is not None:
        refuse_results(options.output, options.overwrite, options.predictions or [])
    predictions, scores, title = _of_files(options) if options.predictions else _of_model(options)
    if options.json:
        print(scores.json_bytes().decode(), end="")
    else:
        from snnkd.training.evaluation.table import early_exit_text, scores_table

        print(scores_table(scores, title))
        if "early_exit" in scores.facts:
            print(f"\n{early_exit_text(scores.facts['early_exit'])}")
    if options.output is not None:  # after they were printed, so that a full disk does not take them
        written = write_results(options.output, scores, title, None if options.predictions else predictions)
        if not options.json:
            print(f"wrote {', '.join(written)} into {options.output}")
    return 0


def _check(options: argparse.Namespace) -> None:
    if (options.model is None) == (options.predictions is None):
        raise ConfigError("give either MODEL with --data DIR, or --predictions FILES")
    if options.model is not None and options.data is None:
        raise ConfigError(f"{options.model}: needs data to be evaluated on: give --data DIR")
    wrong = []
    if options.predictions is not None:
        wrong = [(name, "a MODEL: prediction files hold what was told already") for name in OF_MODELS]
        if options.data is None:
            wrong += [(name, "--data DIR") for name in OF_DATA]
    elif options.allow_missing:
        raise ConfigError("--allow-missing is for --predictions: a model answers for every sequence")
    if options.starts is not None and options.protocol != "random-starts":
        wrong.append(("starts", "--protocol random-starts"))
    for name, needed in wrong:
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')}: is for {needed}")
    if options.overwrite and options.output is None:
        raise ConfigError("--overwrite: is for -o DIR")


def _of_model(options: argparse.Namespace) -> "tuple[Predictions, Scores, str]":
    from snnkd.inference import load
    from snnkd.terminal import counting
    from snnkd.training.evaluation import run, score

    options.subset = options.subset or "test"
    protocol, batch_size = options.protocol or "whole", options.batch_size or 32
    starts = (options.starts or 20) if protocol == "random-starts" else 1
    recognizer = load(options.model)
    dataset = open_for(recognizer, options)
    facts, notes = _standing(recognizer, dataset, options)
    with counting("evaluating") as progress:
        predictions = run(
            recognizer.network,
            dataset,
            protocol,
            starts=starts,
            seed=options.seed,
            batch_size=batch_size,
            progress=progress,
        )
    clip = {"steps": dataset.steps, "stride": dataset.stride, "window_us": dataset.window_us}
    drawn = {"starts": starts, "seed": options.seed} if protocol == "random-starts" else {}
    facts = {
        "model": options.model,
        "architecture": type(recognizer.network).__name__,
        "modality": recognizer.network.modality,
        **facts,
        "protocol": {"name": protocol, **drawn, **clip},
    }
    times = [t * dataset.stride * dataset.window_us + dataset.window_us for t in range(dataset.steps)]
    if options.early_exit is not None:
        facts["early_exit"] = _early_exit(recognizer, predictions, options)
    scores = score(predictions, facts, seed=options.seed, times_us=times, notes=tuple(notes))
    how = {"whole": "whole sequences", "centre": "centre clips", "random-starts": f"{starts} random starts"}[protocol]
    return predictions, scores, f"{options.model} on {options.data}: {_part(dataset, options)}, {how}"


def _early_exit(recognizer: "Recognizer", predictions: "Predictions", options: argparse.Namespace) -> dict[str, Any]:
    """What stopping early saves and costs, with a threshold from the validation persons of the same split."""
    from snnkd.training.evaluation import run
    from snnkd.training.evaluation.early_exit import report

    if options.subset == "val":
        raise ConfigError("--early-exit: its threshold is chosen on val: report it on another subset")
    validation = open_for(recognizer, argparse.Namespace(**{**vars(options), "subset": "val"}))
    seen = run(recognizer.network, validation, options.protocol or "whole", batch_size=options.batch_size or 32)
    return report(seen, predictions, options.early_exit, options.seed)


def _standing(
    recognizer: "Recognizer", dataset: "EyeDataset", options: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    """What the scored persons are to the network: facts for the file, sentences for the reader."""
    from snnkd.training.evaluation import known_persons

    trained = recognizer.input
    told = "population" in trained
    known = known_persons(trained, dataset)
    facts = {
        **_data_facts(dataset, options),
        "trained_on": trained.get("population"),
        "persons_seen_in_training": len(known) if told else None,
    }
    notes = []
    if not told:
        notes.append("The model does not say who trained it: whether it knows these persons is not known.")
    elif trained["population"] != dataset.population:
        notes.append(f"The model was trained on other people ({trained['population']}).")
    elif known and options.subset == "train":
        number = f"{len(known)} of these {len(dataset.persons)} persons trained the model"
        warn(f"{number}: what it scores on them is no result; give --subset test")
        notes.append(f"{number}: this is no result.")
    elif known:
        notes.append(_sharing(dataset, len(known)))
    if told and options.subset == "val":
        notes.append("Validation persons: to choose a model by, not to report.")
    return facts, notes


def _sharing(dataset: "EyeDataset", shared: int) -> str:
    name = dataset.split_config.get("split")
    return f"The {name} split shares persons: {shared} of these {len(dataset.persons)} have training sequences too."


def _of_files(options: argparse.Namespace) -> "tuple[Predictions, Scores, str]":
    from snnkd.training.evaluation import Truth, read_predictions, score

    facts: dict[str, Any] = {"predictions": [str(path) for path in options.predictions]}
    notes = ["Whether these persons trained what made the predictions is not known."]
    truth, part = None, ""
    if options.data is not None:
        from snnkd.datasets import open_dataset

        options.subset = options.subset or "test"
        split = split_options(options)
        # Nothing is read but names and labels: the shortest clip leaves no sequence out.
        dataset = open_dataset(options.data, options.subset, steps=1, stride=1, **split)
        truth = Truth.of(dataset)
        facts |= _data_facts(dataset, options)
        part = f" on {options.data}: {_part(dataset, options)}"
        if options.subset == "test":
            others: set[str] = set()
            for subset in ("train", "val"):
                with suppress(DatasetError):  # one that has no sequences
                    others |= set(open_dataset(options.data, subset, steps=1, stride=1, **split).persons)
            shared = len(others & set(dataset.persons))
            facts["persons_shared_with_training"] = shared
            if shared:
                notes.append(_sharing(dataset, shared))
    predictions = read_predictions(options.predictions, truth, allow_missing=options.allow_missing)
    scores = score(predictions, facts, seed=options.seed, notes=tuple(notes))
    first = options.predictions[0]
    more = f" and {len(options.predictions) - 1} more" if len(options.predictions) > 1 else ""
    return predictions, scores, f"{first}{more}{part}"


def _data_facts(dataset: "EyeDataset", options: argparse.Namespace) -> dict[str, Any]:
    return {
        "data": str(options.data),
        "population": dataset.population,
        "subset": options.subset,
        "split": dataset.split_config,
    }


def _part(dataset: "EyeDataset", options: argparse.Namespace) -> str:
    split, fold = dataset.split_config.get("split"), dataset.split_config.get("fold")
    named = [str(split)] if split else []
    if fold is not None and split != "official":
        named.append(f"fold {fold}")
    return f"{options.subset} ({', '.join(named)})" if named else str(options.subset)


def refuse_results(folder: Path, overwrite: bool, read: Sequence[Path] = ()) -> None:
    """Refuse an output folder that is a file, holds results which are to stay, or what is to be ``read``: before any
    work is done.
    """
    for path in read:
        if path.resolve().parent == folder.resolve():
            raise ConfigError(f"{folder}: holds the prediction files: choose another folder for the results")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file: give a folder for the results")
    if folder.is_dir() and not overwrite:
        names = {path.name for path in folder.iterdir()}
        there = sorted(name for name in names if name == RESULT or name.startswith("predictions"))
        if there:
            raise ConfigError(
                f"{folder}: holds {there[0]} already: choose another folder, or give --overwrite to replace it"
            )


def write_results(folder: Path, scores: "Scores", title: str, predictions: "Predictions | None" = None) -> list[str]:
    """Write scores, pictures and predictions, if any; return their names. All are made before the first is written.

    Files that an older ``scores.json`` in the folder names, and that are not written anew, are removed.
    """
    from snnkd.inference.drawing import png_bytes
    from snnkd.inference.timeline import write_whole
    from snnkd.training.evaluation import predictions_json
    from snnkd.training.evaluation.drawing import draw_scores

    files: dict[str, bytes] = {}
    if predictions is not None:
        runs, digits = predictions.runs, len(str(predictions.runs))
        for run in range(runs):
            name = f"predictions_{run + 1:0{digits}d}.json" if runs > 1 else "predictions.json"
            files[name] = predictions_json(predictions, run)
    told = list(files)
    for name, figure in draw_scores(scores, title).items():
        files[f"{name}.png"] = png_bytes(figure)
    scores.facts["files"] = [*files, RESULT]
    files[RESULT] = scores.json_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    stale = _named_before(folder / RESULT) - set(files)
    for name, data in files.items():
        write_whole(folder / name, data)
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    return [*([f"{told[0]} to {told[-1]}"] if len(told) > 1 else told), *(name for name in files if name not in told)]


def _named_before(path: Path) -> set[str]:
    try:
        older = json.loads(path.read_text(encoding="utf-8"))
        files = older["files"] if older["format"] == "snnkd-scores" else []
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in files if isinstance(name, str) and "/" not in name and name.endswith((".json", ".png"))}
