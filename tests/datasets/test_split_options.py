"""The three splits and their options, on sequences that are nothing but names."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.datasets import EMOTIONS, LIGHTINGS, Sequence
from snnkd.datasets.split_options import Split
from snnkd.errors import DatasetError


def sequences(persons=8, lightings=LIGHTINGS):
    return [
        Sequence(f"{person}-{emotion}-{light}", f"p{person}", emotion, light, 20)
        for person in range(persons)
        for emotion in EMOTIONS
        for light in random.Random(person).sample(lightings, max(1, len(lightings) - 1))
    ]


def parts(split, listed, official=None):
    none = official or [None] * len(listed)
    return {s: [listed[i] for i in split.select(listed, s, none)] for s in ("train", "val", "test", "all")}


def people(listed):
    return {s.person for s in listed}


options = st.builds(
    Split,
    split=st.sampled_from(["person-disjoint", "subject-disjoint"]),
    fold=st.integers(0, 2),
    folds=st.integers(3, 5),
    seed=st.integers(0, 5),
    val_share=st.sampled_from([0.0, 0.1, 0.3]),
)


@settings(deadline=None)
@given(options, st.integers(6, 9), st.randoms())
def test_nobody_is_on_two_sides_and_the_order_of_the_list_does_not_matter(split, persons, chance):
    listed = sequences(persons)
    got = parts(split, listed)
    assert not people(got["train"]) & people(got["test"])
    assert not people(got["val"]) & (people(got["train"]) | people(got["test"]))
    assert len(got["train"]) + len(got["val"]) + len(got["test"]) == len(got["all"]) == len(listed)
    assert bool(got["val"]) == bool(split.val_share)
    again = parts(split, chance.sample(listed, len(listed)))
    for subset, chosen in got.items():
        assert {s.name for s in chosen} == {s.name for s in again[subset]}


def test_every_person_is_tested_once_and_two_spellings_are_one_split():
    listed = sequences()
    tested = [s.name for k in range(4) for s in parts(Split("person-disjoint", k, 4), listed)["test"]]
    assert sorted(tested) == sorted(s.name for s in listed)
    other = parts(Split("subject-disjoint", 1, 4), listed)
    assert other == parts(Split("person-disjoint", 1, 4), listed)


@pytest.mark.parametrize("fold", range(4))
def test_one_lighting_is_left_out(fold):
    listed = sequences()
    got = parts(Split("leave-one-lighting-out", fold), listed)
    assert {s.lighting for s in got["test"]} == {LIGHTINGS[fold]}
    assert {s.lighting for s in got["train"] + got["val"]} == set(LIGHTINGS) - {LIGHTINGS[fold]}
    assert not people(got["train"]) & people(got["val"])
    assert len(got["test"]) + len(got["train"]) + len(got["val"]) == len(listed)
    assert people(got["test"]) & people(got["train"]), "as documented: its persons are in training, in other light"


def test_one_lighting_is_left_out_of_persons_kept_apart():
    listed = sequences()
    tested = []
    for k in range(3):
        split = Split("leave-one-lighting-out", 2, folds=3, person_fold=k)
        got = parts(split, listed)
        assert split.parts_persons
        assert not people(got["test"]) & people(got["train"] + got["val"])
        assert {s.lighting for s in got["test"]} == {"low-light"}
        assert "low-light" not in {s.lighting for s in got["train"] + got["val"]}
        tested += got["test"]
    assert sorted(s.name for s in tested) == sorted(s.name for s in listed if s.lighting == "low-light")
    assert not Split("leave-one-lighting-out", 2).parts_persons


def test_the_official_split_is_the_files_with_their_validation_set_or_a_lent_one():
    listed = sequences(6)
    official = ["test" if s.person == "p0" else "train" for s in listed]
    got = parts(Split("official", val_share=0.3), listed, official)
    assert people(got["test"]) == {"p0"}
    assert got["val"]
    assert not people(got["val"]) & people(got["train"])
    official = ["val" if s.person == "p3" else part for s, part in zip(listed, official, strict=True)]
    got = parts(Split("official", val_share=0.0), listed, official)
    assert people(got["val"]) == {"p3"}
    assert people(got["train"]) == {"p1", "p2", "p4", "p5"}


def test_the_options_make_the_split_again():
    split = Split("leave-one-lighting-out", 1, 3, 7, 0.2, person_fold=2)
    assert Split(**split.config) == split
    assert "person_fold" not in Split("official").config


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Split("authors"), "person-disjoint"),
        (lambda: Split("person-disjoint", 5), "0..4"),
        (lambda: Split("leave-one-lighting-out", 4), "3 HDR"),
        (lambda: Split("leave-one-lighting-out", 0, person_fold=5), "person_fold is 5"),
        (lambda: Split("leave-one-lighting-out", "x"), "fold is 'x'"),
        (lambda: Split("person-disjoint", person_fold=1), "leave-one-lighting-out"),
        (lambda: parts(Split("official"), sequences()), "in no subset of an official split"),
        (lambda: parts(Split("leave-one-lighting-out"), sequences(lightings=["HDR"])), "0 of 56"),
        (lambda: parts(Split("leave-one-lighting-out"), sequences(lightings=["unknown", "HDR"])), "no lighting"),
        (lambda: parts(Split("person-disjoint", folds=9), sequences()), "8 persons cannot be dealt"),
        (lambda: parts(Split("person-disjoint", val_share=1.5), sequences()), "below 1"),
    ],
)
def test_what_cannot_be_is_said(call, words):
    with pytest.raises(DatasetError) as caught:
        call()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
