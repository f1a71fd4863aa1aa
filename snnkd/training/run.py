"""``snnkd train``: a Lightning training out of one YAML file."""

import logging
import re
import shutil
import warnings
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from jsonargparse import ArgumentError
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from snnkd.errors import ConfigError, SnnkdError
from snnkd.terminal import bar
from snnkd.training import data_modules  # noqa: F401  # whose classes a configuration may name
from snnkd.training.best import early_stopping
from snnkd.training.callbacks import EpochSeed, SaveModel, TrainingProgress
from snnkd.training.data import EyeData
from snnkd.training.empty_options import refuse_unknown
from snnkd.training.modules import EmotionModule
from snnkd.training.precision import chosen_precision

MODEL, CHECKPOINTS, LOGS = "model", "checkpoints", "logs"


def loggers(output: Path, name: str = LOGS) -> list[Logger]:
    """TensorBoard's and CSV logs, in ``NAME/version_N`` with the first free *N*, so that none is overwritten."""
    number = 0
    while (output / name / f"version_{number}").exists():
        number += 1
    return [kind(output, name=name, version=f"version_{number}") for kind in (TensorBoardLogger, CSVLogger)]


def callbacks(output: Path, seed: int, overwrite: bool) -> list[Callback]:
    """A seed per epoch, the last epoch's checkpoint to resume from, and the model folder at the end."""
    checkpoint = ModelCheckpoint(
        dirpath=output / CHECKPOINTS, filename="last", save_top_k=1, monitor=None, enable_version_counter=False
    )
    stale = output / CHECKPOINTS / "last.ckpt" if overwrite else None
    return [EpochSeed(seed), checkpoint, SaveModel(output / MODEL, stale)]


def quiet() -> None:
    """Silence what Lightning says of this machine rather than of the training."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*LightningCLI's args parameter is intended.*",
        ".*The number of training batches.*",
        ".*Total length of .* across ranks is zero.*",  # where nobody validates, as asked for
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*Experiment logs directory .* exists and is not empty.*",
        ".*isinstance.treespec, LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", message=message)


class TrainCLI(LightningCLI):
    """The library's training command: model, data and trainer from YAML, typed by their signatures."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what belongs to neither model, data nor trainer."""
        parser.add_argument("--output", type=str, default="runs/train", help="folder of model, checkpoints and logs")
        parser.add_argument(
            "--bf16", type=Literal["auto", "on", "off"], default="off",
            help="multiply in bfloat16 (auto: where the processor does), for trainer.precision bf16-mixed",
        )  # fmt: skip
        parser.add_argument(
            "--ema_decay", type=float | None, default=None,
            help="average the weights over the steps with this decay (0.99, say), and keep the averages",
        )  # fmt: skip
        parser.add_argument(
            "--patience", type=int | None, default=None,
            help="stop after so many epochs without a better UAR on validation, and keep the best epoch",
        )  # fmt: skip
        parser.add_argument("--resume", action="store_true", help="continue the training in the output folder")
        parser.add_argument("--overwrite", action="store_true", help="replace the training in the output folder")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and refuse what jsonargparse passes over."""
        super().parse_arguments(parser, args)
        refuse_unknown(args, self.config.as_dict())

    def before_instantiate_classes(self) -> None:
        """Refuse what would fail later or overwrite something, while nothing is written yet."""
        output = Path(self.config.output)
        checkpoint = output / CHECKPOINTS / "last.ckpt"
        if self.config.resume and self.config.overwrite:
            raise ConfigError("resume: goes on with the training that --overwrite replaces: give one of them")
        for key in ("logger", "default_root_dir"):
            if self.config.trainer.get(key) is not None:
                raise ConfigError(f"trainer.{key}: is given by `output`, under which model, checkpoints and logs go")
        if self.config.resume and not checkpoint.is_file():
            raise ConfigError(f"resume: {checkpoint} does not exist: there is nothing to continue")
        for key, holds, expected in (
            ("ema_decay", self.config.ema_decay is None or 0 < self.config.ema_decay < 1, "between 0 and 1"),
            ("patience", self.config.patience is None or self.config.patience >= 1, "1 or above"),
        ):
            if not holds:
                raise ConfigError(f"{key}: must be {expected}, or null, got {self.config[key]}")
        precision = chosen_precision(self.config.bf16)
        if precision is not None:
            if self.config.trainer.get("precision") not in (None, precision):
                raise ConfigError("bf16: the trainer has a precision already: give one of bf16 and trainer.precision")
            self.config.trainer.precision = precision
        used = checkpoint.exists() or (output / MODEL).exists()
        if used and not self.config.resume and not self.config.overwrite:
            raise ConfigError(
                f"output: {output} holds a training already: give --resume to continue it, --overwrite to replace it, "
                "or another --output"
            )

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer with logs, checkpoints and the model folder under ``output``."""
        output = Path(self.config.output)
        chosen = callbacks(output, int(self.config.seed_everything), self.config.overwrite)
        # Averaging comes first: it puts its weights in place before another callback looks at a checkpoint's.
        if self.config.ema_decay is not None:
            chosen.insert(0, EMAWeightAveraging(decay=self.config.ema_decay))
        if self.config.patience is not None:
            if not self.datamodule.validates:
                raise ConfigError(
                    "patience: nobody validates (data.init_args.val_share is 0): there is no UAR to watch"
                )
            chosen += early_stopping(output / CHECKPOINTS, self.config.patience)
        self.trainer_defaults = {**self.trainer_defaults, "callbacks": chosen}
        return super().instantiate_trainer(default_root_dir=str(output), logger=loggers(output), **kwargs)


