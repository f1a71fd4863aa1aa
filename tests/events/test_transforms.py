"""The filters and binnings as transforms: what they give, and settings that are told when they are made."""

import pickle

import numpy as np
import pytest
import torch

from snnkd.errors import SnnkdWarning
from snnkd.events import (
    BackgroundActivityFilter,
    HotPixelFilter,
    RefractoryFilter,
    ToBins,
    ToCounts,
    ToWindows,
    bin_by_count,
    bin_by_span,
    bin_events,
    empty_events,
    make_events,
)
from snnkd.events.augmentation import Compose, TimeScale

SENSOR = (16, 12)


@pytest.fixture
def events():
    rng = np.random.default_rng(0)
    t = 5_000_000 + np.sort(rng.integers(0, 1_000_000, 3000))
    t[[0, -1]] = 5_000_000, 5_999_999
    return make_events(rng.integers(0, 16, 3000), rng.integers(0, 12, 3000), t, rng.integers(0, 2, 3000))


OPTIONS = {"size": (5, 4), "crop": (2, 0, 10, 12), "values": "counts", "channels": 1}


def test_each_is_its_function_with_float32(events):
    shuffled = events[np.random.default_rng(1).permutation(len(events))]
    for transform, expected in [
        (ToBins(SENSOR, 7, **OPTIONS), bin_by_span(events, SENSOR, 7, **OPTIONS)),
        (
            ToBins(SENSOR, 7, (5_100_000, 5_300_000), **OPTIONS),
            bin_by_span(events, SENSOR, 7, span_us=(5_100_000, 5_300_000), **OPTIONS),
        ),
        (
            ToWindows(SENSOR, 100_000, 4, 5_050_000, **OPTIONS),
            bin_events(events, SENSOR, 5_050_000, 100_000, 4, **OPTIONS),
        ),
        (ToWindows(SENSOR, 70_000, 4), bin_events(events, SENSOR, 5_000_000, 70_000, 4)),
        (ToWindows(SENSOR, 300_000, **OPTIONS), bin_events(events, SENSOR, 5_000_000, 300_000, 4, **OPTIONS)),
        (ToCounts(SENSOR, 400, **OPTIONS), bin_by_count(events, SENSOR, 400, **OPTIONS)),
    ]:
        for given in (events, shuffled):
            result = pickle.loads(pickle.dumps(transform))(given)
            assert result.dtype == np.float32
            if not isinstance(transform, ToCounts) or given is events:
                np.testing.assert_array_equal(result, expected)
        assert result.sum() == expected.sum()
        frames = (np.zeros((2, 12, 16), np.uint8), np.array([0, 1]))
        bins, same = transform((events, frames))
        np.testing.assert_array_equal(bins, expected)
        assert same[0] is not None


def test_torch_can_count_with_what_they_give(events):
    bins = torch.from_numpy(ToWindows(SENSOR, 250_000)(events))
    assert torch.nn.Conv2d(2, 3, 3)(bins).shape == (4, 3, 10, 14)
    assert bins.clamp(max=1).max() == 1


def test_without_a_number_of_windows_every_event_is_in_one(events):
    for window in (1_000_000, 999_999, 333_333, 1_001):
        bins = ToWindows(SENSOR, window)(events)
        assert bins.sum() == len(events)
        assert bins[-1].any()
    assert ToWindows(SENSOR, 10)(empty_events()).shape == (0, 2, 12, 16)
    assert ToWindows(SENSOR, 10, 3)(empty_events()).shape == (3, 2, 12, 16)
    assert ToWindows(SENSOR, 10_000, start_us=6_000_000)(events).shape == (0, 2, 12, 16)
    with pytest.raises(ValueError, match="is the clock right"):
        ToWindows(SENSOR, 1)(make_events([0, 0], [0, 0], [0, 2**60], [0, 0]))


def test_windows_keep_what_a_time_scale_did_and_parts_of_a_span_do_not(events):
    slower = TimeScale(SENSOR, 0, factor=(1.25, 1.25))
    windows = ToWindows(SENSOR, 125_000, 10)
    np.testing.assert_array_equal(windows(slower(events)), ToWindows(SENSOR, 100_000, 10)(events))
    assert not np.array_equal(windows(slower(events)), windows(events))
    assert ToBins(SENSOR, 8)(slower(events)).sum((1, 2, 3)) == pytest.approx(
        ToBins(SENSOR, 8)(events).sum((1, 2, 3)), abs=2
    )
    for row in (
        [slower, ToBins(SENSOR, 8)],
        [Compose([slower]), Compose([RefractoryFilter(SENSOR), ToBins(SENSOR, 8)])],
    ):
        with pytest.warns(SnnkdWarning, match="ToBins without span_us undoes the TimeScale"):
            Compose(row)
    Compose([ToWindows(SENSOR, 10), slower])
    Compose([slower, ToBins(SENSOR, 8, (0, 1_000_000))])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RefractoryFilter((0, "a"), -5), TypeError, "sensor_size"),
        (lambda: RefractoryFilter(SENSOR, -5), ValueError, "refractory_us must be 0 to"),
        (lambda: RefractoryFilter(SENSOR, 0.001), TypeError, r"refractory_us .*\(seconds × 1e6\).* got 0.001"),
        (lambda: BackgroundActivityFilter(10_000, SENSOR), TypeError, "sensor_size must be"),
        (lambda: BackgroundActivityFilter(SENSOR, 0.01), TypeError, "window_us"),
        (lambda: BackgroundActivityFilter(SENSOR, 10, 9), ValueError, "supporters"),
        (lambda: HotPixelFilter((0, 4)), ValueError, "sensor_size"),
        (lambda: HotPixelFilter(SENSOR, 1), ValueError, "factor"),
        (lambda: HotPixelFilter(SENSOR, "a"), ValueError, "factor"),
        (lambda: ToBins(SENSOR, -1), ValueError, "n_bins must be at least 1"),
        (lambda: ToBins(SENSOR, 8.0), TypeError, "n_bins"),
        (lambda: ToBins(SENSOR, 1, (5, 4)), ValueError, "span_us"),
        (lambda: ToBins(SENSOR, 1, values="x"), ValueError, "values"),
        (lambda: ToBins(SENSOR, 1, channels=3), ValueError, "channels"),
        (lambda: ToBins(SENSOR, 1, dtype="x"), ValueError, "dtype"),
        (lambda: ToBins(SENSOR, 1, crop=(0, 0, 17, 1)), ValueError, "crop"),
        (lambda: ToBins(SENSOR, 1, size=0), ValueError, "size"),
        (lambda: ToBins((0, 3), 1), ValueError, "sensor_size"),
        (lambda: ToWindows(SENSOR, 0.01), TypeError, "window_us"),
        (lambda: ToWindows(SENSOR, 0), ValueError, "window_us"),
        (lambda: ToWindows(SENSOR, 1, 0), ValueError, "n_bins"),
        (lambda: ToWindows(SENSOR, 1, 1, 0.5), TypeError, "start_us"),
        (lambda: ToCounts(SENSOR, 0), ValueError, "events_per_bin"),
        (lambda: ToCounts(SENSOR, 5e4), TypeError, "events_per_bin"),
    ],
)
def test_settings_are_told_when_the_transform_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()
