"""Lightning data modules over the datasets."""

from abc import abstractmethod
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from snnkd.datasets import EMOTIONS, EyeDataset
from snnkd.errors import ConfigError, DatasetError
from snnkd.terminal import counting
from snnkd.training.augmentation import Augmentation
from snnkd.training.clips import ByteClips, EpochShuffle, as_floats, whole
from snnkd.training.distillation import Distillation
from snnkd.training.evaluation import refuse_known_persons
from snnkd.training.few_labels import LabelShare
from snnkd.training.modules import EmotionModule, check_range

Subset = Literal["train", "val", "test"]

Changes = dict[str, Any] | Literal["mild", "standard"] | None
PRESETS = {"mild": Augmentation.mild, "standard": Augmentation}

CACHE = "runs/cache"
"""Where caches lie by default: beside the trainings, and shared by them."""


class EyeData(pl.LightningDataModule):
    """Loaders over the three subsets of a dataset, each in its networks' input size.

    Args:
        batch_size: clips per batch.
        workers: processes that read ahead; 0 reads in the training process.
        cache: folder of clip caches (:mod:`snnkd.datasets.cache`): what of the dataset is not in it yet is read before
            the first epoch. None reads the files of each clip each time.
        augmentation: of training clips: ``mild``, ``standard``, a mapping of what is other than standard
            (:meth:`snnkd.training.Augmentation.changed`), or None to leave them as they are.
        augmentation_views: how many different starts and augmentations each training clip has, over all epochs, which
            lets a teacher's answers be kept (``cache_mb`` of the distillation); None for others in every epoch.
        label_share: share of the training sequences whose labels may be used, the same share of each emotion; the
            others are left out, or, in a distillation that can do without labels, shown without theirs.
    """

    def __init__(
        self,
        batch_size: int,
        workers: int,
        cache: str | None,
        augmentation: Changes,
        augmentation_views: int | None = None,
        label_share: float = 1.0,
    ) -> None:
        super().__init__()
        check_range("batch_size", batch_size, batch_size >= 1, "1 or above")
        check_range("workers", workers, workers >= 0, "zero or above")
        views = augmentation_views
        check_range("augmentation_views", views or 0, views is None or views >= 1, "1 or above, or null")
        check_range("label_share", label_share, 0 < label_share <= 1, "above 0 and up to 1")
        self.views = views
        self.label_share = label_share
        self.batch_size = batch_size
        self.workers = workers
        self.cache = cache
        self.augmentation = PRESETS[augmentation]() if isinstance(augmentation, str) else None
        """What is done to training clips"""
        if isinstance(augmentation, dict):
            self.augmentation = Augmentation.changed(augmentation)
        self.division: dict[str, Any] = {}
        """Options of the split, as the dataset takes them"""
        self._subsets: dict[str, EyeDataset] = {}
        self._first_epoch = 0

    @property
    def validates(self) -> bool:
        """Whether training persons lend a validation set."""
        return bool(self.division.get("val_share") != 0)

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
        wanted: tuple[Subset, ...] = (
            ("train", "val") if stage == "fit" else ("val",) if stage == "validate" else ("test",)
        )
        if stage == "fit" and not self.validates:
            wanted = ("train",)
        for subset in wanted:
            if subset not in self._subsets:
                self._subsets[subset] = self._open(subset, size, module)
        if isinstance(module, Distillation) and stage == "fit":
            self._refuse_known(module.teacher_input, size, "teacher: was trained on", "another teacher")
        if module.start_input and stage == "fit":
            self._refuse_known(module.start_input, size, "start_from: was trained on", "another start")

    def _refuse_known(self, known: dict[str, Any], size: tuple[int, int], said: str, remedy: str) -> None:
        """Refuse to go on from what has seen those who are to judge."""
        for subset in ("val", "test") if self.validates else ("test",):
            opened = self._subsets[subset] if subset in self._subsets else self.make(subset, size)
            refuse_known_persons(known, opened, said, remedy)

    def _open(self, subset: Subset, size: tuple[int, int], module: EmotionModule) -> EyeDataset:
        dataset = self.make(subset, size)
        for network in module.networks:
            dataset.check_modality(network.modality)
        if subset == "train" and self.label_share < 1:
            LabelShare(self.label_share, int(self.division.get("seed") or 0)).apply(
                dataset, keep=not module.needs_labels
            )
        if (unlabelled := dataset.labels.count(-1)) and (subset != "train" or module.needs_labels):
            raise DatasetError(
                f"{dataset.root}: {unlabelled} of {len(dataset)} sequences have no label, and this training needs one "
                "of each: leave those out"
            )
        if self.cache is not None:
            with counting(f"caching {subset}") as progress:
                dataset.use_cache(self.cache, progress=progress)
        return dataset

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
            **({"label_share": self.label_share} if self.label_share < 1 else {}),
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
        """Make numbers for the networks of the bytes that came."""
        return as_floats(batch)

    def _loader(self, subset: Subset) -> DataLoader:
        dataset = self._subsets[subset]
        train = subset == "train"
        return DataLoader(
            ByteClips(dataset, self.augmentation if train else None),
            self.batch_size,
            sampler=EpochShuffle(len(dataset), self._first_epoch, self.views) if train else None,
            drop_last=False,
            # Its own generator, so that what the loader draws does not move the one that dropout draws from.
            generator=torch.Generator().manual_seed(torch.initial_seed()),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            collate_fn=whole,
        )

    def train_dataloader(self) -> DataLoader:
        """Shuffled, with clips at random starts."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Persons carved out of training; none where the split keeps all of them (``val_share=0``)."""
        return self._loader("val") if "val" in self._subsets else []

    def test_dataloader(self) -> DataLoader:
        """Persons never seen in training."""
        return self._loader("test")
