"""Lightning data modules: EyeSim, SEE, and whatever else :func:`snnkd.datasets.open_dataset` tells."""

from typing import Any, Literal

from snnkd.datasets import SEE, EyeDataset, EyeSim, open_dataset
from snnkd.training.data import CACHE, Changes, EyeData, Subset
from snnkd.training.modules import check_range

SplitName = Literal["official", "person-disjoint", "subject-disjoint", "leave-one-lighting-out"]


class EyeSimData(EyeData):
    """The synthetic dataset, made by ``snnkd data synth``.

    Args:
        root: its folder.
        steps: time steps per clip.
        window_us: length of a window.
        fold, folds, seed: of the split.
        stride: windows from one step to the next.
        split, val_share, person_fold: see :mod:`snnkd.datasets.split_options`.
        batch_size, workers, cache, augmentation, augmentation_views, label_share: see :class:`EyeData`.
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
        cache: str | None = CACHE,
        augmentation: Changes = "mild",
        stride: int = 1,
        split: SplitName = "person-disjoint",
        val_share: float = 0.1,
        person_fold: int | None = None,
        augmentation_views: int | None = None,
        label_share: float = 1.0,
    ) -> None:
        super().__init__(batch_size, workers, cache, augmentation, augmentation_views, label_share)
        check_range("seed", seed, seed >= 0, "zero or above")
        self.root, self.steps, self.window_us, self.stride = root, steps, window_us, stride
        self.division = {
            "split": split, "fold": fold, "folds": folds, "seed": seed, "val_share": val_share,
            "person_fold": person_fold,
        }  # fmt: skip

    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open one subset."""
        return EyeSim(
            self.root,
            subset,
            steps=self.steps,
            stride=self.stride,
            window_us=self.window_us,
            size=size,
            **self.division,
        )


class SEEData(EyeData):
    """A SEE tree in its published layout.

    Args:
        root: the folder with ``event/``, ``frame/`` and ``emotion.json``.
        split: ``person-disjoint``, ``leave-one-lighting-out``, or ``official``, which shares people between train and
            test (:mod:`snnkd.datasets.split_options`).
        fold: of the split: of ``folds`` groups of persons, or of four lightings.
        folds, seed, val_share, person_fold: of the split, too.
        steps: event images per clip.
        stride: images from one step to the next; 4 reads one and skips three, as SEE's E4_S3 does.
        batch_size, workers, cache, augmentation, augmentation_views, label_share: see :class:`EyeData`.
    """

    def __init__(
        self,
        root: str,
        split: SplitName = "person-disjoint",
        fold: int = 0,
        steps: int = 4,
        stride: int = 4,
        batch_size: int = 32,
        workers: int = 0,
        cache: str | None = CACHE,
        augmentation: Changes = "mild",
        folds: int = 5,
        seed: int = 0,
        val_share: float = 0.1,
        person_fold: int | None = None,
        augmentation_views: int | None = None,
        label_share: float = 1.0,
    ) -> None:
        super().__init__(batch_size, workers, cache, augmentation, augmentation_views, label_share)
        self.root, self.steps, self.stride = root, steps, stride
        self.division = {
            "split": split, "fold": fold, "folds": folds, "seed": seed, "val_share": val_share,
            "person_fold": person_fold,
        }  # fmt: skip

    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open one subset."""
        return SEE(
            self.root,
            subset=subset,
            steps=self.steps,
            stride=self.stride,
            size=size,
            **self.division,
        )


class FolderData(EyeData):
    """Any dataset that :func:`snnkd.datasets.open_dataset` tells: recordings of one's own, DSEE, SEE, EyeSim.

    What is left out is the dataset's own default.

    Args:
        root: the folder, or the list of recordings.
        steps, stride, window_us: a clip has ``steps`` windows of ``window_us``, ``stride`` windows apart.
        split, fold, folds, seed, val_share, person_fold: see :mod:`snnkd.datasets.split_options`.
        batch_size, workers, cache, augmentation, augmentation_views, label_share: see :class:`EyeData`.
    """

    def __init__(
        self,
        root: str,
        steps: int | None = None,
        stride: int | None = None,
        window_us: int | None = None,
        split: SplitName | None = None,
        fold: int | None = None,
        folds: int | None = None,
        seed: int | None = None,
        val_share: float | None = None,
        person_fold: int | None = None,
        batch_size: int = 16,
        workers: int = 0,
        cache: str | None = CACHE,
        augmentation: Changes = "mild",
        augmentation_views: int | None = None,
        label_share: float = 1.0,
    ) -> None:
        super().__init__(batch_size, workers, cache, augmentation, augmentation_views, label_share)
        self.root = root
        self.clip: dict[str, Any] = {"steps": steps, "stride": stride, "window_us": window_us}
        options = {"split": split, "fold": fold, "folds": folds, "seed": seed, "val_share": val_share,
                   "person_fold": person_fold}  # fmt: skip
        self.division = {key: value for key, value in options.items() if value is not None}

    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open one subset."""
        start = "random" if subset == "train" else "centre"
        return open_dataset(self.root, subset, size=size, start=start, **self.clip, **self.division)
