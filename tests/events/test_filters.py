"""Hot pixels: planted ones are found, busy scenes are left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.events import drop_pixels, empty_events, hot_pixels, make_events, pixel_counts


def events_from_counts(counts):
    y, x = np.nonzero(counts)
    repeats = counts[y, x]
    x, y = np.repeat(x, repeats), np.repeat(y, repeats)
    return make_events(x, y, np.arange(len(x)), np.ones(len(x)))


def hot_by_hand(counts, factor):
    """The rule, pixel by pixel; the border is mirrored without repeating its own row."""
    height, width = counts.shape
    usual = np.median(counts[counts > 0])

    def mirror(i, n):
        i = abs(i)
        return 2 * (n - 1) - i if i >= n else i

    mask = np.zeros(counts.shape, bool)
    for y in range(height):
        for x in range(width):
            others = [
                counts[mirror(y + dy, height), mirror(x + dx, width)]
                for dy in range(-2, 3)
                for dx in range(-2, 3)
                if (dy, dx) != (0, 0)
            ]
            mask[y, x] = counts[y, x] >= factor * max(np.median(others), usual)
    return mask


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 14), st.integers(3, 14), st.integers(0, 2**32), st.sampled_from([1.5, 4.0, 10.0]))
def test_agrees_with_the_rule(height, width, seed, factor):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.choice([0.3, 3.0], (height, width)))
    counts[rng.integers(height), rng.integers(width)] += rng.integers(1, 60)
    events = events_from_counts(counts)
    mask = hot_pixels(events, (width, height), factor=factor)
    np.testing.assert_array_equal(mask, hot_by_hand(counts, factor))
    kept = drop_pixels(events, mask)
    np.testing.assert_array_equal(pixel_counts(kept, (width, height)), np.where(mask, 0, counts))


def test_planted_pixels_are_found_beside_a_busy_edge_and_nothing_else():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.5, (60, 80))
    counts[:, 38:42] = rng.poisson(90, (60, 4))  # an edge that swept here all the time
    planted = [(0, 0), (30, 40), (31, 40), (59, 79)]
    for y, x in planted:
        counts[y, x] = 5000
    mask = hot_pixels(events_from_counts(counts), (80, 60))
    assert [tuple(p) for p in np.argwhere(mask).tolist()] == planted


def test_uniform_noise_has_no_hot_pixel():
    counts = np.random.default_rng(1).poisson(0.05, (200, 200))
    assert not hot_pixels(events_from_counts(counts), (200, 200)).any()


def test_no_events_no_hot_pixels():
    assert hot_pixels(empty_events(), (6, 4)).shape == (4, 6)
    assert not hot_pixels(empty_events(), (6, 4)).any()


@pytest.mark.parametrize("factor", [1.0, 0.0, -3, np.nan, np.inf])
def test_a_factor_out_of_range_is_told(factor):
    with pytest.raises(ValueError, match="factor"):
        hot_pixels(empty_events(), (6, 4), factor=factor)


def test_what_does_not_fit_is_told():
    events = make_events([5], [1], [0], [1])
    with pytest.raises(ValueError, match="event 0"):
        hot_pixels(events, (5, 4))
    with pytest.raises(ValueError, match="outside"):
        drop_pixels(events, np.zeros((4, 5), bool))
    with pytest.raises(ValueError, match="mask"):
        drop_pixels(events, np.zeros((4, 6)))
