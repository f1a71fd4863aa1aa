"""Binning against the definition, written as a loop over the events."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.events import bin_events, centre_square, empty_events, make_events


def bin_by_hand(events, start, window, bins, size, crop):
    x0, y0, w, h = crop
    counts = np.zeros((bins, 2, size[1], size[0]), np.int64)
    for x, y, t, p in zip(*(events[name].tolist() for name in "xytp"), strict=True):
        b = (t - start) // window
        if 0 <= b < bins and x0 <= x < x0 + w and y0 <= y < y0 + h:
            counts[b, int(p), (y - y0) * size[1] // h, (x - x0) * size[0] // w] += 1
    return counts


@st.composite
def cases(draw):
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    n = draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    origin = draw(st.sampled_from([0, -1000, 1_605_537_493_718_345]))
    events = make_events(
        rng.integers(0, width, n),
        rng.integers(0, height, n),
        origin + rng.integers(-20, 120, n),
        rng.integers(0, 2, n),
    )
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    crop = (x0, y0, draw(st.integers(1, width - x0)), draw(st.integers(1, height - y0)))
    size = draw(st.one_of(st.none(), st.tuples(st.integers(1, 15), st.integers(1, 15))))
    start, window, bins = (
        origin + draw(st.integers(-30, 90)),
        draw(st.integers(1, 50)),
        draw(st.integers(1, 6)),
    )
    return events, (width, height), start, window, bins, size, draw(st.sampled_from([crop, None]))


@settings(max_examples=300, deadline=None)
@given(cases())
def test_agrees_with_the_definition(case):
    events, sensor, start, window, bins, size, crop = case
    counts = bin_events(events, sensor, start, window, bins, size=size, crop=crop)
    full = crop or (0, 0, *sensor)
    expected = bin_by_hand(events, start, window, bins, size or full[2:], full)
    assert counts.dtype == np.uint16
    np.testing.assert_array_equal(counts, expected)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_no_event_is_lost_or_counted_twice(case):
    events, sensor, _, window, _, size, _ = case
    if len(events):
        start = int(events["t"].min())
        bins = int(events["t"].max() - start) // window + 1
        counts = bin_events(events, sensor, start, window, bins, size=size)
        assert counts.sum() == len(events)
        assert counts[:, 1].sum() == events["p"].sum()
        finer = bin_events(events, sensor, start, 1, bins * window, size=size)
        np.testing.assert_array_equal(counts, finer.reshape(bins, window, *counts.shape[1:]).sum(1))


def test_a_bin_holds_its_begin_and_not_its_end():
    events = make_events([0] * 5, [0] * 5, [99, 100, 109, 110, 120], [1] * 5)
    counts = bin_events(events, (1, 1), 100, 10, 2)
    assert counts[:, 1, 0, 0].tolist() == [2, 1]


def test_channels_rows_and_columns_are_where_they_should_be():
    events = make_events([3, 0], [1, 2], [0, 0], [True, False])
    counts = bin_events(events, (5, 3), 0, 1, 1)
    assert counts.shape == (1, 2, 3, 5)
    assert np.argwhere(counts).tolist() == [[0, 0, 2, 0], [0, 1, 1, 3]]


def test_counts_saturate():
    events = make_events(np.zeros(70_000, int), np.zeros(70_000, int), np.zeros(70_000, int), np.ones(70_000))
    counts = bin_events(events, (2, 1), 0, 10, 1)
    assert counts[0, 1].tolist() == [[65_535, 0]]


def test_no_events_give_zeros():
    assert not bin_events(empty_events(), (4, 3), 0, 1000, 2, size=(2, 2)).any()


@pytest.mark.parametrize(
    ("sensor", "expected"), [((346, 260), (43, 0, 260, 260)), ((3, 8), (0, 2, 3, 3)), ((5, 5), (0, 0, 5, 5))]
)
def test_centre_square(sensor, expected):
    assert centre_square(sensor) == expected


ONE = make_events([3], [2], [0], [1])


@pytest.mark.parametrize(
    ("events", "arguments", "options", "message"),
    [
        (ONE, ((3, 3), 0, 1, 1), {}, r"event 0 lies at \(x, y\) = \(3, 2\)"),
        (ONE, ((4, 2), 0, 1, 1), {}, "outside the sensor"),
        (ONE, ((4, 3), 0, 0, 1), {}, "window_us"),
        (ONE, ((4, 3), 0, 1, 0), {}, "n_bins"),
        (ONE, ((0, 3), 0, 1, 1), {}, "sensor_size"),
        (ONE, ((4, 3), 0, 1, 1), {"size": (0, 1)}, "size"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (1, 0, 4, 3)}, "crop"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (-1, 0, 2, 2)}, "crop"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (0, 0, 0, 2)}, "crop"),
        (np.zeros((2, 4)), ((4, 3), 0, 1, 1), {}, "EVENT_DTYPE"),
    ],
)
def test_bad_arguments_are_told(events, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        bin_events(events, *arguments, **options)


def test_times_that_are_not_integers_are_refused():
    with pytest.raises(TypeError):
        bin_events(ONE, (4, 3), 0, 33.3, 1)


def test_an_event_left_of_or_above_the_sensor_is_told():
    events = ONE.copy()
    events["x"] = -1
    with pytest.raises(ValueError, match="outside"):
        bin_events(events, (4, 3), 0, 1, 1)
