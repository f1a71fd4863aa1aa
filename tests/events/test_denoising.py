"""The refractory and the background-activity filter against their rules, written as loops over all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.events import (
    EVENT_DTYPE,
    BackgroundActivityFilter,
    RefractoryFilter,
    background_activity_filter,
    bin_events,
    empty_events,
    make_events,
    refractory_filter,
)


@st.composite
def streams(draw):
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    n = draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    origin = draw(st.sampled_from([0, -150, 1_605_537_493_718_345, -(2**63) + 1]))
    t = origin + np.sort(rng.integers(0, draw(st.sampled_from([5, 300])), n))
    if n > 1 and draw(st.booleans()):
        t[-1] = 2**63 - 1  # further from the first than an int64 can say
    events = make_events(rng.integers(0, width, n), rng.integers(0, height, n), t, rng.integers(0, 2, n))
    return events, (width, height)


def rows(events):
    return [tuple(event) for event in events.tolist()]


@settings(max_examples=300, deadline=None)
@given(streams(), st.one_of(st.integers(0, 40), st.just(2**63 - 1)))
def test_refractory_agrees_with_the_rule(stream, period):
    events, sensor = stream
    kept = []
    for x, y, t, p in rows(events):
        if all(t - before >= period for u, v, before, _ in kept if (u, v) == (x, y)):
            kept.append((x, y, t, p))
    result = refractory_filter(events, sensor, period)
    assert result.dtype == EVENT_DTYPE
    assert rows(result) == kept


@settings(max_examples=300, deadline=None)
@given(streams(), st.one_of(st.integers(0, 40), st.just(2**63 - 1)), st.integers(1, 8))
def test_background_activity_agrees_with_the_rule(stream, window, supporters):
    events, sensor = stream
    every = rows(events)
    kept = []
    for i, (x, y, t, p) in enumerate(every):
        near = {(u, v) for u, v, before, _ in every[:i] if max(abs(u - x), abs(v - y)) == 1 and t - before <= window}
        if len(near) >= supporters:
            kept.append((x, y, t, p))
    result = background_activity_filter(events, sensor, window, supporters=supporters)
    assert result.dtype == EVENT_DTYPE
    assert rows(result) == kept


def test_noise_goes_and_a_moving_edge_stays():
    rng = np.random.default_rng(3)
    width, height = 120, 80
    column = np.repeat(np.arange(width), height)  # a vertical edge that moves on by a column each 2 ms
    edge_t = column * 2000 + rng.integers(0, 400, len(column))
    noise = 2000
    x = np.concatenate([column, rng.integers(0, width, noise)])
    y = np.concatenate([np.tile(np.arange(height), width), rng.integers(0, height, noise)])
    t = np.concatenate([edge_t, rng.integers(0, width * 2000, noise)])
    of_edge = np.concatenate([np.ones(len(column)), np.zeros(noise)])
    order = np.argsort(t, kind="stable")
    events = make_events(x[order], y[order], t[order], of_edge[order])
    kept = background_activity_filter(events, (width, height), 2500)
    assert (kept["p"]).sum() > 0.97 * len(column)
    assert (~kept["p"]).sum() < 0.1 * noise


def test_a_hot_pixel_is_slowed_to_the_refractory_rate_and_what_was_given_stays():
    events = make_events(np.zeros(1000), np.zeros(1000), 10 * np.arange(1000), np.ones(1000))
    before = events.copy()
    kept = refractory_filter(events, (3, 3), 95)
    assert np.diff(kept["t"]).tolist() == [100] * 99
    assert bin_events(kept, (3, 3), 0, 10_000, 1)[0, 1, 0, 0] == 100
    np.testing.assert_array_equal(events, before)


FILTERS = [refractory_filter, background_activity_filter]


@pytest.mark.parametrize("filter_", FILTERS)
def test_no_events_stay_none(filter_):
    assert len(filter_(empty_events(), (4, 3), 10)) == 0


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize(
    ("events", "period", "error", "message"),
    [
        (make_events([1, 4], [0, 0], [0, 1], [0, 0]), 1, ValueError, r"event 1 lies at \(x, y\) = \(4, 0\)"),
        (make_events([1, 2], [3, 0], [0, 1], [0, 0]), 1, ValueError, "event 0 lies at"),
        (make_events([1, 2, 3], [0, 0, 0], [5, 8, 7], [0, 0, 0]), 1, ValueError, "event 2 is at 7 µs after 8 µs"),
        (empty_events(), -1, ValueError, "_us must be"),
        (empty_events(), 2**63, ValueError, "_us must be"),
        (empty_events(), 1.5, TypeError, r"_us must be a whole number of microseconds \(seconds × 1e6\), .* got 1.5"),
        (np.zeros((2, 4)), 1, ValueError, "EVENT_DTYPE"),
    ],
)
def test_what_does_not_fit_is_told(filter_, events, period, error, message):
    with pytest.raises(error, match=message):
        filter_(events, (4, 3), period)


def test_the_functions_have_the_transforms_defaults():
    events = make_events([0] * 4, [0] * 4, [0, 999, 1000, 1999], [1] * 4)
    np.testing.assert_array_equal(refractory_filter(events, (2, 1)), RefractoryFilter((2, 1))(events))
    assert refractory_filter(events, (2, 1))["t"].tolist() == [0, 1000]
    events = make_events([0, 1, 0], [0, 0, 0], [0, 10_000, 20_001], [1] * 3)
    np.testing.assert_array_equal(background_activity_filter(events, (2, 1)), BackgroundActivityFilter((2, 1))(events))
    assert background_activity_filter(events, (2, 1))["t"].tolist() == [10_000]


def test_dead_time_is_not_prolonged_as_tonics_is():
    tonic = pytest.importorskip("tonic")
    t = 1000 * np.arange(1, 101)  # faster than the period of 2.5 ms
    events = make_events(np.zeros(100), np.zeros(100), t, np.ones(100))
    assert refractory_filter(events, (1, 1), 2500)["t"].tolist() == t[::3].tolist()
    assert tonic.transforms.RefractoryPeriod(2500)(events)["t"].tolist() == [1000]
    # An interval of just the period stays here, and goes there.
    assert len(refractory_filter(events, (1, 1), 1000)) == 100
    assert len(tonic.transforms.RefractoryPeriod(1000)(events)) == 1
    early = make_events([0], [0], [0], [1])
    assert len(refractory_filter(early, (1, 1), 1000)) == 1
    assert len(tonic.transforms.RefractoryPeriod(1000)(early)) == 0


@pytest.mark.parametrize("supporters", [0, 9])
def test_a_number_of_supporters_out_of_range_is_told(supporters):
    with pytest.raises(ValueError, match="supporters"):
        background_activity_filter(empty_events(), (4, 3), 1, supporters=supporters)
