"""What is random in the sensor model, and what goes with it: spread, leak, shot noise, the refractory period."""

import math

import numpy as np
import pytest
from sensor_scenes import EVERYTHING, first_times, gaps_of_pixels, moving_frames, pixel_order

from snnkd.recordings import EventSimulator, SensorModel, event_simulator, simulate_events

LN10 = math.log(10)


def still(intensity, shape):
    return np.full((2, *shape), intensity, np.uint8)


def thresholds(sensor, shape):
    """Each pixel's threshold, ON and OFF: on a slow way of one log unit, the time of its first event."""
    ramp = np.stack([np.full(shape, 50.0), np.full(shape, 50 * math.e)])
    return [first_times(simulate_events(way, [0, 1_000_000], sensor), shape) * 1e-6 for way in (ramp, ramp[::-1])]


def test_refractory_period_holds_with_everything_on():
    frames, times = moving_frames(count=40, shape=(20, 20))
    gaps = gaps_of_pixels(simulate_events(frames, times, EVERYTHING))
    assert len(gaps) > 5000
    assert 300 <= gaps.min() < 400


def test_refractory_period_holds_for_noise_too():
    frames = np.zeros((4, 20, 20), np.uint8)
    sensor = SensorModel(refractory_us=50_000, shot_noise_hz=200.0, leak_rate_hz=5)
    gaps = gaps_of_pixels(simulate_events(frames, np.arange(4) * 300_000, sensor))
    assert len(gaps) > 1000
    assert 50_000 <= gaps.min() < 50_100


def test_threshold_spread_is_the_stated_gaussian_and_each_polaritys_own():
    both = thresholds(SensorModel.noiseless(0.3, threshold_spread=0.05), (100, 100))
    for found in both:
        assert abs(found.mean() - 0.3) < 4 * 0.05 / 100
        assert abs(found.std() - 0.05) < 4 * 0.05 / math.sqrt(2 * 10_000)
    assert abs(np.corrcoef(both[0].ravel(), both[1].ravel())[0, 1]) < 0.04


def test_thresholds_never_fall_below_their_floor():
    simulator = EventSimulator(SensorModel(0.02, 0.02, threshold_spread=0.5), (30, 30))
    simulator.step(np.full((30, 30), 100, np.uint8), 0)
    events = simulator.step(np.full((30, 30), 110, np.uint8), 1000)
    key = events["y"].astype(int) * 30 + events["x"]
    assert np.bincount(key).max() <= math.log(1.1) / 0.01 + 1


@pytest.mark.parametrize("threshold", [0.01, 0.3, 7.0, 1e9, 1e300])
def test_a_threshold_is_never_below_its_floor_however_large_the_spread(threshold):
    normal = np.random.default_rng(0).standard_normal(1000)
    for spread in (0.0, 1e-3, 1.0, 1e9, 1e300):
        own = event_simulator._spread(threshold, spread * normal)
        assert own.dtype == np.float32
        assert (threshold + own.astype(np.float64) >= 0.01).all()
        assert np.isfinite(own).all()
        if spread == 0:
            assert not own.any()


def test_a_vanishing_leak_is_none():
    """It must not matter to a sequence whether there is a leak of once in thirty years: no phase, no burst."""
    frames, times = moving_frames(count=10, shape=(30, 30))
    expected = simulate_events(frames, times, SensorModel.noiseless(0.2))
    for jitter in (0.0, 0.2):
        sensor = SensorModel.noiseless(0.2, leak_rate_hz=1e-9, leak_jitter=jitter, leak_spread_decades=0.1)
        events = simulate_events(frames, times, sensor)
        for events_of_one in (events, expected):
            events_of_one.sort(order=["y", "x", "t"])
        np.testing.assert_array_equal(events[["x", "y", "p"]], expected[["x", "y", "p"]])
        np.testing.assert_allclose(events["t"], expected["t"], atol=1, rtol=0)


@pytest.mark.parametrize("change", [0.25, -0.25])
def test_a_leak_does_not_carry_pixels_over_their_threshold_at_the_start(change):
    frames = [np.full((100, 100), 60.0), np.full((100, 100), 60 * math.exp(change))]
    sensor = SensorModel.noiseless(0.3, leak_rate_hz=0.02, leak_spread_decades=0.1)
    assert len(simulate_events(frames, [0, 40_000], sensor)) == 0


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_leak_is_on_events_at_each_pixels_own_rate(jitter):
    """The rates are log-normal about the stated one, whatever the pixel's threshold, and stay a pixel's own."""
    sensor = SensorModel(
        threshold_spread=0.05, leak_rate_hz=2.0, leak_spread_decades=0.1, leak_jitter=jitter, shot_noise_hz=0
    )
    events = simulate_events(still(90, (64, 64)), [0, 40_000_000], sensor)
    assert events["p"].all()
    counts = np.bincount(pixel_order(events)[1])
    decades = np.log10(counts[counts > 0] / 80)
    assert len(decades) == 64 * 64
    assert abs(np.median(decades)) < 0.01
    assert abs(decades.std() - 0.1) < 0.01
    # Each pixel begins with a whole interval, so the first events are late, and soon they are at all times.
    first = first_times(events, (64, 64)) * 2e-6
    assert abs(np.median(first) - 1) < 0.02
    assert abs(np.log(first).std() - math.hypot(0.1 * LN10, jitter)) < 0.02
    late = np.histogram(events["t"], 20, (30_000_000, 40_000_000))[0]
    assert abs(late - late.mean()).max() < 5 * math.sqrt(late.mean())


