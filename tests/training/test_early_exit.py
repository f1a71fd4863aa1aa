"""Early exit: the first sure step, a threshold from validation, what it saves and costs."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnkd.datasets import EMOTIONS
from snnkd.errors import DatasetError
from snnkd.training.evaluation import Predictions, Truth
from snnkd.training.evaluation.early_exit import NEVER, calibrate, confidences, curve, leave, report, uar_of
from snnkd.training.evaluation.table import early_exit_text

K = len(EMOTIONS)


def truth(number, persons=5):
    labels = np.arange(number) % K
    names = tuple(f"s{i}" for i in range(number))
    return Truth(names, tuple(f"p{i % persons}" for i in range(number)), labels, ("normal",) * number)


def predictions(steps):
    return Predictions.from_steps(truth(steps.shape[2]), steps.astype(np.float32))


def drawn(number=42, steps=8, seed=0, growth=0.4):
    """Logits that grow towards the label: surer and righter with time."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(1, steps, number, K))
    for n in range(number):
        z[0, :, n, n % K] += growth * np.arange(steps)
    return predictions(z)


def test_a_clip_is_left_at_its_first_sure_step():
    z = np.zeros((1, 3, 2, K))
    z[0, 1, 0, 2] = z[0, 2, 0, 4] = 9.0  # sure of 2 at the second step, of 4 at the third
    z[0, :, 1, 1] = 0.5  # never sure
    sure = np.exp(9) / (np.exp(9) + K - 1)
    got = leave(predictions(z), 0.9)
    assert got.used.tolist() == [[2, 3]]
    assert got.predictions.told.tolist() == [[2, 1]]
    assert confidences(z)[0, 1, 0] == pytest.approx(sure)
    reached = float(confidences(z.astype(np.float32))[0, 1, 0])
    assert leave(predictions(z), reached).used[0, 0] == 2  # reached is enough
    never = leave(predictions(z), NEVER)
    assert never.used.tolist() == [[3, 3]]
    assert never.predictions.told.tolist() == [[4, 1]]


@given(st.integers(0, 500), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_leaves_earlier(seed, a, b):
    p = drawn(seed=seed, number=14, steps=5)
    low, high = sorted((a, b))
    assert (leave(p, low).used <= leave(p, high).used).all()


@given(st.integers(0, 200), st.sampled_from([0.0, 0.02, 0.1]))
def test_the_chosen_threshold_keeps_the_promise_on_its_data_with_the_fewest_steps(seed, tolerance):
    p = drawn(seed=seed, number=28, steps=6)
    threshold = calibrate(p, tolerance)
    full, chosen = uar_of(leave(p, NEVER).predictions), leave(p, threshold)
    assert uar_of(chosen.predictions) >= full - tolerance - 1e-9
    for other in np.unique(confidences(p.steps)):
        exits = leave(p, other)
        if uar_of(exits.predictions) >= full - tolerance - 1e-12:
            assert chosen.used.mean() <= exits.used.mean()


def test_calibration_by_hand():
    """Right from the second step on, sure from the third on: the exit is at the third."""
    z = np.zeros((1, 4, 14, K))
    for n in range(14):
        z[0, 0, n, (n + 1) % K] = 1.0  # wrong at first
        for t, size in ((1, 1.0), (2, 5.0), (3, 6.0)):
            z[0, t, n, n % K] = size
    p = predictions(z)
    threshold = calibrate(p, 0.0)
    assert threshold == pytest.approx(np.exp(5) / (np.exp(5) + K - 1), rel=1e-6)
    assert leave(p, threshold).used.mean() == 3
    # The first two steps are equally sure and the first is wrong: who allows any loss but not that of everything stays.
    assert leave(p, calibrate(p, 0.999)).used.mean() == 3
    z[0, 0] *= 0.5  # now the second step, right, is surer than the first
    assert leave(predictions(z), calibrate(predictions(z), 0.0)).used.mean() == 2
    with pytest.raises(ValueError, match="tolerance must be from 0 to below 1"):
        calibrate(p, -0.1)


def test_one_step_leaves_nothing_to_save():
    p = drawn(steps=1)
    assert calibrate(p, 0.1) == NEVER
    assert leave(p, NEVER).used.max() == 1
    assert curve(p)[0]["steps"] == 1


def test_the_curve_ends_at_all_steps():
    p = drawn()
    rows = curve(p)
    assert rows[-1]["steps"] == 8
    assert rows[-1]["uar"] == pytest.approx(uar_of(p))
    assert [row["steps"] for row in rows] == sorted(row["steps"] for row in rows)


def test_the_report_is_calibrated_elsewhere_and_has_intervals():
    val, test = drawn(seed=1, number=28), drawn(seed=2, number=70)
    got = report(val, test, 0.02)
    threshold = calibrate(val, 0.02)
    exits = leave(test, threshold)
    assert got["threshold"] == threshold
    assert got["steps"]["value"] == pytest.approx(exits.used.mean())
    assert got["steps"]["low"] <= got["steps"]["value"] <= got["steps"]["high"]
    assert got["uar"]["value"] == pytest.approx(uar_of(exits.predictions))
    assert got["uar_of_all_steps"]["value"] == pytest.approx(uar_of(test))
    text = early_exit_text(json.loads(json.dumps(got)))
    assert f"{exits.used.mean():.1f}" in text
    assert "5 validation persons" in text


def test_prediction_files_are_refused():
    p = drawn()
    with pytest.raises(DatasetError, match="early exit needs a model"):
        leave(Predictions(p.truth, p.told, p.probabilities), 0.5)
