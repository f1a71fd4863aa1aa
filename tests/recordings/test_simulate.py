"""From a source of frames to a file with events: the same as in memory, streaming, and nothing left after errors."""

import tracemalloc
from dataclasses import asdict

import cv2
import numpy as np
import pytest

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import EVENT_DTYPE
from snnkd.recordings import Frames, Recording, SensorModel, open_recording, simulate_events, write_hdf5
from snnkd.recordings.simulate import Simulation, simulate_recording

NOISY = SensorModel(0.1, 0.12, leak_rate_hz=1, leak_jitter=0.1, shot_noise_hz=2, cutoff_hz=80, refractory_us=20, seed=4)


def scene(count=20, shape=(24, 32), seed=3):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 15, (count, *shape)), 0) + rng.uniform(50, 200, shape)
    return np.clip(walk, 0, 255).astype(np.uint8), 1_000_000 + np.cumsum(rng.integers(900, 40_000, count))


class Film(Recording):
    """Frames that are made one by one, as a video gives them."""

    format = "film"
    sensor_size = (32, 24)

    def __init__(self, path, frames):
        super().__init__(path)
        self._source = frames
        self.given = 0

    def _read_chunks(self):
        yield from ()

    def iter_frames(self):
        for time, image in self._source:
            self.given += 1
            yield time, image


def film(path, images, times):
    return Film(path / "film", list(zip((int(t) for t in times), images, strict=True)))


@pytest.mark.parametrize("sensor", [NOISY, SensorModel.noiseless(0.05)])
def test_the_file_holds_what_the_memory_would(tmp_path, sensor):
    images, times = scene()
    result = simulate_recording(film(tmp_path, images, times), tmp_path / "out.h5", sensor)
    recording = open_recording(tmp_path / "out.h5")
    expected = simulate_events(images, times, sensor)
    assert len(expected) > 5000
    np.testing.assert_array_equal(recording.events, expected)
    np.testing.assert_array_equal(recording.frames.images, images)
    np.testing.assert_array_equal(recording.frames.timestamps_us, times)
    assert recording.sensor_size == (32, 24)
    assert recording.metadata == {
        "simulated_from": {"format": "film", "name": "film", "fps": None},
        "sensor_model": asdict(sensor),
    }
    assert SensorModel(**recording.metadata["sensor_model"]) == sensor
    assert result == Simulation(20, len(expected), (32, 24), int(times[0]), int(times[-1]))


def test_a_file_with_frames_is_a_source(tmp_path):
    images, times = scene(6)
    write_hdf5(tmp_path / "in.h5", np.empty(0, EVENT_DTYPE), (346, 260), Frames(images, times))
    simulate_recording(tmp_path / "in.h5", tmp_path / "out.h5", NOISY)
    np.testing.assert_array_equal(open_recording(tmp_path / "out.h5").events, simulate_events(images, times, NOISY))


@pytest.mark.parametrize(("fps", "last"), [(25, 760_000), (29.97, 633_967), (5e5, 38), (0.01, 1_900_000_000)])
def test_fps_sets_the_times(tmp_path, fps, last):
    images, times = scene()
    sensor = SensorModel.noiseless(0.1)
    result = simulate_recording(film(tmp_path, images, times[::-1]), tmp_path / "out.h5", sensor, fps=fps)
    assert (result.start_us, result.end_us) == (0, last)
    recording = open_recording(tmp_path / "out.h5")
    expected = [round(i / fps * 1e6) for i in range(20)]
    np.testing.assert_allclose(recording.frames.timestamps_us, expected, atol=1)
    np.testing.assert_array_equal(recording.events, simulate_events(images, recording.frames.timestamps_us, sensor))
    assert recording.metadata["simulated_from"]["fps"] == fps


def test_a_folder_of_images_is_a_source(tmp_path):
    """Image 3 is absent: with a stated rate its time passes without it."""
    images, _ = scene(7)
    (tmp_path / "eye").mkdir()
    for i, image in enumerate(images):
        if i != 3:
            assert cv2.imwrite(str(tmp_path / "eye" / f"{i:03}.png"), image)
    images, times = np.delete(images, 3, 0), np.delete(np.arange(7) * 10_000, 3)
    done = []
    with pytest.warns(SnnkdWarning, match="absent: number 3") as caught:
        simulate_recording(tmp_path / "eye", tmp_path / "out.h5", NOISY, fps=100, progress=lambda *a: done.append(a))
    assert len(caught) == 1  # and not that the times are unknown
    recording = open_recording(tmp_path / "out.h5")
    np.testing.assert_array_equal(recording.frames.images, images)
    np.testing.assert_array_equal(recording.frames.timestamps_us, times)
    np.testing.assert_array_equal(recording.events, simulate_events(images, times, NOISY))
    assert done == [(i, 6) for i in range(1, 7)]
    with pytest.warns(SnnkdWarning, match="absent"), pytest.warns(SnnkdWarning, match="30 frames a second"):
        result = simulate_recording(tmp_path / "eye", tmp_path / "out.h5", NOISY, overwrite=True)
    assert result.end_us == 200_000


