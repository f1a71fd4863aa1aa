"""EventDrop: what goes is what the way says, and as much as was drawn."""

import numpy as np
import pytest

from snnkd.events import make_events
from snnkd.events.augmentation import EventDrop, drop_area, drop_random, drop_time

SENSOR = (48, 36)


def index_of(kept, events):
    """Indices of the kept events; their times here are all different."""
    assert len(np.unique(events["t"])) == len(events)
    index = np.searchsorted(events["t"], kept["t"])
    np.testing.assert_array_equal(events[index], kept)
    return index


@pytest.fixture
def events():
    rng = np.random.default_rng(2)
    t = np.sort(rng.choice(1_000_000, 4000, replace=False))
    return make_events(rng.integers(0, 48, 4000), rng.integers(0, 36, 4000), t, rng.integers(0, 2, 4000))


def test_the_functions_drop_what_they_say():
    events = make_events([0, 1, 2, 3], [0, 1, 2, 3], [10, 20, 30, 40], [1, 1, 1, 1])
    assert drop_time(events, 20, 20)["t"].tolist() == [10, 40]
    assert drop_area(events, (1, 0, 2, 2))["t"].tolist() == [10, 30, 40]
    assert len(drop_random(events, 0.0, np.random.default_rng(0))) == 4
    assert len(drop_random(events, 1.0, np.random.default_rng(0))) == 0


@pytest.mark.parametrize("seed", range(20))
def test_time_leaves_out_one_stretch_of_the_share(events, seed):
    kept = index_of(EventDrop(SENSOR, seed, ways=("time",), time=(0.3, 0.3))(events), events)
    gone = np.setdiff1d(np.arange(4000), kept)
    assert (np.diff(gone) == 1).all()
    assert 0.25 < len(gone) / 4000 < 0.35


@pytest.mark.parametrize("seed", range(20))
def test_area_leaves_out_one_box_of_the_share(events, seed):
    kept = index_of(EventDrop(SENSOR, seed, ways=("area",), area=(0.25, 0.25))(events), events)
    gone = np.delete(events, kept)
    left, top = int(gone["x"].min()), int(gone["y"].min())
    assert np.ptp(gone["x"]) <= 11
    assert np.ptp(gone["y"]) <= 8
    stay = events[kept]
    inside = (stay["x"] >= left) & (stay["x"] < left + 12) & (stay["y"] >= top) & (stay["y"] < top + 9)
    assert inside.sum() == 0
    assert len(gone) / 4000 == pytest.approx(1 / 16, abs=0.02)


def test_random_leaves_out_the_share_all_over(events):
    kept = index_of(EventDrop(SENSOR, 1, ways=("random",), random=(0.4, 0.4))(events), events)
    for quarter in np.array_split(np.isin(np.arange(4000), kept), 4):
        assert quarter.mean() == pytest.approx(0.6, abs=0.06)


def test_each_way_is_as_likely_and_nothing_is_one_of_them(events):
    augment = EventDrop(SENSOR, 0, time=(1, 1), area=(1, 1), random=(0.5, 0.5))
    left = np.array([len(augment(events)) for _ in range(400)])
    assert (left == 4000).mean() == pytest.approx(1 / 4, abs=0.07)
    assert (left == 0).mean() == pytest.approx(2 / 4, abs=0.07)
    assert ((left > 1500) & (left < 2500)).mean() == pytest.approx(1 / 4, abs=0.07)


def test_functions_told_to_drop_what_cannot_be_say_so(events):
    rng = np.random.default_rng(0)
    for probability in (2, -0.1, float("nan"), "a"):
        with pytest.raises(ValueError, match="probability must be a number from 0 to 1"):
            drop_random(events, probability, rng)
    for box in ((0, 0, -3, 2), (0, 0, 3, -2), (0, 0, 3)):
        with pytest.raises(ValueError, match="box must be"):
            drop_area(events, box)
    with pytest.raises(ValueError, match="length_us"):
        drop_time(events, 0, -1)
    with pytest.raises(TypeError, match="start_us"):
        drop_time(events, 0.5, 1)


@pytest.mark.parametrize("way", ["time", "area", "random"])
def test_shares_reach_both_ends_of_their_range(events, way):
    augment = EventDrop(SENSOR, 0, ways=(way,), **{way: (0.2, 0.8)})
    shares = np.array([1 - len(augment(events)) / 4000 for _ in range(200)])
    shares = np.sqrt(shares) if way == "area" else shares
    assert 0.15 < shares.min() < 0.25
    assert 0.75 < shares.max() < 0.85


def test_events_of_one_time_can_be_dropped_by_time():
    events = make_events([1] * 5, [1] * 5, [9] * 5, [1] * 5)
    assert {len(EventDrop(SENSOR, seed, ways=("time",))(events)) for seed in range(20)} == {0, 5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ways": ()}, "ways"),
        ({"ways": ("space",)}, "ways"),
        ({"time": (0.5, 1.1)}, "time"),
        ({"area": (-0.1, 0.5)}, "area"),
        ({"random": (0.6, 0.5)}, "random"),
        ({"random": 0.5}, r"random must be \(low, high\) within 0 to 1, got 0.5; \(0.5, 0.5\) fixes it"),
    ],
)
def test_settings_out_of_range_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        EventDrop(SENSOR, 0, **options)
