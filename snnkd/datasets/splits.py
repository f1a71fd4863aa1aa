"""Splits in which no person is on two sides.

A network that has seen a person's face can recognise the person and remember how that person looked; only
people it has never seen measure whether it recognises emotions. All splits here therefore deal out *persons*,
and balance the number of *sequences*. They depend on the set of persons, their counts and the seed alone,
never on the order in which sequences are listed.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from snnkd.datasets.checks import check_integers
from snnkd.errors import DatasetError

SUBSETS = ("train", "val", "test", "all")


def person_folds(persons: Sequence[str], folds: int, seed: int = 0) -> list[frozenset[str]]:
    """Deal the persons into ``folds`` groups of nearly equal numbers of sequences.

    ``persons``: the person of every sequence, ``(N,)``. Persons are taken from the one with most sequences to
    the one with least, ties in an order shuffled by ``seed``, and each goes to the group that is smallest so
    far (longest-processing-time-first scheduling, Graham 1969); the largest and smallest group differ by at
    most the sequences of one person. Raises :class:`DatasetError` for fewer than 2 folds or fewer persons
    than folds.
    """
    counts = Counter(persons)
    check_integers(2, folds=folds)
    check_integers(0, seed=seed)
    if not counts:
        raise DatasetError("there are no sequences, so nobody to deal into folds; the dataset is empty")
    if len(counts) < folds:
        fewer = f", or use {len(counts)} folds or less" if len(counts) > 1 else ""
        raise DatasetError(
            f"{len(counts)} persons cannot be dealt into {folds} person-disjoint folds; add persons{fewer}"
        )
    names = sorted(counts)
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    order.sort(key=lambda name: -counts[name])  # stable: ties keep the shuffled order
    groups: list[set[str]] = [set() for _ in range(folds)]
    sizes = [0] * folds
    for name in order:
        smallest = min(range(folds), key=lambda k: (sizes[k], len(groups[k])))
        groups[smallest].add(name)
        sizes[smallest] += counts[name]
    return [frozenset(group) for group in groups]


def hold_out(persons: Sequence[str], share: float, seed: int = 0) -> frozenset[str]:
    """Choose persons whose sequences make up about ``share`` (0..1) of all; at least one person if share > 0.

    Used where training persons lend a validation set. Persons are taken in an order shuffled by ``seed`` as
    long as they bring the total nearer to the share, and one person at least is left over.
    """
    check_integers(0, seed=seed)
    if not isinstance(share, int | float) or not 0.0 <= share < 1.0:
        raise DatasetError(f"the share of persons held out is {share!r}; it must be at least 0 and below 1")
    counts = Counter(persons)
    if share == 0.0:
        return frozenset()
    if not counts:
        raise DatasetError("there are no training sequences, so nobody to lend a validation set; add some")
    if len(counts) < 2:
        raise DatasetError(
            "1 training person cannot lend a validation set; add persons, or do without one (SEE(..., val_share=0))"
        )
    names = sorted(counts)
    goal, total = share * len(persons), 0
    chosen: set[str] = set()
    for i in np.random.default_rng(seed).permutation(len(names)):
        name = names[i]
        if len(chosen) == len(names) - 1:
            break
        if not chosen or abs(total + counts[name] - goal) < abs(total - goal):
            chosen.add(name)
            total += counts[name]
    return frozenset(chosen)


def person_subset(persons: Sequence[str], subset: str, *, fold: int, folds: int, seed: int = 0) -> list[int]:
    """Indices of the sequences in ``subset`` of a person-disjoint ``folds``-fold split.

    Fold ``fold`` is the test set and the next one, cyclically, the validation set, so that over all folds
    every person is tested once and validated on once; the others are the training set. With two folds there
    is no third part, and the validation set is lent by the training persons (a fifth of their sequences).
    """
    check_subset(subset)
    check_fold(fold, folds)
    if subset == "all":
        return list(range(len(persons)))
    groups = person_folds(persons, folds, seed)
    test = groups[fold]
    lenders = [person for person in persons if person not in test]
    val = groups[(fold + 1) % folds] if folds > 2 else hold_out(lenders, 0.2, seed)
    wanted = {"test": test, "val": val, "train": frozenset(persons) - test - val}[subset]
    return [i for i, person in enumerate(persons) if person in wanted]


def check_subset(subset: str) -> None:
    """Raise :class:`DatasetError` unless ``subset`` is one of :data:`SUBSETS`."""
    if subset not in SUBSETS:
        raise DatasetError(f"unknown subset {subset!r}; it must be one of {', '.join(SUBSETS)}")


def check_fold(fold: Any, folds: Any) -> None:
    """Raise :class:`DatasetError` unless ``folds`` is at least 2 and ``fold`` one of them."""
    check_integers(2, folds=folds)
    check_integers(0, fold=fold)
    if fold >= folds:
        raise DatasetError(f"fold is {fold}; with {folds} folds it must be in 0..{folds - 1}")
