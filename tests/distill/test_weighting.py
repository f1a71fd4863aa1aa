"""Learned weights against NumPy."""

import numpy as np
import pytest
import torch

from snnkd.distill import LearnedWeights


def test_they_begin_as_the_fixed_ones_and_follow_the_formula():
    weights = LearnedWeights(["a", "b"], [1.0, 0.25])
    assert weights.weights() == pytest.approx({"a": 1.0, "b": 0.25})
    got = sum(weights({"a": torch.tensor(2.0), "b": torch.tensor(0.5)}).values())
    s = -np.log([2.0, 0.5])
    assert got.item() == pytest.approx(float((0.5 * np.exp(-s) * [2.0, 0.5] + 0.5 * s).sum()), rel=1e-6)


def test_at_the_minimum_a_weight_is_half_the_inverse_of_its_loss():
    weights = LearnedWeights(["a", "b"], [1.0, 1.0])
    optimiser = torch.optim.Adam(weights.parameters(), 0.05)
    for _ in range(600):
        optimiser.zero_grad()
        sum(weights({"a": torch.tensor(3.0), "b": torch.tensor(0.2)}).values()).backward()
        optimiser.step()
    # d/ds: exp(-s)·L = 1
    assert weights.weights() == pytest.approx({"a": 0.5 / 3.0, "b": 0.5 / 0.2}, rel=1e-2)


def test_a_vanishing_term_cannot_take_over():
    weights = LearnedWeights(["a"], [1.0])
    with torch.no_grad():
        weights.moved.fill_(-100.0)
    assert weights.weights()["a"] == pytest.approx(np.exp(4), rel=1e-5)


def test_a_weight_at_its_bound_comes_back():
    weights = LearnedWeights(["a"], [1.0])
    optimiser = torch.optim.AdamW(weights.parameters(), 0.05, weight_decay=0.0)
    for loss in [1e-6] * 400 + [50.0] * 2000:
        optimiser.zero_grad()
        sum(weights({"a": torch.tensor(loss)}).values()).backward()
        optimiser.step()
    assert weights.weights()["a"] < 0.1  # on the way to 0.5 / 50, which lies beyond the other bound


def test_a_term_that_is_absent_moves_nothing():
    weights = LearnedWeights(["a", "b"], [1.0, 1.0])
    parts = weights({"a": torch.tensor(3.0), "b": torch.tensor(0.0)}, absent={"b"})
    assert parts["b"].item() == 0
    sum(parts.values()).backward()
    assert weights.moved.grad[0] != 0
    assert weights.moved.grad[1] == 0


def test_a_weight_of_zero_is_refused():
    with pytest.raises(ValueError, match="b: a learned weight must begin above zero, got 0"):
        LearnedWeights(["a", "b"], [1.0, 0.0])
