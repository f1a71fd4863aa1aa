"""Segments: hysteresis, minimum length, abstention, against plain loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnkd.errors import ConfigError
from snnkd.inference import Smoothing, Timeline

STEP = 100_000


def drawn(seed, windows=40, kinds=4):
    z = np.random.default_rng(seed).normal(size=(windows, kinds)).cumsum(0) * 0.7
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def runs(labels):
    return [(label, len(list(group))) for label, group in itertools.groupby(labels.tolist())]


@given(st.integers(0, 300), st.floats(0, 1))
def test_a_label_stays_until_another_leads_by_the_margin(seed, margin):
    p = drawn(seed)
    told, before = Smoothing(margin=margin).told(p, STEP), None
    for row, label in zip(p, told, strict=True):
        best = int(row.argmax())
        expected = best if before is None or row[best] >= row[before] + margin else before
        assert label == expected
        before = expected


@given(st.integers(0, 300), st.integers(1, 12))
def test_no_segment_is_shorter_than_the_minimum(seed, minimum):
    p = drawn(seed)
    told = Smoothing(minimum_us=minimum * STEP).told(p, STEP)
    found = runs(told)
    assert len(found) == 1 or min(length for _, length in found) >= minimum
    assert sum(length for _, length in found) == len(p)
    assert set(told) <= set(p.argmax(1))
    if minimum == 1:
        assert (told == p.argmax(1)).all()


def test_a_short_segment_goes_to_the_neighbour_that_finds_it_more_probable():
    p = np.full((9, 3), 0.1)
    p[:4, 0] = p[4:5, 1] = p[5:, 2] = 0.8
    p[4, 2] = 0.3
    told = Smoothing(minimum_us=2 * STEP).told(p, STEP)
    assert told.tolist() == [0] * 4 + [2] * 5
    p[4, 0] = 0.5
    assert Smoothing(minimum_us=2 * STEP).told(p, STEP).tolist() == [0] * 5 + [2] * 4
    # Shorter than the minimum as a whole: one label for all of it.
    assert Smoothing(minimum_us=20 * STEP).told(p, STEP).tolist() == [0] * 9


def test_what_is_not_probable_enough_is_not_told():
    p = np.array([[0.6, 0.4], [0.45, 0.55], [0.2, 0.8]])
    assert Smoothing(abstain=0.58).told(p, STEP).tolist() == [0, -1, 1]
    # What is held by the margin is judged by its own probability.
    assert Smoothing(margin=0.3, abstain=0.5).told(p, STEP).tolist() == [0, -1, 1]


def test_segments_of_a_timeline_say_what_is_told():
    logits = np.log(np.array([[0.6, 0.4], [0.45, 0.55], [0.2, 0.8], [0.2, 0.8]])).astype(np.float32)
    timeline = Timeline(("a", "b"), STEP, np.arange(4) * STEP, np.full(4, 9), logits, smoothing=Smoothing(abstain=0.58))
    assert timeline.labels == ["a", "b", "b", "b"]
    assert timeline.told == ["a", "unsure", "b", "b"]
    assert [(s.label, s.start_us, s.end_us) for s in timeline.segments()] == [
        ("a", 0, STEP), ("unsure", STEP, 2 * STEP), ("b", 2 * STEP, 4 * STEP)
    ]  # fmt: skip
    assert [s.confidence for s in timeline.segments()] == pytest.approx([0.6, 0.55, 0.8], rel=1e-5)
    assert timeline.to_dict()["smoothing"] == {"margin": 0.0, "minimum_us": 0, "abstain": 0.58}


def test_nothing_and_nonsense():
    assert len(Smoothing(0.1, STEP * 3, 0.2).told(np.zeros((0, 3)), STEP)) == 0
    for wrong in ({"margin": 1.5}, {"abstain": -0.1}, {"minimum_us": -1}):
        with pytest.raises(ConfigError, match=f"smoothing: {next(iter(wrong))}"):
            Smoothing(**wrong)