@pytest.mark.parametrize(("name", "codec"), [("eye.mp4", "mp4v"), ("eye.avi", "MJPG")])
def test_a_video_is_a_source(tmp_path, name, codec):
    """A bright bar that moves to the right at 40 frames a second."""
    path = str(tmp_path / name)
    video = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*codec), 40.0, (64, 48))
    for i in range(25):
        image = np.full((48, 64, 3), 60, np.uint8)
        image[:, 2 * i : 2 * i + 6] = 180
        video.write(image)
    video.release()
    sensor = SensorModel.noiseless(0.25)
    for fps, period in ((None, 25_000), (100, 10_000)):
        done = []
        out = tmp_path / f"{fps}.h5"
        result = simulate_recording(path, out, sensor, fps=fps, progress=lambda *a: done.append(a[0]))  # noqa: B023
        recording = open_recording(out)
        frames = recording.frames
        assert (result.frames, done, recording.sensor_size) == (25, list(range(1, 26)), (64, 48))
        np.testing.assert_array_equal(frames.timestamps_us, np.arange(25) * period)
        np.testing.assert_array_equal(recording.events, simulate_events(frames.images, frames.timestamps_us, sensor))
        # Where the bar is at each time, ON events stand at its front and OFF events at its back.
        for p, edge in ((True, 5), (False, -1)):
            events = recording.events[recording.events["p"] == p]
            place = np.median(events["x"] - 2 * events["t"] / period)
            assert abs(place - edge) < 2
        assert len(recording.events) > 24 * 48 * 2 * 2


def test_what_a_source_with_events_warns_of_is_passed_on(sample, tmp_path):
    path, _ = sample("evbeye_user9/0/events.aerdat")
    with pytest.warns(SnnkdWarning, match="cut record"):
        result = simulate_recording(path.parent, tmp_path / "out.h5", fps=25)
    assert (result.frames, result.sensor_size, result.start_us, result.end_us) == (31, (346, 260), 0, 1_200_000)
    assert result.events == pytest.approx(259_644, rel=0.02)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e6])
def test_an_impossible_fps_is_told(tmp_path, fps):
    with pytest.raises(ValueError, match="fps"):
        simulate_recording(film(tmp_path, *scene(2)), tmp_path / "out.h5", fps=fps)


def test_frames_and_events_pass_through_and_are_not_kept(tmp_path):
    """Three times as long a film takes no more memory, and a frame is read when the one before is done with."""
    rng = np.random.default_rng(0)
    pair = rng.integers(0, 256, (2, 48, 64), np.uint8)

    def peak(count):
        source = Film(tmp_path / "film", ((i * 1000, pair[i % 2].copy()) for i in range(count)))
        ahead, totals = [], []

        def progress(done, total):
            ahead.append(source.given - done)
            totals.append((done, total))

        tracemalloc.start()
        out = tmp_path / f"{count}.h5"
        result = simulate_recording(source, out, SensorModel.noiseless(0.2), progress=progress)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert set(ahead) == {0}
        assert totals == [(i, None) for i in range(1, count + 1)]
        assert result.events > 6000 * count
        return most, result.events * EVENT_DTYPE.itemsize

    peak(5)  # imports, compiled kernels
    short, _ = peak(50)
    long, size = peak(150)
    assert long < 1.2 * short + 1_000_000
    assert size > 10_000_000 > long


def test_a_slow_film_is_bounded(tmp_path):
    """Two frames a quarter of an hour apart: their 7 million noise events go to the file in pieces."""
    grey = np.full((24, 32), 100, np.uint8)
    sensor = SensorModel(leak_rate_hz=8, shot_noise_hz=5, leak_jitter=0.1)
    source = film(tmp_path, [grey, grey], [0, 900_000_000])
    tracemalloc.start()
    result = simulate_recording(source, tmp_path / "out.h5", sensor)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.events * EVENT_DTYPE.itemsize > 80_000_000
    assert most < 60_000_000
    recording = open_recording(tmp_path / "out.h5")
    assert recording.event_count == result.events
    assert recording.duration_us > 899_000_000


