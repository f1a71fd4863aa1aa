"""How a dataset's sequences are divided: the three splits, and the options that a dataset takes for them.

``person-disjoint`` (also spelt ``subject-disjoint``)
    The persons are dealt into ``folds`` groups that are alike in emotions and lightings; group ``fold`` is the test
    set. Nobody of it is in training.

``leave-one-lighting-out``
    ``fold`` 0..3 is the lighting that is tested (normal, overexposed, low-light, HDR); training has the other three.
    In SEE a person sits under several lightings, so *most test persons are also in training*: what is measured is how
    recognition carries over to a light, not to a person. With ``person_fold=k`` it measures both: the persons are
    dealt into ``folds`` groups as above, the test set is the lighting's sequences of group ``k``, and training the
    other lightings' sequences of the other groups. Sequences that fit neither (group ``k`` under other lightings, other
    persons under this one) are then in no subset.

``official``
    What the dataset's own files say. SEE's shares persons between training and test.

In all three the **validation set** is lent by training persons, who are then in no training sequence: about
``val_share`` of the training sequences, alike in emotions and lightings; 0 for none. Where the official split has
validation sequences of its own, those are taken.
"""

from collections.abc import Sequence as Sequences
from dataclasses import dataclass
from typing import Any

from snnkd.datasets.checks import check_integers
from snnkd.datasets.labels import LIGHTINGS
from snnkd.datasets.sample import Sequence
from snnkd.datasets.splits import check_fold, check_subset, hold_out, person_folds
from snnkd.errors import DatasetError

SPLITS = ("official", "person-disjoint", "leave-one-lighting-out")
SPELLINGS = {name: name for name in SPLITS} | {"subject-disjoint": "person-disjoint"}


@dataclass(frozen=True)
class Split:
    """One way of dividing sequences; the fields are this module's options. Raises :class:`DatasetError` for others."""

    split: str
    fold: int = 0
    folds: int = 5
    seed: int = 0
    val_share: float = 0.1
    person_fold: int | None = None

    def __post_init__(self) -> None:
        if self.split not in SPELLINGS:
            raise DatasetError(f"unknown split {self.split!r}; it must be one of {', '.join(SPLITS)}")
        if self.kind == "leave-one-lighting-out":
            check_integers(0, fold=self.fold)
            check_integers(2, folds=self.folds)
            if self.fold >= len(LIGHTINGS):
                told = ", ".join(f"{i} {name}" for i, name in enumerate(LIGHTINGS))
                raise DatasetError(f"fold is {self.fold}; of leave-one-lighting-out it is the lighting: {told}")
            if self.person_fold is not None:
                check_integers(0, person_fold=self.person_fold)
                if self.person_fold >= self.folds:
                    raise DatasetError(f"person_fold is {self.person_fold}; it must be in 0..{self.folds - 1}")
        else:
            check_fold(self.fold, self.folds)
            if self.person_fold is not None:
                raise DatasetError(f"person_fold is of leave-one-lighting-out; the {self.split} split has only fold")
        check_integers(0, seed=self.seed)

    @property
    def kind(self) -> str:
        """The split in this module's spelling."""
        return SPELLINGS[self.split]

    @property
    def config(self) -> dict[str, Any]:
        """The options as keyword arguments that divide the same sequences the same way again."""
        given = {key: getattr(self, key) for key in ("split", "fold", "folds", "seed", "val_share")}
        return given if self.person_fold is None else given | {"person_fold": self.person_fold}

    @property
    def parts_persons(self) -> bool:
        """Whether the split itself keeps test persons out of training."""
        return self.kind == "person-disjoint" or self.person_fold is not None

    def select(self, sequences: Sequences[Sequence], subset: str, official: Sequences[str | None]) -> list[int]:
        """Indices of the sequences in ``subset``.

        ``official`` is ``"train"``, ``"val"``, ``"test"`` or None for each sequence, as the dataset's files have it.
        Raises :class:`DatasetError` where the sequences cannot be divided this way.
        """
        check_subset(subset)
        if subset == "all":
            return list(range(len(sequences)))
        test, training = self._sides(sequences, official)
        if subset == "test":
            return test
        if self.kind == "official" and "val" in official:
            return [i for i in training if official[i] == subset]
        lent = hold_out(
            [sequences[i].person for i in training],
            self.val_share,
            self.seed,
            [(sequences[i].emotion, sequences[i].lighting) for i in training],
        )
        return [i for i in training if (sequences[i].person in lent) == (subset == "val")]

    def _sides(self, sequences: Sequences[Sequence], official: Sequences[str | None]) -> tuple[list[int], list[int]]:
        """Test and training sequences; the validation set is among the second."""
        everyone = range(len(sequences))
        if self.kind == "official":
            if without := sum(part is None for part in official):
                raise DatasetError(
                    f"{without} of {len(sequences)} sequences are in no subset of an official split; "
                    "say so in the dataset's files, or use split='person-disjoint'"
                )
            return [i for i in everyone if official[i] == "test"], [i for i in everyone if official[i] != "test"]
        tested = self._dealt(sequences, self.fold if self.kind == "person-disjoint" else self.person_fold)
        mine = [sequences[i].person in tested for i in everyone]
        if self.kind == "person-disjoint":
            return [i for i in everyone if mine[i]], [i for i in everyone if not mine[i]]
        left_out = LIGHTINGS[self.fold]
        unknown = [s for s in sequences if s.lighting not in LIGHTINGS]
        if unknown:
            raise DatasetError(
                f"{len(unknown)} of {len(sequences)} sequences have no lighting, {unknown[0].name} for one; "
                "leave-one-lighting-out needs it of all"
            )
        dark = [s.lighting == left_out for s in sequences]
        if all(dark) or not any(dark):
            raise DatasetError(f"{sum(dark)} of {len(sequences)} sequences are under {left_out}; leave out another one")
        apart = self.person_fold is not None
        test = [i for i in everyone if dark[i] and (mine[i] or not apart)]
        return test, [i for i in everyone if not dark[i] and not (apart and mine[i])]

    def _dealt(self, sequences: Sequences[Sequence], fold: int | None) -> frozenset[str]:
        if fold is None:
            return frozenset()
        persons = [s.person for s in sequences]
        return person_folds(persons, self.folds, self.seed, [(s.emotion, s.lighting) for s in sequences])[fold]
