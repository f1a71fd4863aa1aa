"""What datasets with splits share: dividing their sequences, and refusing what is too short for a clip."""

from collections.abc import Sequence as Sequences
from pathlib import Path
from typing import Any, ClassVar

from snnkd.datasets.sample import EyeDataset
from snnkd.datasets.split_options import Split
from snnkd.errors import DatasetError


class SplitDataset(EyeDataset):
    """Base of the datasets that are divided by a :class:`~snnkd.datasets.split_options.Split`.

    ``parts_persons`` says whether the split keeps test persons out of training by itself; where it does not, only the
    same split may be scored.
    """

    split_keys: ClassVar[tuple[str, ...]] = ("split", "fold", "folds", "seed", "val_share", "person_fold")

    def _divide(
        self, root: Path, everything: Sequences[Any], subset: str, split: Split, official: Sequences[str | None]
    ) -> None:
        """Set ``sequences`` to those of ``subset``, and what says how they were chosen."""
        self.root, self.subset = root, subset
        self.split, self.split_config, self.parts_persons = split.split, split.config, split.parts_persons
        try:
            chosen = split.select(everything, subset, official)
        except DatasetError as error:
            raise DatasetError(f"{root}: {error}") from None
        self.sequences = [everything[i] for i in chosen]
        if not self.sequences:
            raise DatasetError(
                f"{root}: no sequence is in subset {subset!r} of the {split.split} split; choose another "
                "subset, split or val_share"
            )
        self._refuse_short()

    def _refuse_short(self) -> None:
        short = [s for s in self.sequences if s.length < self.span]
        if not short:
            return
        shortest = min(s.length for s in short)
        room = (shortest - 1) // (self.steps - 1) if self.steps > 1 else 0
        remedy = f"set stride to {room} or less" if room else f"set steps to {shortest} or less and stride to 1"
        if not shortest:
            remedy = "leave it out, or set a shorter window_us"
        raise DatasetError(
            f"{self.root}: {len(short)} of {len(self.sequences)} sequences are shorter than the "
            f"{self.span} windows that {self.steps} steps with stride {self.stride} span "
            f"(the shortest has {shortest}, {min(short, key=lambda s: s.length).name} for one); {remedy}"
        )


def default_start(subset: str, start: str | None) -> str:
    """Where clips start if nobody says: random for training, from the centre for the rest."""
    return start or ("random" if subset == "train" else "centre")