def test_frames_at_one_time_are_left_out_with_a_warning(tmp_path):
    images, times = scene(8)
    doubled = np.repeat(times, [1, 1, 3, 1, 1, 2, 1, 1])
    keep = [0, 1, 2, 5, 6, 7, 9, 10]
    films = np.zeros((11, 24, 32), np.uint8)
    films[keep] = images
    with pytest.warns(SnnkdWarning, match="3 frames were left out for having the time of the one before"):
        simulate_recording(film(tmp_path, films, doubled), tmp_path / "out.h5", NOISY)
    recording = open_recording(tmp_path / "out.h5")
    np.testing.assert_array_equal(recording.events, simulate_events(images, times, NOISY))
    np.testing.assert_array_equal(recording.frames.timestamps_us, times)
    (told,) = recording.metadata["simulated_from"]["warnings"]
    assert told.startswith("3 frames were left out")


def damaged(images, times):
    yield from ((int(t), image) for t, image in zip(times[:9], images, strict=False))
    raise RecordingError("film: frame 9 is damaged")


IMAGES, TIMES = scene(12)
FAULTS = {
    "no frames to make events of": [],
    "one frame only": [(5, IMAGES[0])],
    "all of its 3 frames are at 5 µs; say how fast they follow with fps": [(5, image) for image in IMAGES[:3]],
    "time runs backwards: frame 2 is at 10 µs after 20": [(5, IMAGES[0]), (20, IMAGES[1]), (10, IMAGES[2])],
    r"frame 1 is uint8 \(5, 6\), expected .* = \(24, 32\)": [(5, IMAGES[0]), (20, np.zeros((5, 6), np.uint8))],
    r"frame 0 is uint8 \(5, 6, 3\), expected a greyscale": [(5, np.zeros((5, 6, 3), np.uint8))],
    r"frame 0 is float64": [(5, np.zeros((5, 6)))],
    r"frame 0 is uint8 \(0, 6\)": [(5, np.zeros((0, 6), np.uint8))],
    r"frame 0 is \(1, 40000\) \(H, W\), the most": [(5, np.zeros((1, 40_000), np.uint8))],
    "frame 1 is at -9000000000000000000 µs": [(5, IMAGES[0]), (-9 * 10**18, IMAGES[1])],
    "frame 9 is damaged": damaged(IMAGES, TIMES),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_of_the_source_leaves_nothing_behind(tmp_path, message):
    (tmp_path / "out.h5").write_bytes(b"what was there")
    with pytest.raises(RecordingError, match=message):
        simulate_recording(Film(tmp_path / "film", FAULTS[message]), tmp_path / "out.h5", NOISY, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5"]
    assert (tmp_path / "out.h5").read_bytes() == b"what was there"


def test_a_source_is_not_overwritten(tmp_path, monkeypatch):
    images, times = scene(3)
    write_hdf5(tmp_path / "in.h5", np.empty(0, EVENT_DTYPE), (32, 24), Frames(images, times))
    before = (tmp_path / "in.h5").read_bytes()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordingError, match="the output would take the place of its source"):
        simulate_recording("in.h5", tmp_path / "in.h5")
    assert (tmp_path / "in.h5").read_bytes() == before


def test_an_unwritable_place_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        simulate_recording(film(tmp_path, *scene(3)), tmp_path / "none" / "out.h5")


def test_a_file_that_is_there_stays_unless_it_may_go(tmp_path):
    images, times = scene(3)
    (tmp_path / "out.h5").write_bytes(b"what was there")
    source = film(tmp_path, images, times)
    with pytest.raises(RecordingError, match="is there already"):
        simulate_recording(source, tmp_path / "out.h5", NOISY)
    assert source.given == 0
    assert (tmp_path / "out.h5").read_bytes() == b"what was there"
    simulate_recording(source, tmp_path / "out.h5", NOISY, overwrite=True)
    np.testing.assert_array_equal(open_recording(tmp_path / "out.h5").events, simulate_events(images, times, NOISY))


def test_left_out_the_sensor_is_a_davis346(tmp_path):
    images, times = scene(4)
    simulate_recording(film(tmp_path, images, times), tmp_path / "out.h5")
    recording = open_recording(tmp_path / "out.h5")
    assert recording.metadata["sensor_model"] == asdict(SensorModel.davis346())
    np.testing.assert_array_equal(recording.events, simulate_events(images, times))


def test_a_name_is_no_sensor(tmp_path):
    with pytest.raises(TypeError, match="must be a SensorModel"):
        simulate_recording(film(tmp_path, *scene(3)), tmp_path / "out.h5", "davis346")
    assert not (tmp_path / "out.h5").exists()
