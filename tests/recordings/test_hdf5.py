"""snnkd's HDF5 layout: round trips, cut and wrong files, and writing that never leaves half a file."""

import fcntl
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import empty_events, make_events
from snnkd.recordings import Frames, Hdf5Recording, open_recording, write_hdf5


def some_events(count=500, size=(40, 30), seed=0):
    rng = np.random.default_rng(seed)
    t = 1_605_537_493_718_345 + np.sort(rng.integers(0, 10**6, count))
    return make_events(rng.integers(0, size[0], count), rng.integers(0, size[1], count), t, rng.integers(0, 2, count))


def some_frames(count=3, shape=(30, 40)):
    rng = np.random.default_rng(1)
    return Frames(rng.integers(0, 256, (count, *shape), np.uint8), np.arange(count, dtype=np.int64) * 33_333)


METADATA = {"person": "p03", "label": "anger", "segments": [[0, 5, "neutral"], [5, 9, "anger"]], "fps": 30.5}


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.h5"
    write_hdf5(path, some_events(), (40, 30), some_frames(), METADATA)
    return path


def test_round_trip(whole):
    recording = open_recording(whole)
    np.testing.assert_array_equal(recording.events, some_events())
    np.testing.assert_array_equal(recording.frames.images, some_frames().images)
    np.testing.assert_array_equal(recording.frames.timestamps_us, some_frames().timestamps_us)
    assert recording.sensor_size == (40, 30)
    assert recording.metadata == METADATA
    assert recording.format == "snnkd HDF5"
    assert recording.warnings == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 3), st.dictionaries(st.text(), st.integers() | st.text(), max_size=3))
def test_round_trip_of_anything(tmp_path_factory, count, frames, metadata):
    path = tmp_path_factory.mktemp("h5") / "x.hdf5"
    events = some_events(count, seed=count)
    write_hdf5(path, events, (40, 30), some_frames(frames) if frames else None, metadata)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, events)
    assert (0 if recording.frames is None else len(recording.frames)) == frames
    assert recording.metadata == metadata


def test_more_than_a_chunk_is_read_in_chunks(tmp_path):
    events = some_events(1_200_000)
    write_hdf5(tmp_path / "x.h5", events, (40, 30))
    chunks = list(open_recording(tmp_path / "x.h5").chunks())
    assert len(chunks) > 1
    np.testing.assert_array_equal(np.concatenate(chunks), events)


def test_the_real_recording_round_trips(sample, digest, tmp_path):
    path, facts = sample("evbeye_user9/0/events.aerdat")
    with pytest.warns(SnnkdWarning, match="cut record"):
        real = open_recording(path)
    write_hdf5(tmp_path / "x.h5", real.events, real.sensor_size, real.frames, real.metadata)
    again = open_recording(tmp_path / "x.h5")
    assert digest(again.events) == facts["sha256_events_t8x2y2p1"]
    np.testing.assert_array_equal(again.frames.images, real.frames.images)
    assert (tmp_path / "x.h5").stat().st_size < path.stat().st_size


def test_numpy_in_metadata_and_much_of_it(tmp_path):
    metadata = {"n": np.int64(3), "a": np.arange(3), "many": list(range(50_000))}
    write_hdf5(tmp_path / "x.h5", some_events(), (40, 30), metadata=metadata)
    assert open_recording(tmp_path / "x.h5").metadata == {"n": 3, "a": [0, 1, 2], "many": list(range(50_000))}


def test_any_hdf5_tool_reads_it(whole):
    with h5py.File(whole) as file:
        assert file["events/t"].dtype == np.int64
        assert file["events/p"][()].sum() == some_events()["p"].sum()
        assert json.loads(file["metadata"].asstr()[()]) == METADATA
        assert file.attrs["sensor_size"].tolist() == [40, 30]


