"""Splits in which no person is on two sides.

A network that has seen a person's face can recognise the person and remember how that person looked; only
people it has never seen measure whether it recognises emotions. All splits here therefore deal out *persons*,
so that groups are alike in their number of *sequences* and, where they are told, in emotions and lightings
(:mod:`snnkd.datasets.dealing`). They depend on the set of sequences and the seed alone, never on the order in
which sequences are listed.
"""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from snnkd.datasets.checks import check_integers
from snnkd.datasets.dealing import Stratum, deal
from snnkd.errors import DatasetError

SUBSETS = ("train", "val", "test", "all")


def person_folds(
    persons: Sequence[str], folds: int, seed: int = 0, strata: Sequence[Stratum] | None = None
) -> list[frozenset[str]]:
    """Deal the persons into ``folds`` groups of nearly equal numbers of sequences, and of each stratum.

    ``persons``: the person of every sequence, ``(N,)``; ``strata``: its properties, such as ``(emotion, lighting)``.
    Without strata the largest and smallest group differ by at most the sequences of one person. Raises
    :class:`DatasetError` for fewer than 2 folds or fewer persons than folds.
    """
    counts = Counter(persons)
    check_integers(2, folds=folds)
    check_integers(0, seed=seed)
    if not counts:
        raise DatasetError("there are no sequences, so nobody to deal into folds; the dataset is empty")
    if len(counts) < folds:
        fewer = f", or use {len(counts)} folds or less" if len(counts) > 1 else ""
        who = "1 person" if len(counts) == 1 else f"{len(counts)} persons"
        raise DatasetError(f"{who} cannot be dealt into {folds} person-disjoint folds; add persons{fewer}")
    return deal(persons, [Fraction(1, folds)] * folds, strata, seed)


def hold_out(
    persons: Sequence[str], share: float, seed: int = 0, strata: Sequence[Stratum] | None = None
) -> frozenset[str]:
    """Choose persons whose sequences make up about ``share`` (0..1) of all and of each stratum.

    Used where training persons lend a validation set. With a share above 0 at least one person is chosen, and one
    at least is left over.
    """
    check_integers(0, seed=seed)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < 1.0:
        raise DatasetError(f"the share of persons held out is {share!r}; it must be at least 0 and below 1")
    counts = Counter(persons)
    if share == 0.0:
        return frozenset()
    if not counts:
        raise DatasetError("there are no training sequences, so nobody to lend a validation set; add some")
    if len(counts) < 2:
        raise DatasetError(
            "1 training person cannot lend a validation set; add persons, or do without one (val_share=0)"
        )
    lent = min(max(Fraction(share).limit_denominator(1000), Fraction(1, 1000)), Fraction(999, 1000))
    return deal(persons, [lent, 1 - lent], strata, seed)[0]


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
