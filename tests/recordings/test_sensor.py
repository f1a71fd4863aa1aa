"""The sensor model against a per-pixel implementation of its equations, and against its noise rates."""

import itertools
import math
import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import SnnkdWarning
from snnkd.events import EVENT_DTYPE, drop_pixels, hot_pixels, pixel_counts
from snnkd.recordings import EventSimulator, SensorModel, event_simulator, open_recording, simulate_events


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


def moving_frames(count=12, shape=(9, 13), seed=3):
    """Random smooth frames over the whole range, dark ones included."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 25, (count, *shape)), 0) + rng.uniform(0, 255, shape)
    return np.clip(walk, 0, 255).astype(np.uint8), np.cumsum(rng.integers(900, 40_000, count))


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
    sensor = SensorModel(on, off, threshold_spread=0, leak_rate_hz=0, shot_noise_hz=0)
    np.testing.assert_array_equal(stepped_counts(frames, times, sensor), v2e_counts(frames, times, on, off))


@given(videos(), THRESHOLDS, THRESHOLDS, st.floats(0.1, 1000))
@settings(deadline=None, max_examples=150)
def test_counts_are_those_of_v2e_with_its_bandwidth_solved_exactly(video, on, off, cutoff_hz):
    frames, times = video
    sensor = SensorModel(on, off, 0, leak_rate_hz=0, shot_noise_hz=0, cutoff_hz=cutoff_hz)
    expected = v2e_counts(frames, times, on, off, cutoff_hz, exact=True)
    np.testing.assert_array_equal(stepped_counts(frames, times, sensor), expected)


def test_v2es_own_step_is_approached_as_the_frames_come_faster():
    """v2e's Euler step and the exponential: on ten times as many frames they differ about ten times less."""
    difference = []
    for per_s in (500, 5000):
        phase = np.arange(per_s // 2) / per_s
        levels = 90 + 70 * np.sin(2 * np.pi * 8 * phase)[:, None, None] * np.linspace(0.2, 1, 12).reshape(3, 4)
        times = np.round(phase * 1e6).astype(np.int64)
        sensor = SensorModel(0.01, 0.01, 0, leak_rate_hz=0, shot_noise_hz=0, cutoff_hz=30)
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
    sensor = SensorModel(theta, theta, 0, leak_rate_hz=0, shot_noise_hz=0, cutoff_hz=cutoff)
    tau = 1 / (2 * math.pi * cutoff * (after + 20) / 275)
    way = math.log(after / before) * (1 - math.exp(-interval * 1e-6 / tau))
    events = simulate_events(frames, [0, interval], sensor)
    assert len(events) == math.floor(abs(way) / theta) > 1
    assert (events["p"] == (after > before)).all()


def test_a_held_frame_arrives_alike_however_often_it_is_shown():
    """The exponential is exact: ten steps of 1 ms are one of 10 ms."""
    frames, _ = moving_frames(2)
    sensor = SensorModel(0.02, 0.02, 0, leak_rate_hz=0, shot_noise_hz=0, cutoff_hz=20)
    once = stepped_counts(frames, [0, 10_000], sensor)[0]
    often = stepped_counts(frames[[0] + 10 * [1]], np.arange(11) * 1000, sensor).sum(0)
    assert once.sum() > 400
    np.testing.assert_array_equal(once, often)
    assert once.sum() < stepped_counts(frames, [0, 10_000], SensorModel.noiseless(0.02))[0].sum()


def test_leak_jitter_is_the_stated_gaussian_and_keeps_the_rate():
    still = np.full((2, 60, 60), 90, np.uint8)
    sensor = SensorModel(leak_rate_hz=5.0, leak_jitter=0.2, shot_noise_hz=0)
    events = simulate_events(still, [0, 20_000_000], sensor)
    assert events["p"].all()
    key = events["y"].astype(int) * 60 + events["x"]
    order = np.lexsort((events["t"], key))
    gaps = np.diff(events["t"][order])[np.diff(key[order]) == 0] * 5e-6
    assert abs(gaps.mean() - 1) < 0.005
    assert abs(gaps.std() - 0.2) < 0.005
    assert gaps.min() >= 0.1 - 1e-4
    assert abs(len(events) / (60 * 60 * 100) - 1) < 0.005
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.01


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


EVERYTHING = SensorModel(
    0.2, 0.22, refractory_us=300, leak_rate_hz=4, leak_jitter=0.2, shot_noise_hz=6, cutoff_hz=60, seed=7
)


def test_refractory_period_holds_with_everything_on():
    frames, times = moving_frames(count=40, shape=(20, 20))
    events = simulate_events(frames, times, EVERYTHING)
    key = events["y"].astype(int) * 20 + events["x"]
    order = np.lexsort((events["t"], key))
    gaps = np.diff(events["t"][order])[np.diff(key[order]) == 0]
    assert len(gaps) > 5000
    assert 300 <= gaps.min() < 400


@pytest.mark.parametrize("threads", [0, -2])
def test_threads_must_be_some(threads):
    with pytest.raises(ValueError, match="threads"):
        EventSimulator(EVERYTHING, (4, 5), threads=threads)


def run_everything(threads, dtype=np.uint8):
    frames, times = moving_frames(count=15, shape=(23, 31))
    simulator = EventSimulator(EVERYTHING, (23, 31), threads=threads)
    return np.concatenate([simulator.step(f.astype(dtype), t) for f, t in zip(frames, times, strict=True)])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_threads_do_not_change_the_events(dtype):
    alone = run_everything(1, dtype)
    assert len(alone) > 5000
    for threads in (2, 3, 7, 10_000):
        np.testing.assert_array_equal(run_everything(threads, dtype), alone)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_works_in_the_processes_of_a_data_loader(method):
    here = run_everything(2)  # this process has threads when it forks
    with multiprocessing.get_context(method).Pool(1) as pool:
        there = pool.apply_async(run_everything, (2,)).get(timeout=120)
    np.testing.assert_array_equal(here, there)


def test_a_busy_interval_comes_in_pieces(monkeypatch):
    monkeypatch.setattr(event_simulator, "MOST_EVENTS", 1)  # then 8 events a pixel are the bound
    frames = np.random.default_rng(0).integers(0, 256, (4, 12, 11), np.uint8)
    times = [5, 1000, 90_000, 7_000_000]
    model = SensorModel.noiseless(0.02)
    whole = simulate_events(frames, times, model)
    simulator = EventSimulator(model, (12, 11))
    parts = [list(simulator.pieces(frame, t)) for frame, t in zip(frames, times, strict=True)]
    assert parts[0] == []
    assert min(len(p) for p in parts[1:]) > 3
    pieces = list(itertools.chain(*parts))
    assert max(len(p) for p in pieces) < 2 * 8 * 12 * 11
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    monkeypatch.setattr(event_simulator, "MOST_EVENTS", 1 << 20)
    at_once = simulate_events(frames, times, model)
    for events in (whole, at_once):
        events.sort(order=["y", "x", "t"])
    assert len(whole) == len(at_once)
    np.testing.assert_array_equal(whole[["x", "y", "p"]], at_once[["x", "y", "p"]])
    np.testing.assert_allclose(whole["t"], at_once["t"], atol=1, rtol=0)


def test_an_endless_interval_is_bounded_and_may_be_left():
    """40 million leak and noise events between two frames of 20×20 pixels: each piece is small."""
    model = SensorModel(leak_rate_hz=60, leak_jitter=0.1, shot_noise_hz=40)
    simulator = EventSimulator(model, (20, 20))
    grey = np.full((20, 20), 0, np.uint8)
    simulator.step(grey, 0)
    pieces = simulator.pieces(grey, 1_000_000_000)
    taken = list(itertools.islice(pieces, 2))
    assert all(500_000 < len(p) < 1_500_000 for p in taken)
    end = int(taken[-1]["t"][-1])
    assert end < 60_000_000
    after = simulator.step(grey, end + 10_000)  # goes on from where the interval was left
    assert end < after["t"][0]
    assert abs(len(after) - 400) < 120
    with pytest.raises(RuntimeError, match="another frame"):
        next(pieces)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize(("on", "off"), [(0.3, 0.3), (0.12, 0.25), (1.0, 0.05)])
def test_agrees_with_a_per_pixel_implementation(dtype, on, off):
    frames, times = moving_frames()
    sensor = SensorModel(on, off, threshold_spread=0, leak_rate_hz=0, shot_noise_hz=0)
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
    sensor = SensorModel(0.1, 0.1, 0, refractory_us=refractory_us, leak_rate_hz=0, shot_noise_hz=0)
    events = simulate_events(frames, times, sensor)
    assert len(events) == len(simulate_by_hand(frames, times, 0.1, 0.1, refractory_us))
    key = events["y"].astype(int) * 100 + events["x"]
    order = np.lexsort((events["t"], key))
    gaps = np.diff(events["t"][order])[np.diff(key[order]) == 0]
    assert len(gaps) == 0 or gaps.min() >= refractory_us
    assert len(events) < len(simulate_events(frames, times, SensorModel.noiseless(0.1))) or refractory_us == 1


@pytest.mark.parametrize(("refractory_us", "count"), [(1000, 10), (1001, 5), (5000, 2)])
def test_an_event_may_come_right_at_the_end_of_the_refractory_period(refractory_us, count):
    ramp = [np.full((1, 1), 40.0), np.full((1, 1), 40 * math.exp(1.0))]
    sensor = SensorModel(0.1, 0.1, 0, refractory_us=refractory_us, leak_rate_hz=0, shot_noise_hz=0)
    assert len(simulate_events(ramp, [0, 10_000], sensor)) == count  # ten crossings, 1000 µs apart


def test_refractory_period_holds_for_noise_too():
    frames = np.zeros((4, 20, 20), np.uint8)
    sensor = SensorModel(refractory_us=50_000, shot_noise_hz=200.0, leak_rate_hz=5)
    events = simulate_events(frames, np.arange(4) * 300_000, sensor)
    key = events["y"].astype(int) * 20 + events["x"]
    order = np.lexsort((events["t"], key))
    gaps = np.diff(events["t"][order])[np.diff(key[order]) == 0]
    assert len(gaps) > 1000
    assert 50_000 <= gaps.min() < 50_100


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


def test_threshold_spread_is_the_stated_gaussian():
    # A slow rise of one unit: the time of a pixel's first event is its threshold.
    shape = (100, 100)
    frames = np.stack([np.full(shape, 50.0), np.full(shape, 50 * math.e)])
    sensor = SensorModel(0.3, 0.3, threshold_spread=0.05, leak_rate_hz=0, shot_noise_hz=0)
    for sequence in (frames, frames[::-1]):
        events = simulate_events(sequence, [0, 1_000_000], sensor)
        key = events["y"].astype(int) * 100 + events["x"]
        _, first = np.unique(key, return_index=True)
        thresholds = events["t"][first] / 1e6
        assert len(thresholds) == 10_000
        assert abs(thresholds.mean() - 0.3) < 4 * 0.05 / 100
        assert abs(thresholds.std() - 0.05) < 4 * 0.05 / math.sqrt(2 * 10_000)


def test_thresholds_never_fall_below_their_floor():
    simulator = EventSimulator(SensorModel(0.02, 0.02, threshold_spread=0.5), (30, 30))
    simulator.step(np.full((30, 30), 100, np.uint8), 0)
    events = simulator.step(np.full((30, 30), 110, np.uint8), 1000)
    key = events["y"].astype(int) * 30 + events["x"]
    assert np.bincount(key).max() <= math.log(1.1) / 0.01 + 1


def test_leak_is_on_events_at_the_rate_spread_over_the_phases():
    still = np.full((5, 64, 64), 90, np.uint8)
    sensor = SensorModel(threshold_spread=0.05, leak_rate_hz=2.0, shot_noise_hz=0)
    events = simulate_events(still, np.arange(5) * 500_000, sensor)
    assert events["p"].all()
    per_pixel = np.bincount(events["y"].astype(int) * 64 + events["x"], minlength=64 * 64)
    assert set(per_pixel) == {4}  # 2 Hz for 2 s, whatever the pixel's threshold
    counts = np.histogram(events["t"], 20, (0, 2_000_000))[0]
    assert abs(counts - counts.mean()).max() < 5 * math.sqrt(counts.mean())


@pytest.mark.parametrize(("intensity", "factor"), [(0, 1.0), (128, 1 - 0.75 * 128 / 255), (255, 0.25)])
def test_shot_noise_is_poisson_at_the_stated_rate(intensity, factor):
    still = np.full((11, 80, 80), intensity, np.uint8)
    sensor = SensorModel(leak_rate_hz=0, shot_noise_hz=4.0, seed=11)
    events = simulate_events(still, np.arange(11) * 100_000, sensor)
    expected = 4.0 * factor * 80 * 80
    assert abs(len(events) - expected) < 4 * math.sqrt(expected)
    assert abs(events["p"].sum() - expected / 2) < 4 * math.sqrt(expected / 4)
    per_pixel = np.bincount(events["y"].astype(int) * 80 + events["x"], minlength=6400)
    assert abs(per_pixel.var() / per_pixel.mean() - 1) < 4 * math.sqrt(2 / 6400)
    assert 0 < events["t"].min() < events["t"].max() <= 1_000_000


def test_shot_noise_resets_the_memorised_level():
    # 0.25 log units above the memory, noise, then 0.25 more: without the reset that is an ON event at 0.3.
    frames = [np.full((40, 40), 50 * math.exp(v)) for v in (0.0, 0.25, 0.25, 0.5)]
    quiet = SensorModel.noiseless()
    times = [0, 1, 1_000_001, 1_000_101]
    assert (simulate_events(frames, times, quiet)["t"] == 1_000_021).sum() == 1600
    noisy = SensorModel(threshold_spread=0, leak_rate_hz=0, shot_noise_hz=50.0)
    events = simulate_events(frames, times, noisy)
    assert (events["t"] > 1_000_001).sum() < 40


def test_davis346_makes_what_a_real_one_made(sample):
    """The preset on the frames of a real recording against the events of the same 1.2 s, hot pixels aside."""
    path, _ = sample("evbeye_user9/0/events.aerdat")
    with pytest.warns(SnnkdWarning, match="cut record"):
        recording = open_recording(path)
    real = drop_pixels(recording.events, hot_pixels(recording.events, recording.sensor_size))
    frames = recording.frames
    edges = frames.timestamps_us
    real = real[(real["t"] >= edges[0]) & (real["t"] <= edges[-1])]
    made = simulate_events(frames.images, edges, SensorModel.davis346())
    assert abs(len(made) / len(real) - 1) < 0.03
    assert abs(made["p"].mean() - real["p"].mean()) < 0.02
    rates = [np.histogram(events["t"], edges)[0] for events in (real, made)]
    assert np.corrcoef(rates)[0, 1] > 0.98
    places = [pixel_counts(events, (346, 260)) for events in (real, made)]
    places = [np.minimum(counts, np.percentile(counts, 99)).ravel() for counts in places]
    assert np.corrcoef(places)[0, 1] > 0.7


SENSORS = [
    SensorModel.noiseless(),
    SensorModel.davis346(seed=5),
    SensorModel(leak_rate_hz=9, shot_noise_hz=9),
    EVERYTHING,
]


@pytest.mark.parametrize("sensor", SENSORS)
def test_streaming_equals_the_whole_and_seeds_decide(sensor):
    frames, times = moving_frames(count=20)
    whole = simulate_events(frames, times, sensor)
    assert whole.dtype == EVENT_DTYPE
    assert (np.diff(whole["t"]) >= 0).all()
    simulator = EventSimulator(sensor, frames.shape[1:])
    parts = [simulator.step(f, t) for f, t in zip(frames, times, strict=True)]
    assert len(parts[0]) == 0
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(simulate_events(iter(list(frames)), list(times), sensor), whole)


def test_another_seed_is_another_sensor():
    frames, times = moving_frames()
    one, same, other = (simulate_events(frames, times, SensorModel(seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert len(one) != len(other) or (one != other).any()


def test_a_long_interval_and_large_times_stay_exact():
    t0 = 1_605_537_493_718_345
    frames = [np.full((2, 2), 40.0), np.full((2, 2), 40 * math.exp(0.6))]
    events = simulate_events(frames, [t0, t0 + 7_200_000_000], SensorModel.noiseless())
    assert sorted(set(events["t"])) == [t0 + 3_600_000_000, t0 + 7_200_000_000]


def test_the_given_frames_stay_as_they_are():
    frames, times = moving_frames()
    copy = frames.astype(np.float64)
    kept = copy.copy()
    simulate_events(copy, times)
    np.testing.assert_array_equal(copy, kept)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold_on", 0.0),
        ("threshold_off", -0.3),
        ("threshold_on", math.nan),
        ("threshold_spread", -1e-9),
        ("linear_below", 1.0),
        ("refractory_us", -1),
        ("refractory_us", 0.5),
        ("refractory_us", 1 << 61),
        ("leak_rate_hz", math.inf),
        ("leak_rate_hz", 2e6),
        ("shot_noise_hz", -1.0),
        ("leak_jitter", 0.6),
        ("leak_jitter", -0.1),
        ("cutoff_hz", -1.0),
        ("cutoff_hz", math.nan),
        ("seed", -1),
        ("seed", True),
    ],
)
def test_a_bad_parameter_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        SensorModel(**{field: value})


GOOD = np.zeros((2, 3, 4), np.uint8)


@pytest.mark.parametrize(
    ("frames", "times", "message"),
    [
        (GOOD, [0], "more frames"),
        (GOOD, [0, 1, 2], "2 frames and 3 timestamps"),
        (GOOD[:0], [], "0 frames"),
        (GOOD, [5, 5], "grow strictly"),
        (GOOD, [5, 4], "grow strictly"),
        (GOOD, [0.0, 1.0], "integers"),
        (GOOD, [0, 1 << 62], "2\\^61"),
        ([GOOD[0], np.zeros((4, 3), np.uint8)], [0, 1], "frame 1 has shape"),
        ([GOOD[0], GOOD[0] + np.nan], [0, 1], "frame 1 has values"),
        ([GOOD[0], np.full((3, 4), 256.0)], [0, 1], "frame 1 has values"),
        ([np.full((3, 4), -1)], [0], "frame 0 has values"),
        ([np.full((3, 4), "a")], [0], "frame 0 has type"),
        (np.zeros((2, 3, 4, 3), np.uint8), [0, 1], "N, H, W"),
        (np.zeros((2, 0, 4), np.uint8), [0, 1], "shape"),
    ],
)
def test_bad_input_is_told(frames, times, message):
    with pytest.raises(ValueError, match=message):
        simulate_events(frames, times)


def test_a_refused_frame_leaves_the_simulator_as_it_was():
    frames, times = moving_frames()
    a, b = (EventSimulator(SensorModel(), frames.shape[1:]) for _ in range(2))
    for i, (frame, t) in enumerate(zip(frames, times, strict=True)):
        if i == 5:
            with pytest.raises(ValueError, match="values"):
                b.step(frame.astype(float) - 1e6, t)
            with pytest.raises(ValueError, match="grow"):
                b.step(frame, times[0])
        np.testing.assert_array_equal(a.step(frame, t), b.step(frame, t))