def test_a_leak_without_spread_is_one_rate_for_all():
    sensor = SensorModel(threshold_spread=0.05, leak_rate_hz=2.0, leak_spread_decades=0, shot_noise_hz=0)
    events = simulate_events(np.repeat(still(90, (30, 30)), 3, 0)[:5], np.arange(5) * 500_000, sensor)
    assert len(events) == 4 * 900  # at 0.5, 1, 1.5 and 2 s
    np.testing.assert_allclose(events["t"], np.repeat(np.arange(1, 5), 900) * 500_000, atol=1)


def test_a_pixel_leaks_at_most_once_in_a_microsecond():
    sensor = SensorModel.noiseless(leak_rate_hz=1e6, leak_spread_decades=1.0)
    counts = np.bincount(pixel_order(simulate_events(still(90, (1, 200)), [0, 1000], sensor))[1], minlength=200)
    assert counts.max() == 1000
    assert counts.min() < 100


def test_leak_jitter_is_the_stated_gaussian_and_keeps_the_rate():
    """From the first interval on, which begins at the first frame."""
    sensor = SensorModel(leak_rate_hz=5.0, leak_jitter=0.2, leak_spread_decades=0, shot_noise_hz=0)
    events = simulate_events(still(90, (60, 60)), [0, 20_000_000], sensor)
    assert events["p"].all()
    gaps = gaps_of_pixels(events) * 5e-6
    assert abs(gaps.mean() - 1) < 0.005
    assert abs(gaps.std() - 0.2) < 0.005
    assert gaps.min() >= 0.1 - 1e-4
    assert abs(len(events) / (60 * 60 * 100) - 1) < 0.01
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.01
    first = first_times(events, (60, 60)) * 5e-6
    assert abs(first.mean() - 1) < 4 * 0.2 / 60
    assert abs(first.std() - 0.2) < 4 * 0.2 / math.sqrt(2 * 3600)


def test_what_is_random_comes_from_streams_of_their_own():
    """One seed: a pixel's thresholds say nothing of its leak, neither its rate nor its jitter."""
    shape = (100, 100)
    spread = thresholds(SensorModel.noiseless(0.3, threshold_spread=0.05, seed=9), shape)
    rates = SensorModel.noiseless(leak_rate_hz=1, leak_spread_decades=0.1, seed=9)
    jitter = SensorModel.noiseless(leak_rate_hz=1, leak_jitter=0.2, seed=9)
    frames, times = still(90, shape), [0, 9_000_000]
    leaks = [first_times(simulate_events(frames, times, sensor), shape) for sensor in (rates, jitter)]
    for i, a in enumerate([*spread, *leaks]):
        assert np.isfinite(a).all()
        for b in [*spread, *leaks][:i]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.045


