r"""Dealing persons into groups that are alike in size, emotions and lightings.

Person :math:`i` brings :math:`P_{is}` sequences of stratum :math:`s`; group :math:`k` is to have the share :math:`q_k`
of all :math:`N_s`, and gets :math:`n_{ks}`. Minimised is

.. math:: \sum_k \sum_s \frac{m_s}{N_s} (n_{ks} - q_k N_s)^2

over who goes where. The strata are all sequences together (:math:`m = 8`), each value of each property (2), and each
combination of values (1). Persons are dealt one by one, in an order that the seed shuffles, each to the group where
it adds least; then the single move or swap of two persons that helps most is made until none helps. Above
:data:`MOST_SWAPPED` persons only moves are tried. Whole numbers throughout, so that the outcome is the same on every
machine; it depends on the set of sequences and the seed, not on the order in which they are listed.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stratum = tuple[str | None, ...]

MOST_SWAPPED = 400
"""Persons up to which swaps are tried; their number grows with the square."""

UNIT = 720_720
"""What the weights ``m / N`` are multiplied by to be whole."""


def deal(
    persons: Sequence[str], shares: Sequence[Fraction], strata: Sequence[Stratum] | None, seed: int
) -> list[frozenset[str]]:
    """Deal the persons into one group for each of ``shares``, none of them empty.

    ``persons`` and ``strata`` say for each sequence whose it is and its properties. There must be as many persons as
    groups, and the shares, above 0, must add up to 1.
    """
    names, counts, weights = _tally(persons, strata)
    den = lcm(*(share.denominator for share in shares))
    ideal = np.outer([int(share * den) for share in shares], counts.sum(0))
    given = den * counts
    if 8.0 * float((weights * (den * counts.sum(0)).astype(float) ** 2).sum()) > 2.0**62:  # Python's numbers never end
        given, ideal, weights = (a.astype(object) for a in (given, ideal, weights))
    excess = -ideal  # of each group and stratum, over its share
    group = np.full(len(names), -1)
    members = np.zeros(len(shares), np.int64)
    order = np.random.default_rng(seed).permutation(len(names))
    for left, i in zip(range(len(names), 0, -1), order, strict=True):
        added = (weights * given[i] * (2 * excess + given[i])).sum(1)
        owed = left <= np.count_nonzero(members == 0)  # the rest must fill what is empty
        k = min((k for k in range(len(shares)) if not (owed and members[k])), key=lambda k: (added[k], members[k], k))
        group[i], members[k], excess[k] = k, members[k] + 1, excess[k] + given[i]
    _improve(given, weights, excess, group)
    return [frozenset(name for name, of in zip(names, group, strict=True) if of == k) for k in range(len(shares))]


def _improve(given: NDArray[Any], weights: NDArray[Any], excess: NDArray[Any], group: NDArray[np.int64]) -> None:
    """Move and swap persons, best first, as long as the sum falls; ``excess`` and ``group`` are changed."""
    weighted = given * weights
    own = (weighted * given).sum(1)
    swaps = len(group) <= MOST_SWAPPED
    cross = weighted @ given.T if swaps else None
    everyone = np.arange(len(group))
    while True:
        pull = weighted @ excess.T  # (persons, groups)
        here = pull[everyone, group]
        moves = 2 * (pull - here[:, None]) + 2 * own[:, None]
        moves[everyone, group] = 0
        moves[np.bincount(group, minlength=len(excess))[group] == 1] = 0  # who is alone stays
        i, k = divmod(int(moves.argmin()), moves.shape[1])
        best, j = moves[i, k], -1
        if cross is not None:
            there = pull[:, group]  # [i, j]: of person i and the group of j
            change = 2 * (there + there.T - here[:, None] - here[None, :])
            change = change + 2 * (own[:, None] + own[None, :] - 2 * cross)
            change[group[:, None] == group[None, :]] = 0
            a, b = divmod(int(change.argmin()), len(group))
            if change[a, b] < best:
                best, i, j = change[a, b], a, b
        if best >= 0:
            return
        if j < 0:
            excess[group[i]] -= given[i]
            excess[k] += given[i]
            group[i] = k
        else:
            step = given[j] - given[i]
            excess[group[i]] += step
            excess[group[j]] -= step
            group[i], group[j] = group[j], group[i]


def _tally(
    persons: Sequence[str], strata: Sequence[Stratum] | None
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Names, sorted; sequences of each ``(persons, strata)``; and the whole-number weight of each stratum."""
    names = sorted(set(persons))
    row = {name: i for i, name in enumerate(names)}
    columns: dict[tuple[Any, ...], int] = {("all",): 8}
    cells: list[list[tuple[Any, ...]]] = [[("all",)] for _ in persons]
    for mine, values in zip(cells, strata or [], strict=strata is not None):
        single = [("one", n, str(value)) for n, value in enumerate(values)]
        columns |= dict.fromkeys(single, 2)
        mine += single
        if len(values) > 1:
            together = ("joint", *map(str, values))
            columns[together] = 1
            mine.append(together)
    keys = sorted(columns, key=repr)
    column = {key: i for i, key in enumerate(keys)}
    counts = np.zeros((len(names), len(keys)), np.int64)
    for person, mine in zip(persons, cells, strict=True):
        for key in mine:
            counts[row[person], column[key]] += 1
    multiples = np.array([columns[key] for key in keys], np.int64)
    return names, counts, np.maximum(multiples * UNIT // counts.sum(0), 1)
