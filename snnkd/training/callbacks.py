"""Callbacks: the model folder at the end, a seed per epoch, and a progress bar over epochs."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from snnkd.datasets import EMOTIONS
from snnkd.errors import ConfigError
from snnkd.models import EyeNetwork, save_model
from snnkd.models.pretrained import check_target
from snnkd.terminal import Bar
from snnkd.training.best import SCORE, best_weights
from snnkd.training.calibration import calibrated
from snnkd.training.clips import as_floats
from snnkd.training.data import EyeData
from snnkd.training.modules import EmotionModule


class SaveModel(Callback):
    """Write the trained network as a model folder when training has ended, and refuse before it starts if it could not.

    With it goes the temperature of its probabilities, fitted on validation (:mod:`snnkd.training.calibration`).
    Where a checkpoint of the best epoch on validation is kept, that epoch's weights are written, else the last one's. A
    run that was interrupted or failed writes none, and neither does one in which no epoch ran.

    Args:
        folder: the model folder.
        stale: a checkpoint of an earlier training that this one replaces: removed when the first batch is about to run,
            so that a later ``--resume`` cannot take it for this training's.
    """

    def __init__(self, folder: str | Path, stale: Path | None = None) -> None:
        self.folder = Path(folder)
        self.stale = stale
        self.epochs = 0
        self.written = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Look at the target while nothing is lost yet."""
        check_target(self.folder)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the training that is replaced."""
        if self.stale is not None and trainer.is_global_zero:
            self.stale.unlink(missing_ok=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count."""
        self.epochs += 1

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the folder."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.interrupted or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if not self.epochs and (self.folder.exists() or not trainer.current_epoch):
            return  # nothing was trained; a resumed run that had only the model left to write does write it
        if not isinstance(pl_module, EmotionModule) or not isinstance(data, EyeData):
            raise ConfigError("model: must be a module of snnkd.training and data one of its data modules")
        facts: dict[str, Any] = {"module": type(pl_module).__name__, "epochs": trainer.current_epoch}
        facts |= pl_module.facts
        for name in ("val/war", "val/uar"):
            if name in trainer.callback_metrics:
                facts[name.replace("/", "_")] = round(float(trainer.callback_metrics[name]), 4)
        for checkpoint in trainer.checkpoint_callbacks:
            if isinstance(checkpoint, ModelCheckpoint) and checkpoint.monitor == SCORE:
                kept = best_weights(checkpoint)
                if kept is not None:
                    pl_module.network.load_state_dict(kept[0])
                    facts.pop("val_war", None)  # which was the last epoch's
                    facts |= kept[1]
        if data.validates and trainer.limit_val_batches:
            facts |= calibrated(pl_module.network, map(as_floats, data.val_dataloader()))
        save_trained(pl_module.network, self.folder, data.input_config, facts)
        self.written = True


def save_trained(network: EyeNetwork, folder: Path, input_config: dict[str, Any], facts: dict[str, Any]) -> Path:
    """Write a network that tells this library's emotions apart."""
    return save_model(network, folder, emotions=EMOTIONS, input=input_config, training=facts)


class EpochSeed(Callback):
    """Seed every epoch by its number, so that a resumed training draws what the uninterrupted one would have drawn.

    Shuffling, random clips, dropout: all of them come from torch's generator.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed torch from the run's seed and the epoch."""
        torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch)


class TrainingProgress(Callback):
    """One line for a whole training: batches done, epoch, loss, validation UAR, time left."""

    def __init__(self, progress: Bar, label: str) -> None:
        self.progress = progress
        self.label = label

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the line; a resumed training begins where it was."""
        epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None
        total = None if epochs is None else epochs * int(trainer.num_training_batches)
        self.task = self.progress.add_task(self.label, total=total, completed=trainer.global_step, note="")

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Advance it."""
        self.progress.advance(self.task)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what the epoch gave."""
        note = f"epoch {trainer.current_epoch + 1}"
        for name, short in (("train/loss", "loss"), ("val/uar", "UAR")):
            if name in trainer.callback_metrics:
                note += f", {short} {float(trainer.callback_metrics[name]):.3f}"
        self.progress.update(self.task, note=note)
