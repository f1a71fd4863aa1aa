"""Injected hot pixels: like clockwork, one polarity each, and found by the filter."""

import numpy as np
import pytest

from snnkd.events import HotPixelFilter, hot_pixels, make_events, pixel_counts
from snnkd.events.augmentation import HotPixels, hot_pixel_events

SENSOR = (48, 36)


def test_one_fires_like_clockwork_until_the_end():
    events = hot_pixel_events((3, 4), 1000, 2000, 4000.0, 0.5, True)
    assert events["t"].tolist() == [1125, 1375, 1625, 1875]
    assert set(zip(events["x"].tolist(), events["y"].tolist(), strict=True)) == {(3, 4)}
    assert events["p"].all()
    assert hot_pixel_events((0, 0), 0, 1000, 3000.0, 0.0, False)["t"].tolist() == [0, 333, 666, 1000]


@pytest.mark.parametrize("seed", range(10))
def test_as_many_as_drawn_each_elsewhere_with_one_polarity(events, seed):
    result = HotPixels(SENSOR, seed, pixels=(5, 5), rate_hz=(500, 2000))(events)
    added = pixel_counts(result, SENSOR) - pixel_counts(events, SENSOR)
    assert (added > 0).sum() == 5
    assert added.min() == 0
    assert ((added[added > 0] > 490) & (added[added > 0] < 2010)).all()
    for y, x in np.argwhere(added):
        here = (result["x"] == x) & (result["y"] == y)
        before = (events["x"] == x) & (events["y"] == y)
        on = int(result["p"][here].sum()) - int(events["p"][before].sum())
        assert on in (0, added[y, x])


def test_they_are_what_the_filter_finds(events):
    result = HotPixels(SENSOR, 7, pixels=(3, 3), rate_hz=(1000, 1000))(events)
    added = pixel_counts(result, SENSOR) - pixel_counts(events, SENSOR)
    np.testing.assert_array_equal(hot_pixels(result, SENSOR), added > 0)
    cleaned = HotPixelFilter(SENSOR)(result)
    assert len(events) - 30 < len(cleaned) <= len(events)


def test_every_pixel_of_a_sensor_can_be_one():
    events = make_events([0], [0], [0], [0])
    events = np.concatenate([events, make_events([0], [0], [100_000], [0])])
    result = HotPixels((3, 2), 0, pixels=(6, 6), rate_hz=(1000, 1000))(events)
    assert (pixel_counts(result, (3, 2)) >= 100).all()


def test_their_number_and_polarity_vary(events):
    augment = HotPixels(SENSOR, 0, pixels=(0, 3), rate_hz=(3000, 3000))
    numbers = []
    for _ in range(60):
        added = augment(events)
        numbers.append(round((len(added) - len(events)) / 3000))
    assert set(numbers) == {0, 1, 2, 3}


def test_rates_are_uniform_in_their_logarithm_and_phases_in_their_interval():
    events = make_events([0, 0], [0, 0], [0, 10_000_000], [0, 0])
    augment = HotPixels(SENSOR, 0, pixels=(1, 1), rate_hz=(10, 1000))
    rates, phases = [], []
    for _ in range(300):
        times = np.sort(augment(events)["t"])[1:-1]
        interval = (times[-1] - times[0]) / (len(times) - 1)
        rates.append(1e6 / interval)
        phases.append(times[0] / interval)
    logarithms = np.log10(rates)
    assert 1 <= logarithms.min() < 1.05
    assert 2.95 < logarithms.max() <= 3
    # Uniform between 1 and 3: a third of them in each third (drawn uniformly in the rate, 2 % were in the first).
    assert np.histogram(logarithms, 3, (1, 3))[0] / 300 == pytest.approx(np.full(3, 1 / 3), abs=0.1)
    assert np.histogram(phases, 3, (0, 1))[0] / 300 == pytest.approx(np.full(3, 1 / 3), abs=0.1)


@pytest.mark.parametrize(
    ("rate", "phase", "message"),
    [
        (0.0, 0.0, "rate_hz"),
        (-5.0, 0.0, "rate_hz"),
        (float("nan"), 0.0, "rate_hz"),
        (5.0, 1.0, "phase"),
        (5.0, -0.1, "phase"),
    ],
)
def test_the_function_tells_of_a_rate_or_a_phase_that_cannot_be(rate, phase, message):
    with pytest.raises(ValueError, match=message):
        hot_pixel_events((0, 0), 0, 1000, rate, phase, True)


def test_a_damaged_clock_does_not_fill_the_memory():
    events = make_events([0, 0], [0, 0], [0, 2**60], [0, 0])
    with pytest.raises(ValueError, match="is the clock right"):
        HotPixels(SENSOR, 0, pixels=(1, 1))(events)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pixels": (-1, 2)}, "pixels"),
        ({"pixels": (0, 48 * 36 + 1)}, "pixels"),
        ({"pixels": 3}, r"pixels must be \(low, high\) within 0 to 1728, got 3; \(3, 3\) fixes it"),
        ({"rate_hz": (0, 10)}, "rate_hz"),
        ({"rate_hz": (10, 2e6)}, "rate_hz"),
    ],
)
def test_settings_out_of_range_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        HotPixels(SENSOR, 0, **options)
