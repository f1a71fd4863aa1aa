"""The event array: every number that goes in comes out as it was, or is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnkd.events import (
    EVENT_DTYPE,
    BackgroundActivityFilter,
    HotPixelFilter,
    RefractoryFilter,
    ToBins,
    ToCounts,
    ToWindows,
    as_events,
    background_activity_filter,
    bin_by_count,
    bin_by_span,
    bin_events,
    drop_pixels,
    empty_events,
    hot_pixels,
    make_events,
    refractory_filter,
)
from snnkd.events.augmentation import RandomAffine, drop_area, drop_random, drop_time
from snnkd.recordings import Window


def rows(events):
    return list(zip(*(events[name].tolist() for name in "xytp"), strict=True))


WHOLE = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint64, np.float32, np.float64, ">i4"]


@given(
    st.lists(st.tuples(st.integers(0, 127), st.integers(0, 127), st.integers(0, 127), st.integers(0, 1)), max_size=20),
    st.tuples(*[st.sampled_from(WHOLE)] * 4),
)
def test_whole_columns_of_any_type_come_out_as_they_were(events, types):
    columns = [np.array(column, dtype) for column, dtype in zip(np.reshape(events, (-1, 4)).T, types, strict=True)]
    made = make_events(*columns)
    assert made.dtype == EVENT_DTYPE
    assert rows(made) == events


def test_the_ends_of_what_fits_fit():
    times = [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1]
    made = make_events([0, 32767, 1, 2, 3], [32767, 0, 1, 2, 3], times, [True] * 5)
    assert made["t"].tolist() == times
    assert make_events([1.0], [2.0], [1.605537493718345e15], [1.0])["t"].tolist() == [1_605_537_493_718_345]
    assert make_events([], [], [], []).dtype == EVENT_DTYPE


def test_polarity_is_booleans_or_0_and_1_or_signs():
    for p in ([0, 1, 1], [-1, 1, 1], [False, True, True], [0.0, 1.0, 1.0], np.array([0, 1, 1], np.uint8)):
        assert make_events([0] * 3, [0] * 3, [0] * 3, p)["p"].tolist() == [False, True, True]
    assert make_events([0], [0], [0], [-1])["p"].tolist() == [False]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("t", [0.5, 0.7], r"t must be whole numbers, got 0.5 at index 0, .*np.round\(t \* 1e6\) of seconds"),
        ("t", [1.0, 1e-6], "1e-06 at index 1"),
        ("t", [0, np.nan], "nan at index 1"),
        ("t", [0, np.inf], "inf at index 1"),
        ("t", [0.0, 2.0**62], "beyond what float64 holds"),
        ("t", np.array([0, 3e7], np.float32), "beyond what float32 holds"),
        ("t", np.array([0, 2**63], np.uint64), f"t must lie in .*0..{2**63}"),
        ("t", [0, 2**64], "t must be whole numbers, got object"),
        ("t", np.array([0, 1], "M8[us]"), r"astype\('datetime64\[us\]'\).astype\('int64'\)"),
        ("t", np.array([0, 1], "m8[ns]"), r"timedelta64\[us\]"),
        ("t", ["5", "6"], "t must be whole numbers, got <U1"),
        ("t", [None, 1], "got object"),
        ("t", [1 + 0j, 0], "got complex128"),
        ("x", [1.9, 0], "x must be whole numbers, got 1.9 at index 0"),
        ("x", [0, 32768], "x must lie in 0..32767"),
        ("x", [-1, 0], "x must lie in 0..32767"),
        ("y", [0, 70_000], "y must lie in"),
        ("y", ["a", "b"], "y must be whole numbers"),
        ("y", np.array([0, 2**64 - 1], np.uint64), "y must lie in"),
        ("p", [0, np.nan], "got nan at index 1"),
        ("p", [0, 2], "p must be 0 and 1, −1 and 1, or booleans, got 2 at index 1"),
        ("p", [-1, 0], "got 0 at index 1"),
        ("p", [0.5, 1], "got 0.5"),
        ("p", [255, 1], "got 255"),
        ("p", ["on", "off"], "got <U3"),
    ],
)
def test_what_would_become_another_event_is_told(column, values, message):
    columns = {"x": [0, 0], "y": [0, 0], "t": [0, 0], "p": [0, 0], column: values}
    with pytest.raises(ValueError, match=message):
        make_events(**columns)


def test_columns_of_other_lengths_are_told():
    with pytest.raises(ValueError, match=r"equally long, got x\(2,\), y\(1,\)"):
        make_events([0, 1], [0], [0, 1], [0, 1])
    with pytest.raises(ValueError, match="one-dimensional"):
        make_events(*np.zeros((4, 2, 2), int))


# Types of tonic's datasets and of other readers; int there is int64.
LAYOUTS = {
    "DVSGesture": [("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")],
    "NMNIST, N-Caltech101, MVSEC": [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")],
    "CIFAR10-DVS, ASL-DVS, 3ET": [("t", "<i8"), ("x", "<i8"), ("y", "<i8"), ("p", "<i8")],
    "TUM-VIE": [("p", "<i8"), ("t", "<i8"), ("x", "<i8"), ("y", "<i8")],
    "NERDD": [("t", "<i4"), ("x", "<i2"), ("y", "<i2"), ("p", "?")],
    "DV": {
        "names": ["timestamp", "x", "y", "polarity"],
        "formats": ["<i8", "<i2", "<i2", "i1"],
        "offsets": [0, 8, 10, 12],
        "itemsize": 16,
    },
    "aedat": [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")],
    "big-endian, aligned": np.dtype([("x", ">i2"), ("y", ">i2"), ("t", ">i8"), ("p", "?")], align=True),
    "more fields": [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?"), ("weight", "<f4")],
}


def in_layout(events, layout):
    other = np.zeros(len(events), np.dtype(layout))
    for name in other.dtype.names:
        field = {"timestamp": "t", "polarity": "p", "on": "p"}.get(name, name)
        if field in EVENT_DTYPE.names:
            other[name] = events[field]
    return other


@pytest.fixture
def events():
    rng = np.random.default_rng(0)
    t = 1_000_000 + np.sort(rng.integers(0, 300_000, 500))
    return make_events(rng.integers(0, 12, 500), rng.integers(0, 9, 500), t, rng.integers(0, 2, 500))


SENSOR = (12, 9)
USES = [
    as_events,
    lambda e: bin_events(e, SENSOR, 1_000_000, 50_000, 6),
    lambda e: bin_by_span(e, SENSOR, 6),
    lambda e: bin_by_count(e, SENSOR, 60),
    lambda e: refractory_filter(e, SENSOR, 20_000),
    lambda e: background_activity_filter(e, SENSOR, 5_000),
    lambda e: hot_pixels(e, SENSOR, factor=2),
    lambda e: drop_pixels(e, np.eye(9, 12, dtype=bool)),
    lambda e: drop_time(e, 1_100_000, 50_000),
    lambda e: drop_area(e, (2, 2, 4, 4)),
    lambda e: drop_random(e, 0.5, np.random.default_rng(0)),
    RefractoryFilter(SENSOR, 20_000),
    BackgroundActivityFilter(SENSOR),
    HotPixelFilter(SENSOR),
    ToBins(SENSOR, 6),
    ToWindows(SENSOR, 50_000),
    ToCounts(SENSOR, 60),
    lambda e: RandomAffine(SENSOR)(e, 0),
    lambda e: RandomAffine(SENSOR)((e, None), 0)[0],
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_layouts_are_taken_by_their_names_wherever_events_are(events, layout):
    other = in_layout(events, LAYOUTS[layout])
    before = other.copy()
    for use in USES:
        result, expected = use(other), use(events)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(other, before)


def test_an_array_of_the_librarys_layout_is_itself():
    events = empty_events()
    assert as_events(events) is events
    view = make_events([1, 2], [1, 2], [1, 2], [1, 0])[::2]
    assert as_events(view) is view


def test_a_store_of_dv_is_taken_as_its_array():
    dv = pytest.importorskip("dv_processing")
    store = dv.EventStore()
    store.push_back(1_605_537_493_718_345, 3, 4, True)
    store.push_back(1_605_537_493_718_346, 5, 6, False)
    assert rows(as_events(store.numpy())) == [(3, 4, 1_605_537_493_718_345, True), (5, 6, 1_605_537_493_718_346, False)]
    with pytest.raises(ValueError, match=r"got EventStore: pass its .numpy\(\)"):
        as_events(store)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((2, 4)), r"EVENT_DTYPE, got float64 \(2, 4\); make_events\(a\[:, 0\]"),
        (np.zeros(3, [("x", "i2"), ("t", "i8"), ("p", "?")]), r"without y: \[\('x', '<i2'\)"),
        (np.zeros((2, 2), EVENT_DTYPE), r"\(2, 2\)"),
        (in_layout(make_events([1], [1], [1], [1]), [(n, "f8") for n in "xytp"])["x"], "got float64"),
        (np.array([(0, 0, 0.5, 1)], [(n, "f8") for n in "xytp"]), "events of .*t must be whole numbers, got 0.5"),
        (np.array([(0, -1, 0, 1)], [(n, "i8") for n in "xytp"]), "events of .*y must lie in"),
        (np.array([(0, 0, 2**63, 1)], [(n, "u8") for n in "xytp"]), "events of .*t must lie in"),
        (np.array([(0, 0, 0, 3)], [(n, "i8") for n in "xytp"]), "events of .*p must be 0 and 1"),
        (Window(0, 1, empty_events(), 0), "got Window: pass its .events"),
        ([1, 2], "got list"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_event_array_is_told_with_the_way_to_one(given, message):
    for use in (as_events, lambda e: bin_by_span(e, SENSOR, 2), lambda e: refractory_filter(e, SENSOR)):
        with pytest.raises(ValueError, match=message):
            use(given)


def test_a_recording_in_the_place_of_its_events_is_told():
    with pytest.raises(ValueError, match=r"got Window: pass \(recording.events, recording.frames\)"):
        RandomAffine(SENSOR)(Window(0, 1, empty_events(), 0))


def test_tonics_size_of_a_sensor_is_understood(events):
    for size in ((12, 9, 2), (12, 9, 1), np.array([12, 9]), [12, 9]):
        np.testing.assert_array_equal(bin_by_span(events, size, 3), bin_by_span(events, SENSOR, 3))
    for size in ((12, 9, 3), (12,), (12, 9, 2, 1), (0, 9)):
        with pytest.raises(ValueError, match=r"sensor_size must be \(W, H\)"):
            bin_by_span(events, size, 3)
