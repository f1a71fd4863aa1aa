"""The sensor model without noise against per-pixel implementations of its equations and of v2e's."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_scenes import gaps_of_pixels, moving_frames

from snnkd.events import pixel_counts
from snnkd.recordings import EventSimulator, SensorModel, simulate_events


def lin_log(value, linear_below=20.0):
    return math.log(value) if value > linear_below else value * math.log(linear_below) / linear_below


def simulate_by_hand(frames, times, on, off, refractory_us=0):
    """One pixel at a time, one crossing at a time, with a memorised level: nothing shared with the kernel."""
    events = []
    for y in range(frames.shape[1]):
        for x in range(frames.shape[2]):
            levels = [lin_log(float(v)) for v in frames[:, y, x]]
            memory, last = levels[0], -math.inf
            for i in range(1, len(levels)):
                before, after = levels[i - 1], levels[i]
                # The level may come back to exactly a threshold: within a millionth counts as reached.
                while after - memory >= on * (1 - 1e-6) or memory - after >= off * (1 - 1e-6):
                    memory += on if after > memory else -off
                    fraction = (memory - before) / (after - before)
                    t = times[i - 1] + fraction * (times[i] - times[i - 1])
                    if round(t) - last >= refractory_us:
                        last = round(t)
                        events.append((x, y, t, after > before))
    return sorted(events, key=lambda e: (e[2], e[1], e[0]))


def v2e_counts(frames, times, on, off, cutoff_hz=0.0, exact=False):
    """ON and OFF events of each pixel and interval, (N − 1, 2, H, W), by v2e's equations, noise off.

    ``emulator.generate_events`` and ``emulator_utils`` of v2e, one pixel at a time: lin_log, low_pass_filter (its
    Euler step of at most 1, or the exponential that it approximates where ``exact``), compute_event_map, and the
    update of the memorised level by the events that were made. v2e rounds the level to 1e-8 and keeps its state in
    float32 so that a pixel which returns to a level sends as many events down as up; here a threshold that is missed
    by a millionth counts instead.
    """
    counts = np.zeros((len(frames) - 1, 2, *frames.shape[1:]), int)
    for y, x in np.ndindex(frames.shape[1:]):
        base = low_passed = lin_log(float(frames[0, y, x]))
        for i in range(1, len(frames)):
            intensity = float(frames[i, y, x])
            gain = 1.0
            if cutoff_hz > 0:
                tau = 1 / (2 * math.pi * cutoff_hz)
                eps = (intensity + 20) / 275 * (times[i] - times[i - 1]) * 1e-6 / tau
                gain = 1 - math.exp(-eps) if exact else min(eps, 1.0)
            low_passed = (1 - gain) * low_passed + gain * lin_log(intensity)
            change = low_passed - base
            up = math.floor(max(change, 0) / on + 1e-6)
            down = math.floor(max(-change, 0) / off + 1e-6)
            base += up * on - down * off
            counts[i - 1, :, y, x] = up, down
    return counts


def stepped_counts(frames, times, sensor):
    """The same of the sensor model."""
    simulator = EventSimulator(sensor, frames.shape[1:])
    counts = []
    for frame, t in zip(frames, times, strict=True):
        events = simulator.step(frame, t)
        counts.append([pixel_counts(events[events["p"] == p], frames.shape[:0:-1]) for p in (True, False)])
    return np.array(counts[1:])


@st.composite
def videos(draw):
    """Short videos of a few pixels, of random walks and of noise, and their times."""
    count, height, width = draw(st.integers(2, 8)), draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    walk = np.cumsum(rng.normal(0, draw(st.sampled_from([2, 30])), (count, height, width)), 0)
    values = np.clip(walk + rng.uniform(0, 255, (height, width)), 0, 255)
    if draw(st.booleans()):
        values = rng.uniform(0, 255, values.shape)
    times = np.cumsum(rng.integers(1, draw(st.sampled_from([300, 40_000, 2_000_000])), count))
    return values.astype(draw(st.sampled_from([np.uint8, np.float64]))), times


THRESHOLDS = st.floats(0.02, 1.5)


@given(videos(), THRESHOLDS, THRESHOLDS)
@settings(deadline=None, max_examples=150)
def test_counts_are_those_of_v2e(video, on, off):
    frames, times = video
    sensor = SensorModel.noiseless(on, threshold_off=off)
    np.testing.assert_array_equal(stepped_counts(frames, times, sensor), v2e_counts(frames, times, on, off))


@given(videos(), THRESHOLDS, THRESHOLDS, st.floats(0.1, 1000))
@settings(deadline=None, max_examples=150)
def test_counts_are_those_of_v2e_with_its_bandwidth_solved_exactly(video, on, off, cutoff_hz):
    frames, times = video
    sensor = SensorModel.noiseless(on, threshold_off=off, cutoff_hz=cutoff_hz)
    expected = v2e_counts(frames, times, on, off, cutoff_hz, exact=True)
    np.testing.assert_array_equal(stepped_counts(frames, times, sensor), expected)


def test_v2es_own_step_is_approached_as_the_frames_come_faster():
    """v2e's Euler step and the exponential: on ten times as many frames they differ about ten times less."""
    difference = []
    for per_s in (500, 5000):
        phase = np.arange(per_s // 2) / per_s
        levels = 90 + 70 * np.sin(2 * np.pi * 8 * phase)[:, None, None] * np.linspace(0.2, 1, 12).reshape(3, 4)
        times = np.round(phase * 1e6).astype(np.int64)
        sensor = SensorModel.noiseless(0.01, cutoff_hz=30)
        made = stepped_counts(levels, times, sensor).sum(0)
        v2e = v2e_counts(levels, times, 0.01, 0.01, 30).sum(0)
        difference.append(np.abs(made - v2e).sum() / v2e.sum())
    assert 0.005 < difference[0] < 0.2
    assert difference[1] < difference[0] / 5


def test_counts_are_those_of_v2e_in_its_own_precision():
    """With v2e's float32 and its rounding: equal but for thresholds that are met to within that rounding."""
    rng = np.random.default_rng(8)
    frames = rng.uniform(0, 255, (40, 20, 20)).astype(np.float32)
    slope = math.log(20) / 20
    base = None
    near = np.zeros(frames.shape[1:], bool)
    expected = []
    for frame in frames.astype(np.float64):
        level = np.where(frame <= 20, frame * slope, np.log(np.maximum(frame, 1e-9)))
        level = (np.round(level * 1e8) / 1e8).astype(np.float32)
        if base is None:
            base = level
            continue
        change = (level - base) / np.float32(0.25)
        near |= np.abs(change - np.round(change)) < 1e-4
        up, down = np.floor(np.maximum(change, 0)), np.floor(np.maximum(-change, 0))
        base = base + (up - down) * np.float32(0.25)
        expected.append([up, down])
    assert near.mean() < 0.05
    counts = stepped_counts(frames, np.arange(40) * 1000, SensorModel.noiseless(0.25))
    np.testing.assert_array_equal(counts[:, :, ~near], np.array(expected)[:, :, ~near])


@pytest.mark.parametrize("intensity", [(20.0, 35.0), (60.0, 180.0), (200.0, 255.0), (180.0, 60.0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_bandwidth_falls_in_the_dark(intensity, dtype):
    """After a step to ``I`` the output is (1 − exp(−T/τ)) of the way, with τ from I; events count the way."""
    before, after = intensity
    frames = np.array([before, after]).reshape(2, 1, 1).astype(dtype)
    theta, cutoff, interval = 0.01, 25.0, 6000
    sensor = SensorModel.noiseless(theta, cutoff_hz=cutoff)
    tau = 1 / (2 * math.pi * cutoff * (after + 20) / 275)
    way = math.log(after / before) * (1 - math.exp(-interval * 1e-6 / tau))
    events = simulate_events(frames, [0, interval], sensor)
    assert len(events) == math.floor(abs(way) / theta) > 1
    assert (events["p"] == (after > before)).all()


def test_a_held_frame_arrives_alike_however_often_it_is_shown():
    """The exponential is exact: ten steps of 1 ms are one of 10 ms."""
    frames, _ = moving_frames(2)
    sensor = SensorModel.noiseless(0.02, cutoff_hz=20)
    once = stepped_counts(frames, [0, 10_000], sensor)[0]
    often = stepped_counts(frames[[0] + 10 * [1]], np.arange(11) * 1000, sensor).sum(0)
    assert once.sum() > 400
    np.testing.assert_array_equal(once, often)
    assert once.sum() < stepped_counts(frames, [0, 10_000], SensorModel.noiseless(0.02))[0].sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize(("on", "off"), [(0.3, 0.3), (0.12, 0.25), (1.0, 0.05)])
def test_agrees_with_a_per_pixel_implementation(dtype, on, off):
    frames, times = moving_frames()
    sensor = SensorModel.noiseless(on, threshold_off=off)
    events = simulate_events(frames.astype(dtype), times, sensor)
    expected = simulate_by_hand(frames, times, on, off)
    assert len(events) == len(expected) > 300
    for p in (True, False):
        got = {}
        for e in events[events["p"] == p]:
            got.setdefault((e["x"], e["y"]), []).append(e["t"])
        want = {}
        for x, y, t, polarity in expected:
            if polarity == p:
                want.setdefault((x, y), []).append(t)
        assert got.keys() == want.keys()
        for pixel, ts in want.items():
            np.testing.assert_allclose(got[pixel], ts, atol=0.5001, rtol=0)


@pytest.mark.parametrize("refractory_us", [1, 700, 5_000, 10**9])
def test_refractory_period_agrees_and_holds(refractory_us):
    frames, times = moving_frames(seed=4)
    sensor = SensorModel.noiseless(0.1, refractory_us=refractory_us)
    events = simulate_events(frames, times, sensor)
    assert len(events) == len(simulate_by_hand(frames, times, 0.1, 0.1, refractory_us))
    gaps = gaps_of_pixels(events)
    assert len(gaps) == 0 or gaps.min() >= refractory_us
    assert len(events) < len(simulate_events(frames, times, SensorModel.noiseless(0.1))) or refractory_us == 1


@pytest.mark.parametrize(("refractory_us", "count"), [(1000, 10), (1001, 5), (5000, 2)])
def test_an_event_may_come_right_at_the_end_of_the_refractory_period(refractory_us, count):
    ramp = [np.full((1, 1), 40.0), np.full((1, 1), 40 * math.exp(1.0))]
    sensor = SensorModel.noiseless(0.1, refractory_us=refractory_us)
    assert len(simulate_events(ramp, [0, 10_000], sensor)) == count  # ten crossings, 1000 µs apart


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_of_exactly_k_thresholds_gives_k_events(steps, dtype):
    low = np.full((3, 4), 30.0)
    high = (low * np.exp(0.3 * steps)).astype(dtype)
    up_and_down = [low.astype(dtype), high, low.astype(dtype)]
    events = simulate_events(up_and_down, [0, 7000, 21_000], SensorModel.noiseless())
    assert events["p"].sum() == 12 * steps == (~events["p"]).sum()
    assert sorted(set(events["t"][events["p"]])) == [round(7000 * k / steps) for k in range(1, steps + 1)]
    assert (~events["p"][events["t"] > 7000]).all()
    # Events of one time come in the order of the pixels.
    np.testing.assert_array_equal(events, events[np.lexsort((events["x"], events["y"], events["t"]))])


def test_the_level_is_linear_in_the_dark_and_continuous():
    # From 0 to 20 DN the level rises by ln 20 = 2.996: 9 thresholds of 0.3, evenly in intensity, so in time.
    ramp = np.stack([np.full((1, 1), v, np.float64) for v in (0, 10, 20, 20.0001)])
    events = simulate_events(ramp, [0, 10_000, 20_000, 30_000], SensorModel.noiseless())
    np.testing.assert_allclose(events["t"], [20_000 * 0.3 * k / math.log(20) for k in range(1, 10)], atol=0.5)


def test_a_long_interval_and_large_times_stay_exact():
    t0 = 1_605_537_493_718_345
    frames = [np.full((2, 2), 40.0), np.full((2, 2), 40 * math.exp(0.6))]
    events = simulate_events(frames, [t0, t0 + 7_200_000_000], SensorModel.noiseless())
    assert sorted(set(events["t"])) == [t0 + 3_600_000_000, t0 + 7_200_000_000]


@pytest.mark.parametrize("leak", [{}, {"leak_rate_hz": 1e-15, "leak_jitter": 0.1}])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_crossing_missed_by_a_hair_is_at_the_end_of_the_interval(leak, steps):
    """The level stops half a millionth below a threshold, which counts: by the line it would be reached ms later."""
    end = 7_200_000_000
    frames = [np.full((2, 2), 40 * math.exp(0.3 * steps * part)) for part in (0, 1 - 0.5e-6 / steps)]
    events = simulate_events(frames, [0, end], SensorModel.noiseless(0.3, **leak))
    assert len(events) == 4 * steps
    assert events["t"].max() == end


@pytest.mark.parametrize("leak", [{}, {"leak_rate_hz": 1e-9, "leak_jitter": 0.1}])
def test_events_are_after_the_frame_before(leak):
    """Crossings within half a µs of a frame were rounded to its own time, which belongs to the interval before."""
    frames = np.random.default_rng(2).integers(0, 256, (6, 40, 40), np.uint8)
    simulator = EventSimulator(SensorModel.noiseless(0.05, **leak), (40, 40))
    simulator.step(frames[0], 100)
    times = [100, 110, 111, 113, 120, 10_000]
    for i in range(1, 6):
        events = simulator.step(frames[i], times[i])
        assert len(events) > 10_000
        assert times[i - 1] < events["t"].min() < times[i - 1] + 100
        assert events["t"].max() == times[i]
