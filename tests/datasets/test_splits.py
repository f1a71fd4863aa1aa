import random
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.datasets import EMOTIONS, LIGHTINGS
from snnkd.datasets.dealing import deal
from snnkd.datasets.splits import check_fold, check_subset, hold_out, person_folds
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


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_hold_out_is_near_the_share(share):
    chosen = hold_out(PERSONS, share, seed=2)
    got = sum(p in chosen for p in PERSONS)
    assert 0 < got < len(PERSONS)
    assert abs(got - share * len(PERSONS)) <= max(Counter(PERSONS).values())
    assert hold_out(PERSONS, 0.0) == frozenset()


def cost(persons, strata, groups, shares):
    """The sum of the module's docstring, by the definition and in exact fractions."""
    cells = defaultdict(Counter)
    weight = {}
    for person, values in zip(persons, strata, strict=True):
        group = next(k for k, members in enumerate(groups) if person in members)
        for m, key in [(8, "all"), (1, values), *((2, (n, v)) for n, v in enumerate(values))]:
            weight[key] = m
            cells[key][group] += 1
    total = Fraction(0)
    for key, counts in cells.items():
        n = sum(counts.values())
        unit = max(weight[key] * 720_720 // n, 1)
        total += sum(unit * (counts[k] - share * n) ** 2 for k, share in enumerate(shares))
    return total


people = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyz"), st.sampled_from("lm")), min_size=1)


@settings(deadline=None)
@given(people, st.integers(2, 4), st.integers(0, 3), st.randoms())
def test_a_dealing_is_disjoint_repeatable_and_no_move_or_swap_betters_it(listed, folds, seed, chance):
    persons, strata = [entry[0] for entry in listed], [entry[1:] for entry in listed]
    names = sorted(set(persons))
    if len(names) < folds:
        return
    groups = person_folds(persons, folds, seed, strata)
    assert all(groups)
    assert sorted(name for group in groups for name in group) == names
    shuffled = chance.sample(listed, len(listed))
    assert person_folds([e[0] for e in shuffled], folds, seed, [e[1:] for e in shuffled]) == groups

    shares = [Fraction(1, folds)] * folds
    best = cost(persons, strata, groups, shares)
    home = {name: k for k, group in enumerate(groups) for name in group}
    changed = [{a: home[b], b: home[a]} for a, b in combinations(names, 2)]
    changed += [{a: k} for a in names for k in range(folds) if len(groups[home[a]]) > 1]
    for change in changed:
        other = home | change
        trial = [{name for name in names if other[name] == k} for k in range(folds)]
        assert cost(persons, strata, trial, shares) >= best


def see_like(seed, persons=111):
    """Persons under one to four lightings, up to two takes of each emotion in each."""
    chance = random.Random(seed)
    return [
        (f"{person:03d}", emotion, lighting)
        for person in range(persons)
        for lighting in chance.sample(LIGHTINGS, chance.randint(1, 4))
        for emotion in EMOTIONS
        for _ in range(chance.randint(0, 2))
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_folds_of_a_set_like_see_are_alike_in_emotions_and_lightings(seed):
    listed = see_like(seed)
    strata = [entry[1:] for entry in listed]
    groups = person_folds([entry[0] for entry in listed], 5, seed, strata)
    for values in (lambda e: e[1], lambda e: e[2]):
        shares = Counter(map(values, listed))
        for group in groups:
            mine = Counter(values(entry) for entry in listed if entry[0] in group)
            for value, number in shares.items():
                assert abs(mine[value] - number / 5) <= 0.1 * number / 5
    sizes = [sum(entry[0] in group for entry in listed) for group in groups]
    assert max(sizes) - min(sizes) <= 0.03 * len(listed) / 5
    val = hold_out([entry[0] for entry in listed], 0.1, seed, strata)
    for value, number in Counter(entry[1] for entry in listed).items():
        assert abs(sum(e[0] in val for e in listed if e[1] == value) - number / 10) <= 0.2 * number / 10


def test_numbers_beyond_64_bits_are_dealt_alike():
    persons = [name for i, name in enumerate("abcdef") for _ in range(2**i)]
    few = deal(persons, [Fraction(1, 3), Fraction(2, 3)], None, 0)
    fine = Fraction(10**9, 3 * 10**9 + 1)  # the same share, in steps that overflow
    assert deal(persons, [fine, 1 - fine], None, 0) == few


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: person_folds(["a", "b"], 3), "2 persons cannot be dealt into 3"),
        (lambda: person_folds(PERSONS, 1), "at least 2"),
        (lambda: check_fold(5, 5), "0..4"),
        (lambda: check_subset("dev"), "'dev'"),
        (lambda: person_folds([], 5), "there are no sequences"),
        (lambda: person_folds(["a"], 5), "add persons"),
        (lambda: person_folds(PERSONS, 5, seed=-1), "seed is -1"),
        (lambda: check_fold("x", 5), "fold is 'x'"),
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
