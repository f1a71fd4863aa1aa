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
    """The rule, pixel by pixel."""
    height, width = counts.shape
    usual = np.median(counts[counts > 0])

    mask = np.zeros(counts.shape, bool)
    for y in range(height):
        for x in range(width):
            others = [
                counts[v, u]
                for v in range(max(y - 2, 0), min(y + 3, height))
                for u in range(max(x - 2, 0), min(x + 3, width))
                if (v, u) != (y, x)
            ]
            others = sorted(others, reverse=True) or [0]
            mask[y, x] = counts[y, x] >= factor * max(others[max(int(np.ceil(len(others) / 8)) - 1, 0)], usual)
    return mask


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 14), st.integers(1, 14), st.integers(0, 2**32), st.sampled_from([1.5, 4.0, 10.0]))
def test_agrees_with_the_rule(height, width, seed, factor):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.choice([0.3, 3.0], (height, width)))
    for _ in range(rng.integers(1, 6)):
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


@pytest.mark.parametrize("background", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("way", ["column", "row", "diagonal", "ring"])
def test_an_active_edge_however_thin_is_no_row_of_hot_pixels(width, way, background):
    rng = np.random.default_rng(width)
    row, column = np.mgrid[:60, :80]
    edge = {
        "column": (column >= 40) & (column < 40 + width),
        "row": (row >= 30) & (row < 30 + width),
        "diagonal": (column - row >= 3) & (column - row < 3 + width),
        "ring": np.abs(np.hypot(row - 30, column - 40) - 20) < width / 2,
    }[way]
    counts = rng.poisson(np.where(edge, 90, background))
    assert not hot_pixels(events_from_counts(counts), (80, 60)).any()
    counts[10, 10], counts[20, 70], counts[20, 71] = 30_000, 20_000, 25_000
    assert np.argwhere(hot_pixels(events_from_counts(counts), (80, 60))).tolist() == [[10, 10], [20, 70], [20, 71]]


def test_a_line_that_ends_in_the_open_loses_its_last_pixels_at_most():
    counts = np.random.default_rng(2).poisson(0.5, (60, 80))
    counts[20:40, 33] = 90
    assert set(map(tuple, np.argwhere(hot_pixels(events_from_counts(counts), (80, 60))).tolist())) <= {
        (20, 33),
        (39, 33),
    }


@pytest.mark.parametrize("corner", [(0, 0), (0, 30), (1, 1), (30, 40), (58, 78)])
def test_a_glint_of_four_pixels_is_the_scenes_and_up_to_three_pixels_are_defects(corner):
    y, x = corner
    counts = np.random.default_rng(3).poisson(5, (60, 80))
    counts[y : y + 2, x : x + 2] = 400
    assert not hot_pixels(events_from_counts(counts), (80, 60)).any()
    if 2 <= y < 57:
        counts[y, x] = 5
        assert hot_pixels(events_from_counts(counts), (80, 60)).sum() == 3


def test_a_pixel_is_not_among_its_own_others_at_the_border():
    counts = np.full((8, 8), 1)
    counts[1, 1] = 50
    assert np.argwhere(hot_pixels(events_from_counts(counts), (8, 8))).tolist() == [[1, 1]]


def test_uniform_noise_has_no_hot_pixel():
    counts = np.random.default_rng(1).poisson(0.05, (200, 200))
    assert not hot_pixels(events_from_counts(counts), (200, 200)).any()


def test_no_events_no_hot_pixels():
    assert hot_pixels(empty_events(), (6, 4)).shape == (4, 6)
    assert not hot_pixels(empty_events(), (6, 4)).any()


@pytest.mark.parametrize("factor", [1.0, 0.0, -3, np.nan, np.inf, "x", None])
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
