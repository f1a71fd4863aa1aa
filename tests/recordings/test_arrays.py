"""NPY and NPZ files that NumPy's own writers made."""

import os

import numpy as np
import pytest
from array_files import ARRAYS, EVENTS, renamed, some_frames

import snnkd.recordings.arrays
import snnkd.recordings.npz
from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.arrays import NpyRecording, write_npz
from snnkd.recordings.npz import NpzRecording


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("chunk", [1 << 19, 64])
def test_npy(tmp_path, name, chunk, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.arrays, "CHUNK", chunk)
    path = tmp_path / "x.npy"
    np.save(path, ARRAYS[name], allow_pickle=False)
    recording = open_recording(path)
    assert recording.format == "NPY"
    np.testing.assert_array_equal(recording.events, EVENTS)
    assert recording.sensor_size == (EVENTS["x"].max() + 1, EVENTS["y"].max() + 1)
    assert recording.metadata["sensor_size_from"] == "largest coordinates"
    assert recording.event_count == len(EVENTS)
    assert recording.warnings == []
    assert sum(len(window.events) for window in open_recording(path).windows(1000)) == len(EVENTS)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("chunk", [1 << 19, 64])
def test_npz_with_a_table(tmp_path, name, save, chunk, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.npz, "CHUNK", chunk)
    path = tmp_path / "x.npz"
    save(path, ARRAYS[name])
    recording = open_recording(path)
    assert recording.format == "NPZ"
    np.testing.assert_array_equal(recording.events, EVENTS)
    save(path, events=ARRAYS[name], sensor_size=np.array([346, 260]))
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, EVENTS)
    assert recording.sensor_size == (346, 260)
    assert "sensor_size_from" not in recording.metadata


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_with_columns(tmp_path, save):
    path = tmp_path / "x.npz"
    frames = some_frames()
    save(
        path,
        polarity=EVENTS["p"] * 2 - 1,
        x=EVENTS["x"].astype(np.uint16),
        y=EVENTS["y"],
        time_s=EVENTS["t"] / 1e6,
        frames=frames.images,
        frame_timestamps_us=frames.timestamps_us.astype(np.uint32),
    )
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, EVENTS)
    np.testing.assert_array_equal(recording.frames.images, frames.images)
    np.testing.assert_array_equal(recording.frames.timestamps_us, frames.timestamps_us)
    assert [time for time, _ in recording.iter_frames()] == frames.timestamps_us.tolist()
    assert recording.metadata["time_unit"] == "s"


def test_other_fields_and_members_are_left_out_with_a_warning(tmp_path):
    more = renamed(t=("t", "i8"), x=("x", "i2"), y=("y", "i2"), p=("p", "?"), label=("x", "U3"))
    np.save(tmp_path / "x.npy", more)
    with pytest.warns(SnnkdWarning, match="fields were left out: label"):
        np.testing.assert_array_equal(open_recording(tmp_path / "x.npy").events, EVENTS)
    np.savez(tmp_path / "x.npz", events=EVENTS, mask=np.zeros(3))
    with pytest.warns(SnnkdWarning, match="members were left out: mask"):
        np.testing.assert_array_equal(open_recording(tmp_path / "x.npz").events, EVENTS)


def test_a_time_too_large_for_its_unit_is_told(tmp_path):
    for time in (-(2**63), 2**63 - 1):
        np.save(tmp_path / "x.npy", np.array([[time, 2, 3, 1]]))
        with pytest.raises(RecordingError, match=rf"has t = {time}, which is no time"):
            _ = NpyRecording(tmp_path / "x.npy", unit="s").events


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble])
def test_floats_of_any_size(tmp_path, kind):
    np.save(tmp_path / "x.npy", np.array([[1, 2, 3, 1], [2000, 9, 8, 0]], kind))
    assert open_recording(tmp_path / "x.npy").events.tolist() == [(2, 3, 1, True), (9, 8, 2000, False)]


def test_arguments_decide(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1500, 3, 7, 0], [1501, 3, 8, 1]]))
    np.savez(tmp_path / "x.npz", t=[1500, 1501], x=[3, 3], y=[7, 8], p=[0, 1])
    for kind, name in ((NpyRecording, "x.npy"), (NpzRecording, "x.npz")):
        recording = kind(tmp_path / name, unit="ms", sensor_size=(10, 20))
        assert recording.events.tolist() == [(3, 7, 1_500_000, False), (3, 8, 1_501_000, True)]
        assert recording.sensor_size == (10, 20)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_file_that_shrinks_while_it_is_read_is_an_error(tmp_path, order):
    count = 3 << 19
    table = np.zeros((count, 4), np.int64, order=order)
    table[:, 0] = np.arange(count)
    np.save(tmp_path / "x.npy", table)
    recording = open_recording(tmp_path / "x.npy", sensor_size=(4, 4))
    chunks = recording.chunks()
    np.testing.assert_array_equal(next(chunks)["t"], np.arange(1 << 19))
    os.truncate(tmp_path / "x.npy", 20_000_000)
    with pytest.raises(RecordingError, match="it was cut while it was read"):
        list(chunks)


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_knows_its_number_and_times_without_reading_it_all(tmp_path, order, monkeypatch):
    table = np.zeros((50, 4), np.float64, order=order)
    table[:, 0], table[:, 1:3] = 1000 + np.arange(50) * 10_000, 3
    np.save(tmp_path / "x.npy", table)
    recording = open_recording(tmp_path / "x.npy", sensor_size=(4, 4))

    def read(*arguments):
        raise AssertionError("all of it was read")

    monkeypatch.setattr(type(recording), "_read_columns", read)
    assert (recording.event_count, recording.start_us, recording.end_us) == (50, 1000, 491_000)


def test_frames_of_an_npz_come_one_by_one(tmp_path):
    frames = some_frames(200)
    write_npz(tmp_path / "x.npz", EVENTS, (40, 30), frames)
    recording = open_recording(tmp_path / "x.npz")
    assert recording.frame_count == 200
    times, images = zip(*recording.iter_frames(), strict=True)
    assert list(times) == frames.timestamps_us.tolist()
    np.testing.assert_array_equal(images, frames.images)
    assert "frames" not in recording.__dict__, "they are not held"