def train(arguments: list[str]) -> Path:
    """Run ``snnkd train`` with these command-line arguments; return the model folder.

    Raises :class:`~snnkd.errors.ConfigError` for an argument or YAML key that is wrong, by name.
    """
    quiet()
    try:
        cli = TrainCLI(
            EmotionModule,
            EyeData,
            subclass_mode_model=True,
            subclass_mode_data=True,
            trainer_defaults={"enable_progress_bar": False, "enable_model_summary": False},
            save_config_kwargs={"overwrite": True},
            seed_everything_default=0,
            auto_configure_optimizers=False,
            parser_kwargs={"prog": "snnkd train", "exit_on_error": False, "description": "Train from a YAML file."},
            args=arguments,
            run=False,
        )
    except (ArgumentError, ValueError, TypeError, MisconfigurationException) as error:
        # What a constructor of ours refused arrives wrapped in a report over every type that was tried.
        raise ours(error) or ConfigError(one_line(str(error))) from None
    output = Path(cli.config.output)
    progress = bar()
    cli.trainer.callbacks.append(TrainingProgress(progress, "training"))  # type: ignore[attr-defined]
    checkpoint = output / CHECKPOINTS / "last.ckpt" if cli.config.resume else None
    if checkpoint is not None:
        check_checkpoint(checkpoint, cli.model)
    try:
        with progress:
            # A checkpoint of ours holds tensors and plain values only: it is read without unpickling anything else.
            cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=checkpoint, weights_only=True)
    except SnnkdError:
        sweep(cli.trainer)
        raise
    except MisconfigurationException as error:
        sweep(cli.trainer)
        raise ConfigError(one_line(str(error))) from None
    except SystemExit:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt("--resume goes on from the last whole epoch") from None
    if not any(isinstance(callback, SaveModel) and callback.written for callback in cli.trainer.callbacks):  # type: ignore[attr-defined]
        raise ConfigError(
            f"trainer: no epoch ran, so no model was written into {output}: look at max_epochs and limits"
        )
    return output / MODEL


def sweep(trainer: pl.Trainer) -> None:
    """Remove the log folder of a training that was refused before its first step, and what that leaves empty."""
    if trainer.global_step or not trainer.log_dir:
        return
    folder = Path(trainer.log_dir)
    shutil.rmtree(folder, ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def check_checkpoint(path: Path, module: EmotionModule) -> None:
    """Raise :class:`~snnkd.errors.ConfigError` where a checkpoint cannot be the one of this training."""
    remedy = "start anew with --overwrite"
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
        saved = {name: tuple(tensor.shape) for name, tensor in data["state_dict"].items()}
        missing = {"epoch", "global_step", "optimizer_states", "lr_schedulers", "loops"} - set(data)
    except Exception:  # a cut or foreign file fails in as many ways as there are bytes
        raise ConfigError(f"{path}: is cut or no checkpoint of a training: {remedy}") from None
    if missing:
        raise ConfigError(f"{path}: lacks {sorted(missing)[0]!r}: {remedy}")
    for name, tensor in module.state_dict().items():
        if saved.pop(name, None) != tuple(tensor.shape):
            raise ConfigError(f"{path}: does not fit this model at {name!r}: give the same model settings, or {remedy}")
    if saved:
        raise ConfigError(f"{path}: holds {next(iter(saved))!r}, which this model has not: {remedy}")


def ours(error: BaseException | None) -> SnnkdError | None:
    """Return the library's own error among the causes of ``error``."""
    while error is not None and not isinstance(error, SnnkdError):
        error = error.__cause__ or error.__context__
    return error


def one_line(message: str) -> str:
    """Fold jsonargparse's report, which nests over many lines, into one: the key's path, the reason, the remedy."""
    report = re.split(r"\n?\s*Given value type:", message)[0].replace("- Expected a <class 'NoneType'>", "")
    if report.startswith("Unexpected config:"):
        report = 'Parser key "config": the file is empty or no YAML mapping'
    elif "codec can't decode" in report:
        report = 'Parser key "config": the file is not text'
    elif report.startswith("Unrecognized arguments"):
        report += " (a file is given with --config)"
    path = ".".join(re.findall(r'Parser key "([^"]+)"', report))
    report = re.sub(
        r"Does not validate against any of the Union subtypes\s+Subtypes: .*?Errors:\s*", "", report, flags=re.S
    )
    reason = re.split(r"(?:Parser key \"[^\"]+\"|Problem with given class_path '[^']+'):\s*", report)[-1]
    reason = re.sub(r"<class '([^']+)'>", r"\1", re.sub(r"\s+", " ", reason)).strip().removeprefix("- ").rstrip(". -")
    reason = reason.replace("Expected a dot import path string:", "no such class:")
    reason = reason[:1].lower() + reason[1:]
    return f"{path + ': ' * bool(path)}{reason}: see `snnkd train --help` and the files in configs/"
