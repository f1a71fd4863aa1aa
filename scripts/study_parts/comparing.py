"""Rows of a study compared: over the seeds, and over the persons in pairs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.training.evaluation.bootstrap import Estimate, estimate, person_weights

PERMUTATIONS = 20_000


class Answers(NamedTuple):
    """All test takes of a row, over its seeds."""

    persons: list[str]
    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    keys: list[tuple[int, str]]
    """Seed and take, by which two rows are paired"""


class Difference(NamedTuple):
    """One row less another."""

    uar: Estimate
    p: float
    takes: int
    ahead: tuple[int, int]
    """Under how many seeds the first was better, and of how many"""


def gather(results: Sequence[dict[str, Any]]) -> Answers:
    """Put the answers of one row's seeds together."""
    persons: list[str] = []
    keys: list[tuple[int, str]] = []
    labels: list[int] = []
    told: list[int] = []
    for result in results:
        answers = result["answers"]
        persons += answers["persons"]
        labels += answers["labels"]
        told += answers["told"]
        keys += [(result["seed"], name) for name in answers["names"]]
    truth = np.array(labels)
    return Answers(persons, truth, np.array(told) == truth, keys)


def uar(answers: Answers, replicates: int = 2000) -> Estimate:
    """UAR over all seeds' takes, with an interval by the bootstrap over persons."""
    hits, counts = _sums(answers, answers.right.astype(np.float64))
    value = float((hits.sum(0) / counts.sum(0)).mean())
    weights = person_weights(len(hits), replicates)
    with np.errstate(invalid="ignore"):
        return estimate(value, ((weights @ hits) / (weights @ counts)).mean(1))


def compare(first: Answers, second: Answers, replicates: int = 2000) -> Difference:
    r"""UAR of ``first`` less ``second`` on the takes that both answered under the same seed.

    The interval is a bootstrap over persons. *p* is of a sign-flip test over persons, two-sided: if, for the networks
    that were trained, each person's difference :math:`d_i` would as likely have the other sign,

    .. math:: p = \frac{1 + \#\{|\sum_i \pm d_i| \ge |\sum_i d_i|\}}{1 + \text{permutations}}

    with :math:`d_i` the person's sum of differences, each take weighted by the inverse of its emotion's number. Both
    speak of other persons, not of other draws of the training, which the persons of a fold share: where trainings of
    one recipe differ by several points, a small *p* says less of the recipe. ``ahead`` tells how far folds agree.
    """
    place = {key: i for i, key in enumerate(second.keys)}
    both = [(i, place[key]) for i, key in enumerate(first.keys) if key in place]
    a, b = (np.array(side) for side in zip(*both, strict=True))
    shared = Answers([first.persons[i] for i in a], first.labels[a], first.right[a], [first.keys[i] for i in a])
    gap = first.right[a].astype(np.float64) - second.right[b]
    sums, counts = _sums(shared, gap)
    value = float((sums.sum(0) / counts.sum(0)).mean())
    weights = person_weights(len(sums), replicates)
    with np.errstate(invalid="ignore"):
        interval = estimate(value, ((weights @ sums) / (weights @ counts)).mean(1))
    each = (sums / counts.sum(0)).mean(1)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (PERMUTATIONS, len(each)))
    extreme = int((np.abs(signs @ each) >= abs(each.sum()) - 1e-12).sum())
    seeds = sorted({seed for seed, _ in shared.keys})
    better = 0
    for seed in seeds:
        mine = np.array([key[0] == seed for key in shared.keys])
        part = Answers(
            [p for p, is_ in zip(shared.persons, mine, strict=True) if is_], shared.labels[mine], shared.right[mine], []
        )
        total, number = _sums(part, gap[mine])
        better += bool((total.sum(0) / number.sum(0)).mean() > 0)
    return Difference(interval, (1 + extreme) / (1 + PERMUTATIONS), len(both), (better, len(seeds)))


def holm(ps: Sequence[float]) -> list[float]:
    r"""Values of *p* of a family of tests after Holm's step-down correction (1979), in the order given.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)}), \qquad p_{(1)} \le p_{(2)} \le \dots
    """
    corrected, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = least
    return corrected


def _sums(answers: Answers, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of ``values`` and numbers of takes by person and emotion, ``(P, K)`` each."""
    people = sorted(set(answers.persons))
    emotions = sorted(set(answers.labels.tolist()))
    sums, counts = np.zeros((2, len(people), len(emotions)))
    rows = [people.index(person) for person in answers.persons]
    columns = [emotions.index(label) for label in answers.labels]
    np.add.at(sums, (rows, columns), values)
    np.add.at(counts, (rows, columns), 1.0)
    return sums, counts
