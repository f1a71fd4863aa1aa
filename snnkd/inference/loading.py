"""A model folder as a recognizer, on the device that is to run it."""

from pathlib import Path

import torch

from snnkd.errors import ConfigError, ModelError
from snnkd.inference.recognizer import Recognizer
from snnkd.models import load_model


def load(path: str | Path, device: str = "cpu") -> Recognizer:
    """Load a model folder, or a Hub id, as a :class:`Recognizer`; ``.network`` is the ``nn.Module``.

    Args:
        path: the folder, or ``user/name`` on the Hub.
        device: ``cpu``, ``cuda``, ``cuda:1`` …, where the network is run.

    Raises:
        ModelError: naming the file and what is wrong with it.
        ConfigError: a device that is not there.
    """
    where = usable_device(device)
    network, config = load_model(path)
    for key, default in (("window_us", None), ("stride", 1)):
        value = config.input.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 60_000_000:
            raise ModelError(
                f"{path}: config.json: input.{key} must be a whole number from 1 up to 60 s, got {value!r}"
            )
    temperature = config.training.get("temperature", 1.0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0.01 <= temperature <= 100:
        raise ModelError(f"{path}: config.json: training.temperature must be from 0.01 to 100, got {temperature!r}")
    return Recognizer(
        network.to(where),
        config.emotions,
        config.input["window_us"],
        str(path),
        config.input,
        config.training,
        float(temperature),
    )


def usable_device(name: str) -> torch.device:
    """Return the device of a name; :class:`ConfigError` where there is no such name or no such device here."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device: must be cpu, cuda, or cuda:N, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise ConfigError(f"device: {name} is not there: PyTorch {torch.__version__} sees {there} GPUs; cpu always is")
    return device
