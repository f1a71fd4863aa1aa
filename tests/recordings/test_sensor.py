"""The sensor model against a per-pixel implementation of its equations, and against its noise rates."""

import math

import numpy as np
import pytest

from snnkd.errors import SnnkdWarning
from snnkd.events import EVENT_DTYPE, drop_pixels, hot_pixels, pixel_counts
from snnkd.recordings import EventSimulator, SensorModel, open_recording, simulate_events


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
        ("leak_rate_hz", math.inf),
        ("shot_noise_hz", -1.0),
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
