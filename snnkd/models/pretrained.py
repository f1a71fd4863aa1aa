"""A pretrained model on disk: a folder with ``model.safetensors``, ``config.json`` and a model card.

``config.json`` holds::

    {"format": "snnkd-model", "version": 1,
     "architecture": "EventStudent",         one of ARCHITECTURES
     "arguments": {...},                     of its constructor
     "emotions": ["happiness", ...],         what the logits mean, in order
     "input": {"window_us": 33333, ...},     how recordings become the network's input
     "training": {...}}                      what is known of its making, free form

Nothing is ever unpickled.
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from snnkd.errors import ModelError
from snnkd.models.fusion import FusionTeacher
from snnkd.models.network import EyeNetwork
from snnkd.models.seen_network import SEENNetwork
from snnkd.models.student import EventStudent, FrameStudent
from snnkd.models.teacher import FrameTeacher
from snnkd.models.timm_teacher import TimmTeacher

ARCHITECTURES: dict[str, type[EyeNetwork]] = {
    cls.__name__: cls for cls in (EventStudent, FrameStudent, FrameTeacher, FusionTeacher, SEENNetwork, TimmTeacher)
}

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


@dataclass(frozen=True)
class ModelConfig:
    """What a model folder says beside the weights."""

    architecture: str
    arguments: dict[str, Any]
    emotions: tuple[str, ...]
    input: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def save_model(
    network: EyeNetwork,
    folder: str | Path,
    *,
    emotions: tuple[str, ...],
    input: dict[str, Any],
    training: dict[str, Any] | None = None,
) -> Path:
    """Write ``network`` into ``folder``, whole or not at all: it is built beside and moved into place.

    Files of an older model in ``folder`` are replaced; a folder that holds anything else is refused.
    """
    folder = Path(folder)
    check_target(folder)
    if len(emotions) != network.classes:
        raise ModelError(f"{folder}: {len(emotions)} emotions do not name the network's {network.classes} classes")
    for name, tensor in network.state_dict().items():
        if not tensor.isfinite().all():
            raise ModelError(f"{folder}: not written: tensor {name!r} holds NaN or infinite values: training diverged")
    config = {
        "format": "snnkd-model",
        "version": 1,
        "architecture": type(network).__name__,
        "arguments": network.arguments,
        "emotions": list(emotions),
        "input": input,
        "training": training or {},
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        beside.chmod(0o755)
        save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()}, beside / WEIGHTS)
        (beside / WEIGHTS).chmod(0o644)  # safetensors makes it for the owner alone
        (beside / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        (beside / CARD).write_text(_card(config))
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            os.replace(folder, old / folder.name)
            try:
                os.replace(beside, folder)
            except BaseException:
                os.replace(old / folder.name, folder)
                raise
            finally:
                shutil.rmtree(old)
        else:
            os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def check_target(folder: str | Path) -> None:
    """Raise :class:`ModelError` where a model may not be written: call it before training, not after."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: is a file, a model is a folder: choose another output")
    if folder.is_dir() and {p.name for p in folder.iterdir()} - {WEIGHTS, CONFIG, CARD}:
        raise ModelError(f"{folder}: holds files that are no model's: choose another output folder")


def load_model(path: str | Path) -> tuple[EyeNetwork, ModelConfig]:
    """Read a model folder, or a Hub id (``"user/name"``) where no such folder exists.

    Raises :class:`ModelError`, naming the file and the key or tensor, where anything is missing or does not fit.
    """
    folder = _resolve(path)
    config = _read_config(folder / CONFIG)
    try:
        network = ARCHITECTURES[config.architecture](**config.arguments)
    except Exception as error:  # whatever a constructor makes of arguments that are out of all bounds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{folder / CONFIG}: arguments do not build {config.architecture}: {reason}") from None
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ModelError(f"{weights}: missing: the folder is no whole model, train or copy it again")
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{weights}: is cut or no safetensors file ({error}): copy it again") from None
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in tensors:
            raise ModelError(f"{weights}: tensor {name!r} is missing: the file does not fit {folder / CONFIG}")
        if tensors[name].shape != tensor.shape:
            got, want = tuple(tensors[name].shape), tuple(tensor.shape)
            raise ModelError(f"{weights}: tensor {name!r} has shape {got}, {folder / CONFIG} asks for {want}")
        if tensors[name].dtype != tensor.dtype:
            raise ModelError(f"{weights}: tensor {name!r} is {tensors[name].dtype}, expected {tensor.dtype}")
        if not tensors[name].isfinite().all():
            raise ModelError(f"{weights}: tensor {name!r} holds NaN or infinite values: train the model again")
    if unknown := sorted(set(tensors) - set(expected)):
        raise ModelError(f"{weights}: unknown tensor {unknown[0]!r}: the file does not fit {folder / CONFIG}")
    network.load_state_dict(tensors)
    return network.eval(), config


def _resolve(path: str | Path) -> Path:
    folder = Path(path)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{folder}: is a file: give the model's folder (with {WEIGHTS} and {CONFIG})")
    parts = str(path).split("/")
    if isinstance(path, Path) or len(parts) != 2 or not all(parts) or parts[0].startswith((".", "~")):
        raise ModelError(f"{folder}: no such model folder: train the model first, or correct the path")
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(str(path), allow_patterns=[WEIGHTS, CONFIG, CARD]))
    except Exception as error:  # the client raises its own, requests' and the cache's errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{path}: no such model folder, and no such model on the Hub ({reason})") from None


def _read_config(path: Path) -> ModelConfig:
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise ModelError(f"{path}: missing: the folder is no snnkd model") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"{path}: is not JSON ({error})") from None
    if not isinstance(data, dict) or data.get("format") != "snnkd-model":
        raise ModelError(f"{path}: 'format' is not 'snnkd-model': this is another library's model")
    if data.get("version") != 1:
        raise ModelError(f"{path}: version {data.get('version')!r} is not known here: update snnkd")
    kinds = {"architecture": str, "arguments": dict, "emotions": list, "input": dict, "training": dict}
    for key, kind in kinds.items():
        if not isinstance(data.get(key), kind):
            raise ModelError(f"{path}: key {key!r} is missing or no {kind.__name__}")
    if data["architecture"] not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelError(f"{path}: architecture {data['architecture']!r} is not known, only {known}")
    if not all(isinstance(name, str) for name in data["emotions"]) or len(set(data["emotions"])) < len(
        data["emotions"]
    ):
        raise ModelError(f"{path}: 'emotions' must be names, each once")
    if len(data["emotions"]) != data["arguments"].get("classes"):
        raise ModelError(
            f"{path}: {len(data['emotions'])} emotions do not name {data['arguments'].get('classes')} classes"
        )
    return ModelConfig(
        data["architecture"], data["arguments"], tuple(data["emotions"]), data["input"], data["training"]
    )


def _card(config: dict[str, Any]) -> str:
    facts = {"architecture": config["architecture"], **config["input"], **config["training"]}
    rows = "\n".join(f"| {k} | {v} |" for k, v in facts.items() if isinstance(v, str | int | float))
    return (
        "---\nlibrary_name: snnkd\ntags: [spiking-neural-network, event-camera, emotion-recognition]\n---\n\n"
        f"# {config['architecture']}\n\nEmotions of one eye: {', '.join(config['emotions'])}.\n"
        "Load it with `snnkd.load`.\n\n"
        f"| | |\n| --- | --- |\n{rows}\n"
    )
