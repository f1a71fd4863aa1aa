"""Learned weights against NumPy."""

import numpy as np
import pytest
import torch

from snnkd.distill import LearnedWeights


def test_they_begin_as_the_fixed_ones_and_follow_the_formula():
    weights = LearnedWeights(["a", "b"], [1.0, 0.25])
    assert weights.weights() == pytest.approx({"a": 1.0, "b": 0.25})
    losses = [torch.tensor(2.0), torch.tensor(0.5)]
    got = sum(weights(losses))
    s = -np.log([2.0, 0.5])
    assert got.item() == pytest.approx(float((0.5 * np.exp(-s) * [2.0, 0.5] + 0.5 * s).sum()), rel=1e-6)


def test_at_the_minimum_a_weight_is_half_the_inverse_of_its_loss():
    weights = LearnedWeights(["a", "b"], [1.0, 1.0])
    optimiser = torch.optim.Adam(weights.parameters(), 0.05)
    for _ in range(600):
        optimiser.zero_grad()
        sum(weights([torch.tensor(3.0), torch.tensor(0.2)])).backward()
        optimiser.step()
    # d/ds: exp(-s)·L = 1
    assert weights.weights() == pytest.approx({"a": 0.5 / 3.0, "b": 0.5 / 0.2}, rel=1e-2)


def test_a_vanishing_term_cannot_take_over():
    weights = LearnedWeights(["a"], [1.0])
    with torch.no_grad():
        weights.log_variance.fill_(-100.0)
    assert weights.weights()["a"] == pytest.approx(np.exp(4), rel=1e-5)


def test_a_weight_of_zero_is_refused():
    with pytest.raises(ValueError, match="b: a learned weight must begin above zero, got 0"):
        LearnedWeights(["a", "b"], [1.0, 0.0])
