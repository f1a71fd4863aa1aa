"""Lightning data modules over the datasets."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Sampler

from snnkd.datasets import EMOTIONS, SEE, EyeDataset, EyeSim, Sample, collate
from snnkd.errors import ConfigError
from snnkd.training.evaluate import refuse_known_persons
from snnkd.training.modules import Distillation, EmotionModule, check_range

Subset = Literal["train", "val", "test"]


class EpochShuffle(Sampler[tuple[int, int]]):
    """A random order, and a seed for each clip's random start, out of the run's seed and the epoch alone.

    Yields ``(index, seed)`` for :class:`Seeded`, so that a resumed training repeats what the uninterrupted one draws,
    whichever process reads the clip. Lightning calls ``set_epoch`` before each epoch.
    """

    def __init__(self, length: int, epoch: int = 0) -> None:
        self.length = length
        self.seed = torch.initial_seed()
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) % 2**63)
        order = torch.randperm(self.length, generator=generator).tolist()
        seeds = torch.randint(2**62, (self.length,), generator=generator).tolist()
        return iter(zip(order, seeds, strict=True))

    def __len__(self) -> int:
        return self.length


class Seeded(Dataset[Sample]):
    """A dataset whose random clip starts are drawn from a seed that comes with the index."""

    def __init__(self, dataset: EyeDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, seed = key
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.dataset[index]


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
        check_range("batch_size", batch_size, batch_size >= 1, "1 or above")
        check_range("workers", workers, workers >= 0, "zero or above")
        check_range("shift", shift, shift >= 0, "zero or above")
        self.batch_size = batch_size
        self.workers = workers
        self.shift = shift
        self._subsets: dict[str, EyeDataset] = {}
        self._first_epoch = 0

    @abstractmethod
    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open one subset with clips of ``size`` ``(W, H)``."""

    def setup(self, stage: str) -> None:
        """Open the subsets that ``stage`` reads, in the size of the networks that are to be trained."""
        module = self.trainer.lightning_module if self.trainer else None
        if not isinstance(module, EmotionModule):
            raise ConfigError("data: needs a module of snnkd.training, such as Classification or Distillation")
        for network in module.networks:
            if network.classes != len(EMOTIONS):
                raise ConfigError(f"classes: the data has {len(EMOTIONS)} emotions, the network {network.classes}")
        sizes = {network.input_size for network in module.networks}
        if len(sizes) > 1:
            raise ConfigError(f"input_size: teacher and student must see the same size, got {sorted(sizes)}")
        (size,) = sizes
        if 2 * self.shift >= min(size):
            raise ConfigError(f"shift: must be below half of the input size {size}, got {self.shift}")
        wanted: tuple[Subset, ...] = (
            ("train", "val") if stage == "fit" else ("val",) if stage == "validate" else ("test",)
        )
        for subset in wanted:
            if subset not in self._subsets:
                self._subsets[subset] = self.make(subset, size)
        if isinstance(module, Distillation) and stage == "fit":
            for subset in ("val", "test"):
                opened = self._subsets[subset] if subset in self._subsets else self.make(subset, size)
                refuse_known_persons(module.teacher_input, opened, "teacher: was trained on", "another teacher")

    @property
    def input_config(self) -> dict[str, Any]:
        """What the model folder says of the data: windows, split, and the persons that the network was trained on."""
        train = self._subsets["train"]
        return {
            "dataset": type(train).__name__,
            "window_us": train.window_us,
            "steps": train.steps,
            "stride": train.stride,
            "split": train.split_config,
            "population": train.population,
            "training_persons": train.persons,
        }

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint, written at an epoch's end, keeps of the data."""
        assert self.trainer is not None
        return {"input": self.input_config, "next_epoch": self.trainer.current_epoch + 1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse to resume on other data; begin with the order of the epoch that comes next.

        The loader's workers fetch their first batches before Lightning has told the sampler which epoch it is.
        """
        mine = self.input_config
        for key, value in state_dict["input"].items():
            if mine.get(key) != value:
                raise ConfigError(f"data: the training to resume had another {key}: give the same data settings")
        self._first_epoch = state_dict["next_epoch"]

    def on_after_batch_transfer(self, batch: dict[str, Tensor], dataloader_idx: int) -> dict[str, Tensor]:
        """Shift training clips; leave the others as they are."""
        assert self.trainer is not None
        return random_shift(batch, self.shift) if self.trainer.training and self.shift else batch

    def _loader(self, subset: Subset) -> DataLoader:
        dataset = self._subsets[subset]
        train = subset == "train"
        return DataLoader(
            Seeded(dataset) if train else dataset,
            self.batch_size,
            sampler=EpochShuffle(len(dataset), self._first_epoch) if train else None,
            drop_last=False,
            # Its own generator, so that what the loader draws does not move the one that dropout draws from.
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
        check_range("seed", seed, seed >= 0, "zero or above")
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
