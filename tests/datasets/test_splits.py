import random
from collections import Counter

import pytest

from snnkd.datasets.splits import hold_out, person_folds, person_subset
from snnkd.errors import DatasetError

PERSONS = [f"p{i}" for i in range(13) for _ in range(3 + (7 * i) % 11)]


@pytest.mark.parametrize("folds", [2, 3, 5, 13])
def test_folds_cover_everybody_once_and_are_balanced(folds):
    groups = person_folds(PERSONS, folds, seed=3)
    assert sorted(name for group in groups for name in group) == sorted(set(PERSONS))
    counts = Counter(PERSONS)
    sizes = [sum(counts[name] for name in group) for group in groups]
    assert max(sizes) - min(sizes) <= max(counts.values())


def test_folds_depend_on_the_seed_and_not_on_the_order():
    shuffled = random.Random(1).sample(PERSONS, len(PERSONS))
    assert person_folds(PERSONS, 4, seed=5) == person_folds(shuffled, 4, seed=5)
    even = [f"p{i}" for i in range(12)]
    assert person_folds(even, 4, seed=5) == person_folds(even[::-1], 4, seed=5)
    assert person_folds(even, 4, seed=5) != person_folds(even, 4, seed=6)


@pytest.mark.parametrize("folds", [2, 3, 5])
@pytest.mark.parametrize("fold", [0, 1])
def test_subsets_are_disjoint_in_persons_and_exhaustive(folds, fold):
    parts = {subset: person_subset(PERSONS, subset, fold=fold, folds=folds) for subset in ("train", "val", "test")}
    assert all(parts.values())
    assert sorted(i for part in parts.values() for i in part) == list(range(len(PERSONS)))
    people = [{PERSONS[i] for i in part} for part in parts.values()]
    assert sum(map(len, people)) == len(set().union(*people))
    assert person_subset(PERSONS, "all", fold=fold, folds=folds) == list(range(len(PERSONS)))


def test_every_person_is_tested_in_exactly_one_fold():
    tested = [i for fold in range(5) for i in person_subset(PERSONS, "test", fold=fold, folds=5)]
    assert sorted(tested) == list(range(len(PERSONS)))


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_hold_out_is_near_the_share(share):
    chosen = hold_out(PERSONS, share, seed=2)
    got = sum(p in chosen for p in PERSONS)
    assert 0 < got < len(PERSONS)
    assert abs(got - share * len(PERSONS)) <= max(Counter(PERSONS).values())
    assert hold_out(PERSONS, 0.0) == frozenset()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: person_folds(["a", "b"], 3), "2 persons cannot be dealt into 3"),
        (lambda: person_folds(PERSONS, 1), "at least 2"),
        (lambda: person_subset(PERSONS, "test", fold=5, folds=5), "0..4"),
        (lambda: person_subset(PERSONS, "dev", fold=0, folds=5), "'dev'"),
        (lambda: person_folds([], 5), "there are no sequences"),
        (lambda: person_folds(["a"], 5), "add persons"),
        (lambda: person_folds(PERSONS, 5, seed=-1), "seed is -1"),
        (lambda: person_subset(PERSONS, "test", fold="x", folds=5), "fold is 'x'"),
        (lambda: hold_out(["a", "a"], 0.1), "cannot lend"),
        (lambda: hold_out([], 0.1), "no training sequences"),
        (lambda: hold_out(PERSONS, "x"), "'x'"),
        (lambda: hold_out(PERSONS, 1.0), "below 1"),
    ],
)
def test_impossible_splits_say_so(call, words):
    with pytest.raises(DatasetError) as caught:
        call()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
