"""What a model folder holds, as facts and as lines for the terminal."""

import json
from pathlib import Path
from typing import Any

from snnkd.models.network import parameter_count
from snnkd.models.pretrained import load_model

SEES = {"events": "events", "frames": "frames", "both": "frames and events"}


def describe(folder: str | Path) -> dict[str, Any]:
    """Return architecture, input, feature maps, and what it was trained on, as plain data.

    Raises :class:`~snnkd.errors.ModelError` as :func:`snnkd.models.load_model` does.
    """
    network, config = load_model(folder)
    return {
        "path": str(folder),
        "architecture": config.architecture,
        "arguments": config.arguments,
        "parameters": parameter_count(network),
        "sees": network.modality,
        "emotions": list(config.emotions),
        "features": {name: list(shape) for name, shape in network.feature_shapes.items()},
        "input": config.input,
        "training": config.training,
    }


def table(facts: dict[str, Any], width: int = 100) -> str:
    """Return the facts of :func:`describe` as lines of at most ``width`` characters."""
    from snnkd.terminal import visible, wrapped

    arguments = {k: v for k, v in facts["arguments"].items() if k not in ("input_size", "classes")}
    columns, rows = facts["arguments"]["input_size"]
    features = facts["features"].items()
    lines = [
        ("architecture", facts["architecture"]),
        ("parameters", f"{facts['parameters']:,}"),
        ("sees", f"{SEES[facts['sees']]}, {columns}×{rows}{_windows(facts['input'])}"),
        ("emotions", ", ".join(facts["emotions"])),
        ("features", ", ".join(f"{name}\N{NO-BREAK SPACE}{'×'.join(map(str, shape))}" for name, shape in features)),
        ("arguments", ", ".join(f"{key}\N{NO-BREAK SPACE}{_told(value)}" for key, value in arguments.items())),
        *(("data", told) for told in _data(facts["input"])),
        *(("training", told) for told in _training(facts["training"])),
    ]
    indent = 2 + max(len(key) for key, _ in lines)
    said = [line for key, value in lines for line in wrapped(key, value, indent, width)]
    return "\n".join([visible(facts["path"]), *said])


def _windows(source: dict[str, Any]) -> str:
    if not isinstance(source.get("window_us"), int):
        return ""
    from snnkd.recordings.summary_table import counted, seconds

    steps, stride = source.get("steps"), source.get("stride", 1)
    told = f", windows of {seconds(source['window_us'])}"
    if isinstance(steps, int):
        told += f", trained on clips of {counted(steps, 'step')}"
    return told + (f", every {stride}th window" if stride != 1 else "")


def _data(source: dict[str, Any]) -> list[str]:
    if "dataset" not in source:
        return []
    from snnkd.recordings.summary_table import counted

    split, persons = source.get("split"), source.get("training_persons")
    told = str(source["dataset"])
    if isinstance(persons, list):
        told += f", {counted(len(persons), 'person')} in training"
    if isinstance(split, dict):
        rest = ", ".join(f"{key} {_told(value)}" for key, value in split.items() if key != "split")
        told += f"; split {split.get('split')} ({rest})"
    return [told + (f"; {share:.0%} of the labels" if isinstance(share := source.get("label_share"), float) else "")]


def _training(training: dict[str, Any]) -> list[str]:
    from snnkd.recordings.summary_table import counted

    told = []
    if isinstance(epochs := training.get("epochs"), int):
        told += [str(training["module"])] if "module" in training else []
        told.append(counted(epochs, "epoch"))
    if isinstance(uar := training.get("val_uar"), float):
        told.append(f"UAR {uar:.1%} on validation")
    if isinstance(temperature := training.get("temperature"), float):
        told.append(f"temperature {temperature:.2f}")
    return [", ".join(told), *([f"teacher {training['teacher']}"] if "teacher" in training else [])] if told else []


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(value).replace(" ", "") if isinstance(value, list) else str(value)
