"""Binning against the definition, written as a loop over the events."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnkd.errors import SnnkdWarning
from snnkd.events import _layout, bin_by_count, bin_by_span, bin_events, centre_square, empty_events, make_events


def count_by_hand(events, which, bins, size, crop):
    """``which`` gives the bin of an event by its index and time, None for no bin."""
    x0, y0, w, h = crop
    counts = np.zeros((bins, 2, size[1], size[0]), np.int64)
    for i, (x, y, t, p) in enumerate(zip(*(events[name].tolist() for name in "xytp"), strict=True)):
        b = which(i, t)
        if b is not None and 0 <= b < bins and x0 <= x < x0 + w and y0 <= y < y0 + h:
            counts[b, int(p), (y - y0) * size[1] // h, (x - x0) * size[0] // w] += 1
    return counts


def bin_by_hand(events, start, window, bins, size, crop):
    return count_by_hand(events, lambda _, t: (t - start) // window, bins, size, crop)


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def thread_count(request, monkeypatch):
    """With three, every call is cut into tasks, however small it is."""
    monkeypatch.setattr(_layout, "threads", lambda: request.param)
    monkeypatch.setattr(_layout, "MIN_PARALLEL", 0)


@st.composite
def cases(draw):
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    n = draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    origin = draw(st.sampled_from([0, -1000, 1_605_537_493_718_345]))
    t = origin + rng.integers(-20, 120, n)
    if draw(st.booleans()):
        t = np.sort(t)
    events = make_events(rng.integers(0, width, n), rng.integers(0, height, n), t, rng.integers(0, 2, n))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    crop = (x0, y0, draw(st.integers(1, width - x0)), draw(st.integers(1, height - y0)))
    size = draw(st.one_of(st.none(), st.tuples(st.integers(1, 15), st.integers(1, 15))))
    start, window, bins = (
        origin + draw(st.integers(-30, 90)),
        draw(st.integers(1, 50)),
        draw(st.integers(1, 6)),
    )
    return events, (width, height), start, window, bins, size, draw(st.sampled_from([crop, None]))


many = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(cases())
def test_agrees_with_the_definition(thread_count, case):
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


@many
@given(cases(), st.integers(1, 12), st.booleans())
def test_a_number_of_bins_over_the_span_agrees_with_the_definition(thread_count, case, bins, given_span):
    events, sensor, start, window, _, size, crop = case
    first, last = start, start + 2 * window
    if not given_span:
        first, last = (int(events["t"].min()), int(events["t"].max())) if len(events) else (0, 0)

    def which(_, t):
        if not first <= t <= last:
            return None
        return min((t - first) * bins // (last - first), bins - 1) if last > first else bins - 1

    span = (first, last) if given_span else None
    counts = bin_by_span(events, sensor, bins, span_us=span, size=size, crop=crop)
    full = crop or (0, 0, *sensor)
    np.testing.assert_array_equal(counts, count_by_hand(events, which, bins, size or full[2:], full))
    if crop is None and not given_span:
        assert counts.sum() == len(events)


@many
@given(cases(), st.integers(1, 70))
def test_bins_of_equal_counts_agree_with_the_definition(thread_count, case, per_bin):
    events, sensor, _, _, _, size, crop = case
    counts = bin_by_count(events, sensor, per_bin, size=size, crop=crop)
    bins = -(-len(events) // per_bin)
    full = crop or (0, 0, *sensor)
    assert len(counts) == bins
    np.testing.assert_array_equal(
        counts, count_by_hand(events, lambda i, _: i // per_bin, bins, size or full[2:], full)
    )
    if crop is None:
        assert counts.sum((1, 2, 3)).tolist() == [min(per_bin, len(events) - per_bin * b) for b in range(bins)]


@many
@given(cases())
def test_binary_and_one_channel_follow_from_the_counts(thread_count, case):
    events, sensor, start, window, bins, size, crop = case

    def calls(**kind):
        options = {"size": size, "crop": crop, **kind}
        yield bin_events(events, sensor, start, window, bins, **options)
        yield bin_by_span(events, sensor, bins, **options)
        yield bin_by_count(events, sensor, window, **options)

    for counts, binary, one, both in zip(
        calls(), calls(values="binary"), calls(channels=1), calls(values="binary", channels=1), strict=True
    ):
        assert (binary.dtype, one.dtype, both.dtype) == (np.uint8, np.uint16, np.uint8)
        np.testing.assert_array_equal(binary, counts > 0)
        np.testing.assert_array_equal(one, counts.sum(1, keepdims=True))
        np.testing.assert_array_equal(both, one > 0)


def test_the_last_edge_of_a_span_is_closed_and_the_others_are_open_on_the_right():
    t = [0, 4, 5, 9, 10]
    counts = bin_by_span(make_events([0] * 5, [0] * 5, t, [0] * 5), (1, 1), 2)
    assert counts.sum((1, 2, 3)).tolist() == [2, 3]
    counts = bin_by_span(make_events([0] * 5, [0] * 5, t, [0] * 5), (1, 1), 2, span_us=(0, 9))
    assert counts.sum((1, 2, 3)).tolist() == [2, 2]


def test_events_of_one_time_are_in_the_last_bin_of_their_span():
    counts = bin_by_span(make_events([0] * 4, [0] * 4, [7] * 4, [0] * 4), (1, 1), 3)
    assert counts.sum((1, 2, 3)).tolist() == [0, 0, 4]


def test_a_span_may_be_as_long_as_time_is():
    far = 2**62
    events = make_events([0] * 3, [0] * 3, [0, far // 2, far], [1] * 3)
    counts = bin_by_span(events, (1, 1), 1000)
    assert np.flatnonzero(counts.sum((1, 2, 3))).tolist() == [0, 500, 999]


def test_no_events_give_no_bins_by_count_and_zeros_by_span():
    assert bin_by_count(empty_events(), (4, 3), 10).shape == (0, 2, 3, 4)
    assert not bin_by_span(empty_events(), (4, 3), 5, values="binary").any()
    assert bin_by_span(empty_events(), (4, 3), 5, channels=1).shape == (5, 1, 3, 4)


def test_many_events_in_bursts_are_the_same_on_any_number_of_threads(monkeypatch):
    rng = np.random.default_rng(0)
    n = 200_000
    t = np.sort((1_000_000 * rng.beta(0.4, 3, n)).astype(np.int64))
    events = make_events(rng.integers(0, 64, n), rng.integers(0, 48, n), t, rng.integers(0, 2, n))
    results = []
    for count in (1, 2, 5):
        monkeypatch.setattr(_layout, "threads", lambda count=count: count)
        results.append([bin_by_span(events, (64, 48), 100), bin_by_span(events[rng.permutation(n)], (64, 48), 100)])
    expected = np.zeros((100, 2, 48, 64), int)
    first, last = int(t[0]), int(t[-1])
    place = (np.minimum((t - first) * 100 // (last - first), 99), events["p"].astype(int), events["y"], events["x"])
    np.add.at(expected, place, 1)
    for ordered, shuffled in results:
        np.testing.assert_array_equal(ordered, expected)
        np.testing.assert_array_equal(shuffled, expected)


@pytest.mark.parametrize("index", [0, 37, 99])
def test_one_event_in_disorder_or_outside_is_found_wherever_it_is(thread_count, index):
    events = make_events(np.zeros(100), np.zeros(100), 10 * np.arange(100), np.zeros(100))
    moved = events.copy()
    moved["t"][index] = 505
    counts = bin_events(moved, (1, 1), 0, 10, 100)[:, 0, 0, 0]
    expected = np.ones(100)
    expected[index] -= 1
    expected[50] += 1
    np.testing.assert_array_equal(counts, expected)
    moved = events.copy()
    moved["y"][index] = -1
    for bins in (
        lambda: bin_events(moved, (1, 1), 300, 10, 5),
        lambda: bin_by_span(moved, (1, 1), 7, span_us=(300, 400)),
        lambda: bin_by_count(moved, (1, 1), 7),
    ):
        with pytest.raises(ValueError, match=f"event {index} lies at"):
            bins()


def test_what_is_binned_may_be_read_only_and_strided_and_stays_as_it_is():
    events = make_events(np.arange(40) % 4, np.arange(40) % 3, np.arange(40), np.arange(40) % 2)
    events.flags.writeable = False
    before = events.copy()
    whole = bin_by_span(events, (4, 3), 4)
    assert whole.sum() == 40
    assert bin_by_span(events[::2], (4, 3), 4).sum() == 20
    np.testing.assert_array_equal(bin_by_span(events[::-1], (4, 3), 4), whole)
    np.testing.assert_array_equal(events, before)


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
    with pytest.warns(SnnkdWarning, match="a pixel of bin 0 has 65535 events or more, where uint16 stops counting"):
        counts = bin_events(events, (2, 1), 0, 10, 1)
    assert counts[0, 1].tolist() == [[65_535, 0]]
    with pytest.warns(SnnkdWarning, match="bin 0 has 32767 .* int16 .*2 such bins"):
        counts = bin_by_count(events, (2, 1), 35_000, dtype=np.int16)
    assert counts[:, 1].max() == 32_767
    with pytest.warns(SnnkdWarning, match="bin 2 has 255 .* uint8"):
        counts = bin_by_span(events, (2, 1), 3, channels=1, dtype="uint8")
    assert counts.ravel().tolist() == [0, 0, 0, 0, 255, 0]
    for dtype in ("int32", "float32"):
        assert bin_events(events, (2, 1), 0, 10, 1, dtype=dtype)[0, 1].tolist() == [[70_000, 0]]
    assert bin_events(events, (2, 1), 0, 10, 1, values="binary").sum() == 1


@many
@given(cases(), st.sampled_from(["uint8", "int16", "int32", "float32"]))
def test_another_type_holds_the_same(thread_count, case, dtype):
    events, sensor, start, window, bins, size, crop = case
    options = {"size": size, "crop": crop}
    for values in ("counts", "binary"):
        counts = bin_events(events, sensor, start, window, bins, values=values, **options)
        other = bin_events(events, sensor, start, window, bins, values=values, dtype=dtype, **options)
        assert other.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(other, counts)


@pytest.mark.parametrize("dtype", ["float64", "complex64", "no", np.dtype(">u2"), torch.float32])
def test_a_type_that_bins_cannot_have_is_told(dtype):
    with pytest.raises(ValueError, match="dtype must be one of uint8, uint16"):
        bin_events(ONE, (4, 3), 0, 1, 1, dtype=dtype)


def test_one_number_is_a_square():
    np.testing.assert_array_equal(bin_by_count(ONE, (4, 3), 1, size=2), bin_by_count(ONE, (4, 3), 1, size=(2, 2)))


def test_images_larger_than_the_crop_have_places_that_none_reaches():
    y, x = np.mgrid[:4, :4].reshape(2, -1)
    counts = bin_events(make_events(x, y, np.zeros(16), np.ones(16)), (4, 4), 0, 1, 1, size=8)
    assert counts[0, 1].astype(bool).sum() == counts.sum() == 16


EPOCH = 1_605_537_493_718_345


def test_bins_far_from_every_event_are_told():
    events = make_events([0] * 100, [0] * 100, EPOCH + 1000 * np.arange(100), [1] * 100)
    with pytest.warns(SnnkdWarning, match=f"no event is in the bins from 0 to 200000 µs.*from {EPOCH} to"):
        assert not bin_events(events, (1, 1), 0, 10_000, 20).any()
    with pytest.warns(SnnkdWarning, match="no event is in the bins"):
        bin_events(events[::-1], (1, 1), 2 * EPOCH, 10_000, 20)
    with pytest.warns(SnnkdWarning, match="no event is in the bins"):
        bin_by_span(events, (1, 1), 5, span_us=(0, 99_000))
    with pytest.warns(SnnkdWarning, match="longer than a day: are start_us and window_us in each other's place"):
        bin_events(events, (1, 1), 10_000, EPOCH, 20)
    # What is near, or between events, is a pause of the recording; one long bin is all that there is.
    for start in (EPOCH - 200_000, EPOCH + 300_000):
        assert not bin_events(events, (1, 1), start, 10_000, 5).any()
    assert not bin_events(events[[0, -1]], (1, 1), EPOCH + 50_000, 1, 1).any()
    assert bin_events(events, (1, 1), 0, 2 * EPOCH, 1).sum() == 100
    assert not bin_events(empty_events(), (1, 1), 0, 10_000, 20).any()


@pytest.mark.parametrize("t", [[0, 2**63 - 1], [2**63 - 1], [-(2**63), 0], [0, -(2**63), 1]])
def test_times_beyond_what_a_span_can_be_are_told_as_the_events(t):
    events = make_events([0] * len(t), [0] * len(t), t, [1] * len(t))
    with pytest.raises(ValueError, match=r"the events' times reach from .* is the clock right"):
        bin_by_span(events, (1, 1), 3)
    with pytest.raises(ValueError, match="span_us reaches from"):
        bin_by_span(events, (1, 1), 3, span_us=(0, 2**63 - 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: bin_events(ONE, (4, 3), 0, 10000.0, 1),
            r"window_us must be a whole number of microseconds .* 10000.0",
        ),
        (lambda: bin_events(ONE, (4, 3), 0.5, 10, 1), "start_us must be"),
        (lambda: bin_events(ONE, (4, 3), 0, 10, 1.0), "n_bins must be"),
        (lambda: bin_by_count(ONE, (4, 3), 5e4), "events_per_bin must be a whole number, as an int, got 50000.0"),
        (lambda: bin_by_span(ONE, (4, 3), 8.0), "n_bins must be"),
        (lambda: bin_by_span(ONE, (4, 3), 8, span_us=(0, 0.5)), "span_us must be"),
        (lambda: bin_by_span(ONE, (4, 3), 8, span_us=5), "span_us must be"),
        (lambda: bin_events(ONE, 4, 0, 1, 1), r"sensor_size must be \(W, H\)"),
        (lambda: bin_events(ONE, (4.0, 3), 0, 1, 1), "sensor_size must be"),
        (lambda: bin_events(ONE, (4, 3), 0, 1, 1, size=2.5), "size must be"),
        (lambda: bin_events(ONE, (4, 3), 0, 1, 1, size="ab"), "size must be"),
        (lambda: bin_events(ONE, (4, 3), 0, 1, 1, crop=3), "crop must be"),
        (lambda: centre_square("4x3"), "sensor_size must be"),
    ],
)
def test_a_wrong_type_is_told_with_the_arguments_name(call, message):
    with pytest.raises(TypeError, match=message):
        call()


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
        (ONE, ((4, 3), 0, 1, 1), {"size": 0}, "size"),
        (ONE, ((4, 3), 0, 1, 1), {"size": (3, 3, 2)}, "size"),
        (ONE, ((4, 3, 3), 0, 1, 1), {}, "sensor_size"),
        (ONE, ((4,), 0, 1, 1), {}, "sensor_size"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (0, -1, 2, 2)}, "crop"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (0, 2, 2, 2)}, "crop"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (0, 0, 2)}, "crop"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (1, 0, 4, 3)}, "crop"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (-1, 0, 2, 2)}, "crop"),
        (ONE, ((4, 3), 0, 1, 1), {"crop": (0, 0, 0, 2)}, "crop"),
        (np.zeros((2, 4)), ((4, 3), 0, 1, 1), {}, "EVENT_DTYPE"),
    ],
)
def test_bad_arguments_are_told(events, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        bin_events(events, *arguments, **options)


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        (lambda: bin_by_span(ONE, (4, 3), 0), "n_bins"),
        (lambda: bin_by_span(ONE, (4, 3), 1, span_us=(5, 4)), "span_us"),
        (lambda: bin_by_span(ONE, (4, 3), 1, values="sum"), "values"),
        (lambda: bin_by_span(ONE, (4, 3), 1, channels=3), "channels"),
        (lambda: bin_by_count(ONE, (4, 3), 0), "events_per_bin"),
        (lambda: bin_by_count(ONE, (3, 3), 1), "outside the sensor"),
        (lambda: bin_events(ONE, (4, 3), 2**63 - 5, 3, 2), "64 bits"),
    ],
)
def test_bad_arguments_of_the_other_ways_are_told(bins, message):
    with pytest.raises(ValueError, match=message):
        bins()


def test_times_that_are_not_integers_are_refused():
    with pytest.raises(TypeError):
        bin_events(ONE, (4, 3), 0, 33.3, 1)


def test_an_event_left_of_or_above_the_sensor_is_told():
    events = ONE.copy()
    events["x"] = -1
    with pytest.raises(ValueError, match="outside"):
        bin_events(events, (4, 3), 0, 1, 1)


def test_on_a_sensor_larger_than_the_type_a_negative_coordinate_is_still_outside():
    events = make_events([3], [0], [0], [1])
    assert bin_events(events, (65_536, 1), 0, 1, 1)[0, 1, 0, 3] == 1
    events["x"] = -1
    with pytest.raises(ValueError, match="outside"):
        bin_events(events, (65_536, 1), 0, 1, 1)
