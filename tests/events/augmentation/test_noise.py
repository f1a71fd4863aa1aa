"""Noise: as much as its rate says, uniform, and nothing that was there is lost."""

import numpy as np
import pytest

from snnkd.events import empty_events, make_events, pixel_counts
from snnkd.events.augmentation import Noise, uniform_noise

SENSOR = (48, 36)


def test_it_is_uniform_over_pixels_time_and_polarity():
    noise = uniform_noise(SENSOR, -3_000_000, 7_000_000, 20.0, np.random.default_rng(0))
    mean = 20 * 10 * 48 * 36
    assert abs(len(noise) - mean) < 4 * np.sqrt(mean)
    assert (np.diff(noise["t"]) >= 0).all()
    counts = pixel_counts(noise, SENSOR)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.15)  # Poisson in each pixel
    stretches = np.histogram(noise["t"], 50, (-3_000_000, 7_000_000))[0]
    assert abs(stretches - mean / 50).max() < 5 * np.sqrt(mean / 50)
    assert noise["p"].mean() == pytest.approx(0.5, abs=0.01)


def test_both_ends_of_the_span_are_reached():
    times = uniform_noise((1, 1), 5, 7, 1e7, np.random.default_rng(0))["t"]
    assert set(times.tolist()) == {5, 6, 7}


def test_what_was_there_is_still_there_and_first_among_equal_times(events):
    result = Noise(SENSOR, 0, rate_hz=(50, 50))(events)
    assert len(result) > 40 * 48 * 36
    first = {}
    for event in result.tolist():
        first.setdefault(event[2], event)
    assert [first[t] for t in np.unique(events["t"]).tolist()] == [
        events[np.searchsorted(events["t"], t)].item() for t in np.unique(events["t"])
    ]


def test_a_rate_of_zero_adds_nothing(events):
    np.testing.assert_array_equal(Noise(SENSOR, 0, rate_hz=(0, 0))(events), events)


def test_rates_are_drawn_from_their_range(events):
    augment = Noise(SENSOR, 0, rate_hz=(2, 8))
    seconds = (events["t"][-1] - events["t"][0]) / 1e6
    rates = [(len(augment(events)) - len(events)) / (48 * 36 * seconds) for _ in range(100)]
    assert 1.8 < min(rates) < 2.6
    assert 7.4 < max(rates) < 8.2


def test_without_a_span_there_is_no_noise():
    assert len(Noise(SENSOR, 0, rate_hz=(9, 9))(empty_events())) == 0


def test_frames_out_of_order_are_told(events):
    frames = (np.zeros((3, 36, 48), np.uint8), events["t"][0] + np.array([0, 200_000, 100_000]))
    with pytest.raises(ValueError, match=r"time runs backwards: frame 2 is at \d+ µs after \d+ µs; sort the frames"):
        Noise(SENSOR, 0)((events, frames))


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_the_function_tells_of_a_rate_or_a_span_that_cannot_be(rate):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="rate_hz must be a number"):
        uniform_noise(SENSOR, 0, 1, rate, rng)
    with pytest.raises(ValueError, match="first_us must be at or before last_us, got 5 and 4"):
        uniform_noise(SENSOR, 5, 4, 1.0, rng)
    with pytest.raises(ValueError, match="sensor_size"):
        uniform_noise((0, 1), 0, 1, 1.0, rng)


def test_a_damaged_clock_does_not_fill_the_memory():
    events = make_events([0, 0], [0, 0], [0, 2**60], [0, 0])
    with pytest.raises(ValueError, match="is the clock right"):
        Noise(SENSOR, 0, rate_hz=(1, 1))(events)


@pytest.mark.parametrize("rate", [(-1, 0), (2, 1), (0, float("inf")), (float("nan"), 1), 1.0, None, ("a", "b")])
def test_a_rate_out_of_range_is_told(rate):
    with pytest.raises(ValueError, match="rate_hz"):
        Noise(SENSOR, 0, rate_hz=rate)
