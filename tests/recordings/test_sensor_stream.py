"""The sensor model fed frame by frame: cut up, in threads, in processes, in pieces, and of frames of any type."""

import itertools
import multiprocessing

import numpy as np
import pytest
from sensor_scenes import EVERYTHING, moving_frames

from snnkd.events import EVENT_DTYPE
from snnkd.recordings import EventSimulator, SensorModel, event_simulator, simulate_events


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int64])
def test_the_type_of_the_frames_does_not_change_the_events(dtype):
    np.testing.assert_array_equal(run_everything(1, dtype), run_everything(1, np.uint8))


@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f4", "<f8", ">f8"])
def test_nor_does_their_layout_in_memory(dtype):
    def read_only(image):
        image = image.copy()
        image.flags.writeable = False
        return image

    def unaligned(image):
        room = np.empty(image.nbytes + 1, np.uint8)
        there = room[1:].view(image.dtype).reshape(image.shape)
        there[:] = image
        return there

    frames, times = moving_frames()
    frames = frames.astype(dtype)
    expected = simulate_events(frames, times, EVERYTHING)
    for change in (np.asfortranarray, read_only, unaligned, lambda image: image[::-1, ::-1].copy()[::-1, ::-1]):
        changed = [change(frame) for frame in frames]
        np.testing.assert_array_equal(simulate_events(changed, times, EVERYTHING), expected)


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


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_frame_may_change_between_the_pieces(monkeypatch, dtype):
    monkeypatch.setattr(event_simulator, "MOST_EVENTS", 1)
    model = SensorModel.noiseless(0.02, shot_noise_hz=100)
    frames = np.random.default_rng(0).integers(0, 256, (2, 12, 11)).astype(dtype)
    expected, found = [], []
    for parts, change in ((expected, False), (found, True)):
        simulator = EventSimulator(model, (12, 11))
        simulator.step(frames[0], 0)
        frame = frames[1].copy()
        for part in simulator.pieces(frame, 1_000_000):
            parts.append(part)
            if change:
                frame[:] = 255
    assert len(found) > 3
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))


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


SENSORS = [
    SensorModel.noiseless(),
    SensorModel.davis346(seed=5),
    SensorModel.davis346_near_eye(),
    SensorModel.noisy(seed=2),
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


def test_the_given_frames_stay_as_they_are():
    frames, times = moving_frames()
    copy = frames.astype(np.float64)
    kept = copy.copy()
    simulate_events(copy, times)
    np.testing.assert_array_equal(copy, kept)


def test_pieces_look_at_the_frame_at_once():
    simulator = EventSimulator(EVERYTHING, (3, 4))
    dark, light = np.zeros((3, 4), np.uint8), np.full((3, 4), 200, np.uint8)
    simulator.pieces(dark, 0)  # nobody asks for its events: it is the first frame all the same
    with pytest.raises(ValueError, match="frame 1 has values in nan"):
        simulator.pieces(np.full((3, 4), np.nan), 10)
    with pytest.raises(ValueError, match="grow strictly"):
        simulator.pieces(light, 0)
    assert len(simulator.step(light, 1000)) > 12


def test_a_frame_that_no_events_were_asked_of_leaves_its_interval():
    frames, times = moving_frames(4)
    a, b = (EventSimulator(SensorModel.noiseless(0.1), frames.shape[1:]) for _ in range(2))
    for simulator in (a, b):
        simulator.step(frames[0], times[0])
    left = a.pieces(frames[1], times[1])
    np.testing.assert_array_equal(a.step(frames[2], times[2]), b.step(frames[2], times[2]))
    with pytest.raises(RuntimeError, match="another frame"):
        next(left)


def test_a_frame_may_change_before_its_events_are_asked_for():
    sensor = SensorModel.noiseless(shot_noise_hz=1000)
    frames = np.array([np.full((20, 20), v, np.uint8) for v in (0, 255)])
    a, b = (EventSimulator(sensor, (20, 20)) for _ in range(2))
    for simulator in (a, b):
        simulator.step(frames[0], 0)
    later = frames[1].copy()
    pieces = a.pieces(later, 100_000)
    later[:] = 0
    np.testing.assert_array_equal(np.concatenate(list(pieces)), b.step(frames[1], 100_000))