def test_noise_does_not_change_the_thresholds():
    quiet = SensorModel.noiseless(0.3, threshold_spread=0.05, seed=3)
    noisy = SensorModel.noiseless(0.3, threshold_spread=0.05, seed=3, leak_rate_hz=1e-9, shot_noise_hz=1e-9)
    for a, b in zip(thresholds(quiet, (30, 30)), thresholds(noisy, (30, 30)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_leak_events_do_not_depend_on_the_number_of_frames():
    sensor = SensorModel(leak_rate_hz=3.0, leak_jitter=0.3, shot_noise_hz=0)
    few, many = (
        simulate_events(np.full((n, 20, 20), 70, np.uint8), np.linspace(0, 4_000_000, n).astype(np.int64), sensor)
        for n in (2, 401)
    )
    assert len(few) == len(many) > 4000
    for events in (few, many):
        events.sort(order=["y", "x", "t"])
    np.testing.assert_array_equal(few[["x", "y", "p"]], many[["x", "y", "p"]])
    np.testing.assert_allclose(few["t"], many["t"], atol=3, rtol=0)


def test_without_jitter_the_general_path_gives_the_same():
    """A jitter too small to move anything: crossings found one by one and all at once."""
    frames, times = moving_frames(count=30)
    plain, jittered = (
        simulate_events(frames, times, SensorModel(leak_rate_hz=2, shot_noise_hz=3, leak_jitter=j, refractory_us=50))
        for j in (0.0, 1e-13)
    )
    assert len(plain) == len(jittered) > 1000
    for events in (plain, jittered):
        events.sort(order=["y", "x", "t"])
    np.testing.assert_array_equal(plain[["x", "y", "p"]], jittered[["x", "y", "p"]])
    np.testing.assert_allclose(plain["t"], jittered["t"], atol=1, rtol=0)


@pytest.mark.parametrize(("intensity", "factor"), [(0, 1.0), (128, 1 - 0.75 * 128 / 255), (255, 0.25)])
def test_shot_noise_is_poisson_at_the_stated_rate(intensity, factor):
    frames = np.full((11, 80, 80), intensity, np.uint8)
    events = simulate_events(frames, np.arange(11) * 100_000, SensorModel.noiseless(shot_noise_hz=4.0, seed=11))
    expected = 4.0 * factor * 80 * 80
    assert abs(len(events) - expected) < 4 * math.sqrt(expected)
    assert abs(events["p"].sum() - expected / 2) < 4 * math.sqrt(expected / 4)
    per_pixel = np.bincount(events["y"].astype(int) * 80 + events["x"], minlength=6400)
    assert abs(per_pixel.var() / per_pixel.mean() - 1) < 4 * math.sqrt(2 / 6400)
    assert np.histogram(events["t"], 10, (0, 1_000_000))[0].min() > expected / 10 - 5 * math.sqrt(expected / 10)


def test_shot_noise_is_at_every_microsecond_of_its_interval_and_not_before():
    simulator = EventSimulator(SensorModel.noiseless(shot_noise_hz=1e5), (100, 100))
    grey = np.zeros((100, 100), np.uint8)
    simulator.step(grey, 1000)
    for begin, end in ((1000, 1001), (1001, 1004)):
        times, counts = np.unique(simulator.step(grey, end)["t"], return_counts=True)
        np.testing.assert_array_equal(times, np.arange(begin, end) + 1)
        assert abs(counts - 1000).max() < 5 * math.sqrt(1000)


@pytest.mark.parametrize(("before", "after", "factor"), [(0, 255, 0.25), (255, 0, 1.0)])
def test_shot_noise_of_an_interval_is_that_of_the_frame_at_its_end(before, after, factor):
    frames = np.stack([np.full((80, 80), v, np.uint8) for v in (before, after)])
    expected = 4.0 * factor * 80 * 80
    events = simulate_events(frames, [0, 1_000_000], SensorModel.noiseless(9.0, shot_noise_hz=4.0))
    assert abs(len(events) - expected) < 4 * math.sqrt(expected)


def test_shot_noise_resets_the_memorised_level():
    # 0.25 log units above the memory, noise, then 0.25 more: without the reset that is an ON event at 0.3.
    frames = [np.full((40, 40), 50 * math.exp(v)) for v in (0.0, 0.25, 0.25, 0.5)]
    times = [0, 1, 1_000_001, 1_000_101]
    assert (simulate_events(frames, times, SensorModel.noiseless())["t"] == 1_000_021).sum() == 1600
    events = simulate_events(frames, times, SensorModel.noiseless(shot_noise_hz=50.0))
    assert (events["t"] > 1_000_001).sum() < 40


@pytest.mark.parametrize("leak", [{}, {"leak_rate_hz": 1e-9, "leak_jitter": 0.1}])
def test_shot_noise_that_is_kept_back_does_not_reset_it(leak):
    # An event at 1 ms; 0.2 above it a second of noise while the pixel is refractory; then 0.2 more, over 0.3.
    frames = [np.full((40, 40), 50 * math.exp(v)) for v in (0.0, 0.3, 0.5, 0.5, 0.7)]
    times = [0, 1000, 2000, 1_001_500, 1_002_500]
    sensor = SensorModel.noiseless(0.3, refractory_us=1_000_000, shot_noise_hz=40.0, **leak)
    events = simulate_events(frames, times, sensor)
    assert ((events["t"] == 1000) & events["p"]).sum() > 1500
    assert ((events["t"] == 1_002_000) & events["p"]).sum() > 1300


def test_the_leak_is_drawn_anew_after_shot_noise():
    """Where noise cut off a leak that was late already, the next is in time as often as not.

    If the old one went on, it would be as late as before, and only noise could come in time.
    """
    sensor = SensorModel.noiseless(leak_rate_hz=5.0, leak_jitter=0.3, shot_noise_hz=1.0)
    events, key = pixel_order(simulate_events(still(0, (100, 100)), [0, 20_000_000], sensor))
    gaps = np.diff(events["t"])
    same = np.diff(key) == 0
    cut_off = same[:-1] & same[1:] & (gaps[:-1] > 200_000) & ~events["p"][1:-1]
    assert cut_off.sum() > 2000
    assert 0.5 < (gaps[1:][cut_off] < 200_000).mean() < 0.7
