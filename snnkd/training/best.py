"""Stopping early on validation, and keeping the epoch that was best on it."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor

from snnkd.errors import ConfigError

SCORE = "val/uar"
BEST = "best"


def early_stopping(folder: Path, patience: int) -> list[Callback]:
    """Stop after ``patience`` epochs without a better UAR on validation, and keep the best epoch's checkpoint.

    Of equally good epochs the first is kept.

    Raises :class:`~snnkd.errors.ConfigError` for a patience below 1.
    """
    if patience < 1:
        raise ConfigError(f"patience: must be 1 or above, or null, got {patience}")
    return [
        EarlyStopping(SCORE, mode="max", patience=patience, check_finite=False),
        ModelCheckpoint(
            dirpath=folder, filename=BEST, monitor=SCORE, mode="max", save_top_k=1, enable_version_counter=False
        ),
    ]


def best_weights(checkpoint: ModelCheckpoint) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Weights of the network in the best epoch, and what is to be said of it; ``None`` before any validation."""
    if not checkpoint.best_model_path:
        return None
    data = torch.load(checkpoint.best_model_path, map_location="cpu", weights_only=True)
    prefix = "network."
    weights = {name[len(prefix) :]: x for name, x in data["state_dict"].items() if name.startswith(prefix)}
    assert checkpoint.best_model_score is not None
    return weights, {"kept_epoch": data["epoch"] + 1, "val_uar": round(float(checkpoint.best_model_score), 4)}
