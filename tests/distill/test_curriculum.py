"""Curricula: their curves, and what is refused."""

import pytest

from snnkd.distill import Curriculum
from snnkd.errors import ConfigError


def test_it_is_piecewise_linear():
    plan = Curriculum(features=[[0.2, 1.0], [0.6, 0.0]], logits=[[0.5, 2.0]], labels=[])
    assert [plan.factor("features", p) for p in (0, 0.2, 0.4, 0.6, 1)] == pytest.approx([1, 1, 0.5, 0, 0])
    assert plan.factor("logits", 0) == plan.factor("logits", 1) == 2.0
    assert plan.factor("labels", 0.3) == 1.0  # left out: all the time


def test_the_default_goes_from_features_to_labels():
    plan = Curriculum()
    assert plan.factor("features", 0) == 1
    assert plan.factor("logits", 0) == plan.factor("labels", 0) == 0
    assert min(plan.factor("features", 0.5), plan.factor("logits", 0.5)) > 0
    assert plan.factor("features", 1) == 0
    assert plan.factor("labels", 1) == 1


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0.5, 1.0], [0.2, 1.0]], "curriculum.features: progress must rise"),
        ([[0.5, 1.0], [0.5, 0.0]], "curriculum.features: progress must rise"),
        ([[-0.1, 1.0]], "curriculum.features: progress must rise from 0 to 1"),
        ([[0.1, -1.0]], "curriculum.features: factors must be zero or above"),
        ([[0.1, float("nan")]], "curriculum.features: factors must be zero or above"),
        ([[0.1]], "curriculum.features: each point is"),
    ],
)
def test_what_makes_no_sense_is_refused(points, message):
    with pytest.raises(ConfigError, match=message):
        Curriculum(features=points)


def test_a_moment_at_which_nothing_counts_is_refused():
    with pytest.raises(ConfigError, match=r"nothing counts at progress 0.5"):
        Curriculum([[0.4, 1.0], [0.5, 0.0]], [[0.0, 0.0]], [[0.5, 0.0], [0.6, 1.0]])