def test_cut_anywhere_is_told(whole, tmp_path):
    content = whole.read_bytes()
    path = tmp_path / "cut.h5"
    for length in [1, 7, 8, 50, *range(100, len(content), len(content) // 60), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(RecordingError, match=r"cut\.h5: .*(cut or damaged|no known format)") as error:
            open_recording(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["events/x", "frames/images"])
def test_damage_in_the_data_is_told(whole, tmp_path, name):
    content = bytearray(whole.read_bytes())
    with h5py.File(whole) as file:
        place = file[name].id.get_chunk_info(0)
    content[place.byte_offset + place.size // 2] ^= 0xFF
    path = tmp_path / "damaged.h5"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"damaged\.h5: the HDF5 file is cut or damaged"):
        read_all(path)


def read_all(path):
    recording = open_recording(path)
    return recording.events, recording.frames


def set_attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def replace(name, value):
    def change(file):
        del file[name]
        if value is not None:
            file[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.__delitem__("format"), "no snnkd recording"),
        (set_attribute("format", "other"), "no snnkd recording"),
        (set_attribute("version", 2), "layout version 2"),
        (set_attribute("sensor_size", [40]), "sensor_size"),
        (set_attribute("sensor_size", [40, 0]), "sensor_size"),
        (set_attribute("sensor_size", [40.0, 30.0]), "sensor_size"),
        (set_attribute("sensor_size", [40, 32_768]), r"sensor_size is not two integers in 1\.\.32767"),
        (set_attribute("sensor_size", [20, 30]), "outside the sensor of 20×30"),
        (replace("events", None), "events/t is missing"),
        (replace("events/p", None), "events/p is missing"),
        (replace("events/y", np.zeros(499, np.int16)), "differ in length"),
        (replace("events/x", np.zeros(500)), "events/x is float64"),
        (replace("events/x", np.zeros((500, 1), np.int16)), r"events/x is int16 \(500, 1\)"),
        (replace("events/x", np.full(500, -1, np.int16)), r"event 0 lies at \(x, y\) = \(-1"),
        (replace("events/t", np.arange(500)[::-1].copy()), "event 1 is at 498 µs after 499 µs"),
        (replace("frames/images", None), "one of the data sets frames/images and frames/timestamps_us is missing"),
        (replace("frames/timestamps_us", np.arange(2)), "3 frames and 2 timestamps"),
        (replace("frames/timestamps_us", np.array([2, 1, 3])), "frame 1 is at 1 µs after 2 µs"),
        (replace("frames/images", np.zeros((3, 30, 40), np.int32)), "frames .* are int32"),
        (replace("events/x", np.zeros(500, np.int64)), "events/x is int64"),
        (replace("events/t", np.zeros(500, np.uint64)), "events/t is uint64"),
        (replace("events/p", np.zeros(500, np.int8)), "events/p is int8"),
        (
            replace("events/p", np.r_[np.ones(7, np.uint8), np.full(493, 7, np.uint8)]),
            "event 7 has polarity 7, expected 0",
        ),
        (replace("metadata", "{"), "damaged"),
        (replace("metadata", "[1]"), "not a JSON object"),
        (replace("metadata", 3), "not a string"),
    ],
)
def test_a_wrong_layout_is_told(whole, change, message):
    with h5py.File(whole, "a") as file:
        change(file)
    with pytest.raises(RecordingError, match=message) as error:
        read_all(whole)
    assert str(error.value).startswith(f"{whole}: ")
    assert "\n" not in str(error.value)


