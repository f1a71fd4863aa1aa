"""Conflicting gradients: hand-worked cases, and what projection promises."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnkd.distill import project_conflicts

vectors = st.lists(st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4), min_size=1, max_size=4)


def reference(gradients, order):
    """The published algorithm in float64, one number at a time."""
    g = [np.array(x, np.float64) for x in gradients]
    total = np.zeros_like(g[0])
    for i, others in enumerate(order):
        kept = g[i].copy()
        for j in others:
            along = sum(a * b for a, b in zip(kept, g[j], strict=True))
            square = sum(b * b for b in g[j])
            if along < 0 and square > 0:
                kept = kept - along / square * g[j]
        total += kept
    return total


def test_two_in_conflict_by_hand():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    # a + (1/2)·b's direction leaves (0.5, 0.5); b + 1·a leaves (0, 1)
    torch.testing.assert_close(project_conflicts([a, b]), torch.tensor([0.5, 1.5]))


def test_agreement_is_a_plain_sum():
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.0])
    torch.testing.assert_close(project_conflicts([a, b]), a + b)


def test_opposites_cancel_and_zero_conflicts_with_none():
    a = torch.tensor([1.0, -2.0])
    assert project_conflicts([a, -a]).abs().max() == 0
    torch.testing.assert_close(project_conflicts([a, torch.zeros(2)]), a)


@given(vectors, st.integers(0, 1000))
def test_it_is_the_published_algorithm(gradients, seed):
    rng = np.random.default_rng(seed)
    n = len(gradients)
    order = [list(rng.permutation([j for j in range(n) if j != i]).astype(int)) for i in range(n)]
    got = project_conflicts([torch.tensor(g, dtype=torch.float64) for g in gradients], order)
    np.testing.assert_allclose(got.numpy(), reference(gradients, order), rtol=1e-9, atol=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_of_two_neither_is_worked_against(a, b):
    a, b = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    together = project_conflicts([a, b])
    assert together.dot(a) >= -1e-9
    assert together.dot(b) >= -1e-9


def test_the_order_is_drawn_from_torch():
    gradients = list(torch.randn(4, 3, generator=torch.Generator().manual_seed(3)))
    results = []
    for seed in (0, 0, *range(1, 12)):
        torch.manual_seed(seed)
        results.append(project_conflicts(gradients))
    assert torch.equal(results[0], results[1])
    assert any(not torch.equal(results[0], other) for other in results)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="gradients must be flat and of one length"):
        project_conflicts([torch.zeros(2), torch.zeros(3)])
    with pytest.raises(ValueError, match="gradients must be flat"):
        project_conflicts([])
