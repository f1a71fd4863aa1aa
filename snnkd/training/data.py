"""Lightning data modules over the datasets."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler

from snnkd.datasets import SEE, EyeDataset, EyeSim, collate
from snnkd.errors import ConfigError
from snnkd.training.modules import EmotionModule

Subset = Literal["train", "val", "test"]


class EpochShuffle(Sampler[int]):
    """A random order that depends on the run's seed and the epoch alone, so that a resumed training repeats it.

    Lightning calls ``set_epoch`` before each epoch.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.seed = torch.initial_seed()
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) % 2**63)
        return iter(torch.randperm(self.length, generator=generator).tolist())

    def __len__(self) -> int:
        return self.length


def random_shift(batch: dict[str, Tensor], pixels: int) -> dict[str, Tensor]:
    """Move each clip by up to ``pixels`` in x and y, events and frames together: a headset never sits twice alike.

    Where the image moves in, events are zero and frames repeat their border. Draws from torch's generator.
    """
    offsets = torch.randint(2 * pixels + 1, (len(batch["labels"]), 2)).tolist()
    moved = dict(batch)
    for name, mode in (("events", "constant"), ("frames", "replicate")):
        x = batch[name]
        height, width = x.shape[-2:]
        padded = functional.pad(x.flatten(0, 1), (pixels,) * 4, mode=mode).unflatten(0, x.shape[:2])
        clips = [padded[:, i, :, y : y + height, z : z + width] for i, (y, z) in enumerate(offsets)]
        moved[name] = torch.stack(clips, dim=1)
    return moved


class EyeData(pl.LightningDataModule):
    """Loaders over the three subsets of a dataset, each in its networks' input size.

    Args:
        batch_size: clips per batch.
        workers: processes that read ahead; 0 reads in the training process.
        shift: in training, move each clip by up to so many pixels (:func:`random_shift`).
    """

    def __init__(self, batch_size: int, workers: int, shift: int) -> None:
        super().__init__()
        if shift < 0:
            raise ConfigError(f"shift: must be zero or above, got {shift}")
        self.batch_size = batch_size
        self.workers = workers
        self.shift = shift
        self._subsets: dict[str, EyeDataset] = {}

    @abstractmethod
    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open one subset with clips of ``size`` ``(W, H)``."""

    @property
    @abstractmethod
    def input_config(self) -> dict[str, Any]:
        """What the model folder says of its input, beside the size."""

    def setup(self, stage: str) -> None:
        """Open the subsets that ``stage`` reads, in the size of the networks that are to be trained."""
        module = self.trainer.lightning_module if self.trainer else None
        if not isinstance(module, EmotionModule):
            raise ConfigError("data: needs a module of snnkd.training, such as Classification or Distillation")
        sizes = {network.input_size for network in module.networks}
        if len(sizes) > 1:
            raise ConfigError(f"input_size: teacher and student must see the same size, got {sorted(sizes)}")
        wanted: tuple[Subset, ...] = (
            ("train", "val") if stage == "fit" else ("val",) if stage == "validate" else ("test",)
        )
        for subset in wanted:
            if subset not in self._subsets:
                self._subsets[subset] = self.make(subset, next(iter(sizes)))

    def on_after_batch_transfer(self, batch: dict[str, Tensor], dataloader_idx: int) -> dict[str, Tensor]:
        """Shift training clips; leave the others as they are."""
        assert self.trainer is not None
        return random_shift(batch, self.shift) if self.trainer.training and self.shift else batch

    def _loader(self, subset: Subset) -> DataLoader:
        dataset = self._subsets[subset]
        return DataLoader(
            dataset,
            self.batch_size,
            sampler=EpochShuffle(len(dataset)) if subset == "train" else None,
            drop_last=False,
            # Its own generator: the loader draws a number for its workers from it, and not from the generator that
            # clips are drawn from, which is seeded per epoch.
            generator=torch.Generator().manual_seed(torch.initial_seed()),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            collate_fn=collate,
        )

    def train_dataloader(self) -> DataLoader:
        """Shuffled, with clips at random starts."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader:
        """Persons carved out of training."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader:
        """Persons never seen in training."""
        return self._loader("test")


class EyeSimData(EyeData):
    """The synthetic dataset, made by ``snnkd data synth``.

    Args:
        root: its folder.
        steps: time steps per clip.
        window_us: length of a step.
        fold, folds, seed: of the person-disjoint split.
        batch_size, workers, shift: see :class:`EyeData`.
    """

    def __init__(
        self,
        root: str = "runs/data/eyesim",
        steps: int = 24,
        window_us: int = 33_333,
        fold: int = 0,
        folds: int = 5,
        seed: int = 0,
        batch_size: int = 16,
        workers: int = 0,
        shift: int = 3,
    ) -> None:
        super().__init__(batch_size, workers, shift)
        self.root, self.steps, self.window_us = root, steps, window_us
        self.fold, self.folds, self.seed = fold, folds, seed

    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open one subset."""
        return EyeSim(
            self.root,
            subset,
            steps=self.steps,
            window_us=self.window_us,
            size=size,
            fold=self.fold,
            folds=self.folds,
            seed=self.seed,
        )

    @property
    def input_config(self) -> dict[str, Any]:
        """Window and number of steps."""
        return {"dataset": "EyeSim", "window_us": self.window_us, "steps": self.steps}


class SEEData(EyeData):
    """A SEE tree in its published layout.

    Args:
        root: the folder with ``event/``, ``frame/`` and ``emotion.json``.
        split: ``official`` (shares people between train and test) or ``subject-disjoint``.
        fold: of the ``subject-disjoint`` split.
        steps: event images per clip.
        stride: images from one step to the next; 4 reads one and skips three, as SEE's E4_S3 does.
        batch_size, workers, shift: see :class:`EyeData`.
    """

    def __init__(
        self,
        root: str,
        split: Literal["official", "subject-disjoint"] = "subject-disjoint",
        fold: int = 0,
        steps: int = 4,
        stride: int = 4,
        batch_size: int = 32,
        workers: int = 0,
        shift: int = 3,
    ) -> None:
        super().__init__(batch_size, workers, shift)
        self.root, self.split, self.fold = root, split, fold
        self.steps, self.stride = steps, stride

    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open one subset."""
        return SEE(
            self.root,
            split=self.split,
            fold=self.fold,
            subset=subset,
            steps=self.steps,
            stride=self.stride,
            size=size,
        )

    @property
    def input_config(self) -> dict[str, Any]:
        """Window, number of steps and stride."""
        return {"dataset": "SEE", "window_us": 33_333, "steps": self.steps, "stride": self.stride}