def test_another_hdf5_file_is_told(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = [1, 2, 3]
    with pytest.raises(RecordingError, match="no snnkd recording"):
        open_recording(tmp_path / "other.h5")


BACKWARDS = make_events([1, 2], [1, 2], [9, 8], [0, 1])


@pytest.mark.parametrize(
    ("events", "size", "metadata", "message"),
    [
        (BACKWARDS, (40, 30), {}, "time runs backwards: event 1 is at 8 µs after 9 µs"),
        (some_events(), (39, 30), {}, "outside the sensor"),
        (some_events(), (40, 29), {}, "outside the sensor"),
        (some_events(), (0, 30), {}, "sensor_size"),
        (some_events(), (32_768, 30), {}, "sensor_size"),
        (np.zeros((3, 4)), (40, 30), {}, "EVENT_DTYPE"),
        (empty_events(), (40, 30), {"x": float("nan")}, "JSON"),
        (empty_events(), (40, 30), {"x": {1, 2}}, "a set, which JSON cannot hold"),
    ],
)
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, events, size, metadata, message):
    path = tmp_path / "x.h5"
    path.write_text("precious")
    with pytest.raises((ValueError, TypeError), match=message):
        write_hdf5(path, events, size, metadata=metadata, overwrite=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_writing_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x.h5"
    path.write_text("precious")

    def full(*arguments, **options):
        raise OSError("no space left on device")

    monkeypatch.setattr(h5py.Group, "create_dataset", full)
    with pytest.raises(OSError, match="no space"):
        write_hdf5(path, some_events(), (40, 30), overwrite=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_file_is_replaced_where_that_is_asked_for(whole):
    with pytest.raises(RecordingError, match="is there already; choose another name, or give overwrite=True"):
        write_hdf5(whole, some_events(7), (40, 30))
    assert open_recording(whole).event_count == 500
    write_hdf5(whole, some_events(7), (40, 30), overwrite=True)
    assert open_recording(whole).event_count == 7
    assert open_recording(whole).frames is None


def promise(name, dtype, **options):
    """Put a data set that was never written in the place of one of 500."""

    def change(file):
        del file[name]
        file.create_dataset(name, dtype=dtype, **{"shape": (500,), **options})

    return change


def external_link(file):
    file.move("events/t", "elsewhere")
    with h5py.File(f"{file.filename}.other", "w") as other:
        file.copy("elsewhere", other, "t")
    file["events/t"] = h5py.ExternalLink(f"{file.filename}.other", "t")


def external_storage(file):
    Path(f"{file.filename}.raw").write_bytes(bytes(4000))
    del file["events/t"]
    file.create_dataset("events/t", (500,), "i8", external=f"{file.filename}.raw")


def endless(file):
    for name, kind in {"t": "i8", "x": "i2", "y": "i2", "p": "u1"}.items():
        promise(f"events/{name}", kind, shape=(10**11,), chunks=(1 << 16,), compression="gzip")(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (endless, r"events/t promises \(100000000000,\), but some of it was never written"),
        (promise("events/t", "i8"), r"events/t promises \(500,\) and holds less"),
        (promise("events/x", "i2", chunks=(100,)), "events/x promises .* never written"),
        (
            promise("events/t", "i8", chunks=(1 << 22,), maxshape=(None,)),
            r"events/t has chunks \(4194304,\), over 16777216",
        ),
        (
            promise("frames/images", "u1", shape=(3, 30, 40), chunks=(1, 30, 40)),
            "frames/images promises .* never written",
        ),
        (promise("frames/timestamps_us", "i8", shape=(3,)), "frames/timestamps_us promises .* holds less"),
        (promise("metadata", "S1000000", shape=()), "metadata promises .* holds less"),
        (external_link, "events/t lies in other files"),
        (external_storage, "events/t lies in other files"),
    ],
)
def test_events_that_are_not_in_the_file_are_not_made_up(whole, change, message):
    with h5py.File(whole, "a") as file:
        change(file)
    with pytest.raises(RecordingError, match=message):
        open_recording(whole)


def test_a_file_that_is_being_written_is_called_that(whole):
    with whole.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as HDF5 locks it
        with pytest.raises(RecordingError, match="is locked: another program has it open to write"):
            open_recording(whole)
    assert open_recording(whole).event_count == 500


def test_number_and_times_are_known_without_reading_the_events(whole, monkeypatch):
    def read(*arguments):
        raise AssertionError("the events were read")

    monkeypatch.setattr(Hdf5Recording, "_read_chunks", read)
    recording, events = open_recording(whole), some_events()
    assert (recording.event_count, recording.start_us, recording.end_us) == (500, events["t"][0], events["t"][-1])


def test_frames_come_one_by_one(tmp_path):
    frames = some_frames(200)
    write_hdf5(tmp_path / "x.h5", some_events(), (40, 30), frames)
    recording = open_recording(tmp_path / "x.h5")
    assert recording.frame_count == 200
    times, images = zip(*recording.iter_frames(), strict=True)
    assert list(times) == frames.timestamps_us.tolist() == recording.frame_times_us.tolist()
    np.testing.assert_array_equal(images, frames.images)
    assert "frames" not in recording.__dict__, "they are not held"


def test_frames_without_their_times_are_no_frames(tmp_path):
    with pytest.raises(TypeError, match=r"frames must be Frames\(images, timestamps_us\), got ndarray"):
        write_hdf5(tmp_path / "x.h5", some_events(), (40, 30), np.zeros((3, 30, 40), np.uint8))
    assert list(tmp_path.iterdir()) == []
