"""NPY and NPZ: NumPy's own writers, round trips, what is no event file, bombs, and damage."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from fuzzing import hold, mutations
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import snnkd.recordings.arrays
import snnkd.recordings.npz
from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import EVENT_DTYPE, empty_events, make_events
from snnkd.recordings import Frames, open_recording
from snnkd.recordings.arrays import NpyRecording, write_npz
from snnkd.recordings.npz import NpzRecording

T0 = 1_605_537_493_718_345


def some_events(count=500, size=(40, 30), seed=0, start=T0):
    rng = np.random.default_rng(seed)
    t = start + np.sort(rng.integers(0, 10**6, count))
    return make_events(rng.integers(0, size[0], count), rng.integers(0, size[1], count), t, rng.integers(0, 2, count))


def some_frames(count=3, shape=(30, 40)):
    rng = np.random.default_rng(1)
    return Frames(rng.integers(0, 256, (count, *shape), np.uint8), np.arange(count, dtype=np.int64) * 33_333)


EVENTS = some_events()
METADATA = {"person": "p03", "segments": [[0, 5, "neutral"]], "fps": 30.5, "note": "µ\n'\""}


def table(order="txyp", kind=np.int64, signed=False):
    columns = {name: EVENTS[name].astype(np.int64) for name in "txyp"}
    if signed:
        columns["p"] = 2 * columns["p"] - 1
    return np.stack([columns[name] for name in order], axis=1).astype(kind)


def renamed(**names):
    """The events as a structured array with other names and types: ``new=("old", type)``."""
    out = np.empty(len(EVENTS), [(new, kind) for new, (_, kind) in names.items()])
    for new, (old, _) in names.items():
        out[new] = EVENTS[old]
    return out


ARRAYS = {
    "events": EVENTS,
    "other names": renamed(ts=("t", "<u8"), xs=("x", ">u2"), ys=("y", "u1"), on=("p", "?")),
    "floats": renamed(timestamp=("t", "<f8"), x=("x", "<f4"), y=("y", "<f4"), polarity=("p", "<f4")),
    "aligned": np.zeros(len(EVENTS), np.dtype(EVENT_DTYPE.descr, align=True)),
    "txyp": table(),
    "xytp": table("xytp"),
    "xypt": table("xypt"),
    "signed": table(signed=True),
    "float table": table(kind=float),
    "by columns": np.asfortranarray(table()),
    "big-endian": table().astype(">i8"),
    "uint64": table().astype(np.uint64),
}
for name in EVENT_DTYPE.names:
    ARRAYS["aligned"][name] = EVENTS[name]


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


@pytest.mark.parametrize("times", [[], [5, 5, 10**15]])
@pytest.mark.parametrize("frames", [None, some_frames(), some_frames(1, (1, 1)), some_frames(0)])
def test_written_npz(tmp_path, times, frames):
    path = tmp_path / "x.npz"
    n = len(times)
    events = make_events(np.arange(n), np.arange(n), times, np.arange(n) % 2) if n else empty_events()
    write_npz(path, events, (40, 30), frames, METADATA)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, events)
    assert recording.sensor_size == (40, 30)
    assert recording.metadata == METADATA
    assert recording.warnings == []
    if frames is None:
        assert recording.frames is None
    else:
        np.testing.assert_array_equal(recording.frames.images, frames.images)
        np.testing.assert_array_equal(recording.frames.timestamps_us, frames.timestamps_us)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.uint16, st.integers(0, 300)),
    st.integers(-(2**60), 2**60),
    st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.floats(allow_nan=False, allow_infinity=False))),
)
def test_round_trip_of_anything(tmp_path_factory, noise, start, metadata):
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    noise = noise.astype(np.int64)
    events = make_events(noise % 346, noise // 7 % 260, start + np.cumsum(noise), noise % 2)
    write_npz(path, events, (346, 260), metadata=metadata)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, events)
    assert recording.metadata == metadata


def test_numpy_reads_what_is_written(tmp_path):
    write_npz(tmp_path / "x.npz", EVENTS, (40, 30), some_frames(), METADATA)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as data:
        for name in "txyp":
            np.testing.assert_array_equal(data[name], EVENTS[name])
        assert data["sensor_size"].tolist() == [40, 30]
        assert json.loads(data["metadata"].item()) == METADATA
        np.testing.assert_array_equal(data["frames"], some_frames().images)


def test_the_real_recording_round_trips(sample, digest, tmp_path):
    path, facts = sample("evbeye_user9/0/events.aerdat")
    with pytest.warns(SnnkdWarning, match="cut record"):
        real = open_recording(path)
    write_npz(tmp_path / "x.npz", real.events, real.sensor_size, real.frames, real.metadata)
    again = open_recording(tmp_path / "x.npz")
    assert digest(again.events) == facts["sha256_events_t8x2y2p1"]
    np.testing.assert_array_equal(again.frames.images, real.frames.images)


@pytest.mark.parametrize(
    ("events", "size", "metadata", "message"),
    [
        (make_events([1, 2], [1, 2], [9, 8], [0, 1]), (40, 30), {}, "time runs backwards"),
        (EVENTS, (39, 30), {}, "outside the sensor"),
        (empty_events(), (40, 30), {"x": {1, 2}}, "a set, which JSON cannot hold"),
    ],
)
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, events, size, metadata, message):
    path = tmp_path / "x.npz"
    path.write_text("precious")
    with pytest.raises((ValueError, TypeError), match=message):
        write_npz(path, events, size, metadata=metadata)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_writing_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    path.write_text("precious")

    def full(*arguments, **options):
        raise OSError("no space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="no space"):
        write_npz(path, EVENTS, (40, 30))
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


class Pickled:
    """Whatever unpickles this runs what it likes."""

    def __reduce__(self):
        return exit, (1,)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 5)), r"is an array float64 \(3, 5\)"),
        (np.zeros((2, 4, 4), np.uint8), r"is an array uint8 \(2, 4, 4\)"),
        (np.zeros(3), r"is an array float64 \(3,\)"),
        (np.array(5), r"is an array int64 \(\)"),
        (np.array(["a"]), r"is an array <U1"),
        (np.zeros((3, 4), complex), "is an array complex128"),
        (np.zeros(3, [("t", "i8"), ("x", "i2"), ("y", "i2")]), "no column for p among 't', 'x', 'y'"),
        (np.zeros(3, [("t", "U9"), ("x", "i2"), ("y", "i2"), ("p", "i1")]), "its field 't' is no number"),
        (np.array([[1, 2, 3, 0], [0, 2, 3, 0]]), r"time runs backwards: event 1 \(byte 160\)"),
        (np.array([[1, 2, -3, 0]]), r"event 0 \(byte 128\) lies at \(x, y\) = \(2, -3\)"),
        (np.array([[1, 2, 3, 4]]), r"event 0 \(byte 128\) has polarity 4"),
        (np.array([[1, 2, 3, 0], [1, 2, 3, -1]]), r"event 1 \(byte 160\) has polarity -1"),
        (np.array([[1, 2, 3, -1], [1, 2, 3, 0]]), r"event 1 \(byte 160\) has polarity 0"),
        (np.array([[1.0, 2.5, 3, 0]]), r"event 0 \(byte 128\) has x = 2.5"),
        (np.array([[1.0, np.nan, 3, 0]]), r"event 0 \(byte 128\) has x = nan"),
        (np.array([[np.nan, 2, 3, 0]]), r"event 0 \(byte 128\) has t = nan"),
        (np.array([[0.25, 2, 3, 0]]), "may be s or ms: say the unit"),
        (np.array([[16 * 10**17, 2, 3, 0]]), "is no µs: say the unit"),
        (np.array([[1, 2, 3, 2**63]], np.uint64), r"event 0 \(byte 128\) has p = 9223372036854775808"),
        (np.array([[1, 2, 3, -(2**63)]]), r"event 0 \(byte 128\) has polarity -9223372036854775808"),
        (np.array([Pickled()]), "holds Python objects, which are not unpickled"),
    ],
)
def test_what_holds_no_events_is_told(tmp_path, array, message):
    path = tmp_path / "x.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(RecordingError, match=message) as error:
        _ = open_recording(path).events
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def read_all(path):
    recording = open_recording(path)
    return recording.events, recording.frames


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"t": [1], "x": [1], "y": [1]}, "holds no events: no column for p"),
        ({"t": [1], "x": [1], "y": [1], "p": [1, 0]}, "differ in length"),
        ({"t": [1], "ts": [1], "x": [1], "y": [1], "p": [1]}, "both 't' and 'ts' would be t"),
        ({"t": [1], "x": [1], "y": [1], "p": ["on"]}, "its member 'p' is <U2"),
        ({"t": [[1]], "x": [[1]], "y": [[1]], "p": [[1]]}, r"its member 't' is int64 \(1, 1\)"),
        ({"events": EVENTS, "sensor_size": [3]}, "sensor_size is not two integers"),
        ({"events": EVENTS, "sensor_size": [40.0, 30.0]}, "sensor_size is not two integers"),
        ({"events": EVENTS, "sensor_size": [20, 30]}, "outside the sensor of 20×30"),
        ({"events": EVENTS, "frames": np.zeros((2, 3, 4), np.uint8)}, "only one of frames and frame_timestamps_us"),
        (
            {"events": EVENTS, "frames": np.zeros((2, 3, 4), np.uint8), "frame_timestamps_us": [1]},
            r"its frames are \(2, 3, 4\) and their timestamps \(1,\)",
        ),
        (
            {"events": EVENTS, "frames": np.zeros((1, 3, 4)), "frame_timestamps_us": [1]},
            "images must be uint8",
        ),
        (
            {"events": EVENTS, "frames": np.zeros((2, 3, 4), np.uint8), "frame_timestamps_us": [2, 1]},
            "frame 1 is at 1 µs after 2 µs",
        ),
        ({"events": EVENTS, "metadata": "[1]"}, "metadata is no JSON object"),
        ({"events": EVENTS, "metadata": "{"}, "cut or damaged"),
        ({"events": EVENTS, "format": "other", "version": 1}, "is of format"),
        ({"t": [1], "x": [1], "y": [1], "p": np.array([Pickled()])}, "Python objects, which are not unpickled"),
        ({"t": [2, 1], "x": [1, 1], "y": [1, 1], "p": [1, 0]}, "time runs backwards: event 1"),
    ],
)
def test_what_does_not_fit_in_an_npz_is_told(tmp_path, members, message):
    path = tmp_path / "x.npz"
    np.savez(path, **members)
    with pytest.raises(RecordingError, match=message) as error:
        read_all(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_cut_npy_gives_the_rows_that_are_there(tmp_path):
    whole = tmp_path / "whole.npy"
    np.save(whole, EVENTS)
    content, path = whole.read_bytes(), tmp_path / "x.npy"
    start = len(content) - EVENTS.nbytes
    for rows, more in ((0, 0), (0, 5), (17, 0), (17, 12), (499, 12)):
        path.write_bytes(content[: start + rows * 13 + more])
        with pytest.warns(SnnkdWarning, match=f"is cut: {500 - rows} of 500 rows are missing"):
            np.testing.assert_array_equal(open_recording(path).events, EVENTS[:rows])
    for length in (1, 7, 9, start - 1):
        path.write_bytes(content[:length])
        with pytest.raises(RecordingError, match=r"damaged|no known format"):
            open_recording(path)
    np.save(whole, np.asfortranarray(table()))
    path.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(RecordingError, match="is cut: it promises 500 rows, and holds them column by column"):
        open_recording(path)


def npy(array, shape=None):
    """An array's NPY bytes, with another shape in the header."""
    file = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(file, header | ({} if shape is None else {"shape": shape}))
    return file.getvalue() + array.tobytes()


def test_a_header_that_promises_more_than_memory_is_refused(tmp_path):
    path = tmp_path / "x.npy"
    path.write_bytes(npy(table(), (10**15, 4)))
    with pytest.warns(SnnkdWarning, match="is cut"):
        assert open_recording(path).event_count == len(EVENTS)
    archive = tmp_path / "x.npz"
    for shape in ((10**15, 4), (499, 4)):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("events.npy", npy(table(), shape))
        with pytest.raises(RecordingError, match=r"its member 'events' has .* bytes and promises"):
            open_recording(archive)


def test_a_member_that_claims_more_than_deflate_can_hold_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    content = npy(np.zeros((1000, 4), np.int64))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("events.npy", content)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24  # the uncompressed size in the archive's directory
    data[at : at + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"its member 'events' claims 2147483648 bytes in \d+"):
        open_recording(path)


def test_other_archives_are_told(tmp_path):
    path = tmp_path / "x.npz"
    for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("events.npy", npy(table()))
        with pytest.raises(RecordingError, match="'events' is compressed as NumPy never does"):
            open_recording(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("events.npy", npy(table()))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("events.npy", npy(table()))
    with pytest.raises(RecordingError, match="has the member 'events' twice"):
        open_recording(path)
    np.savez(path, events=EVENTS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.warns(SnnkdWarning, match=r"the member 'notes\.txt' is no array"):
        np.testing.assert_array_equal(open_recording(path).events, EVENTS)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(RecordingError, match="no known format"):
        open_recording(tmp_path / "x.zip")


def test_a_directory_that_lists_too_little_is_told(tmp_path):
    path = tmp_path / "x.npz"
    write_npz(path, EVENTS, (40, 30), some_frames(), METADATA)
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    directory = int.from_bytes(data[end + 16 : end + 20], "little")
    entries = [directory, *(m.start() for m in re.finditer(b"PK\x01\x02", data) if m.start() > directory), end]
    for i in range(len(entries) - 1):
        cut = bytearray(data[: entries[i]] + data[entries[i + 1] :])
        at = len(cut) - 22
        cut[at + 12 : at + 16] = (end - directory - (entries[i + 1] - entries[i])).to_bytes(4, "little")
        path.write_bytes(cut)
        with pytest.raises(RecordingError, match=r"behind byte \d+ is more than its directory lists"):
            open_recording(path)


def test_damage_to_npz_never_changes_what_is_read(tmp_path):
    path = tmp_path / "x.npz"
    write_npz(path, EVENTS[:60], (40, 30), some_frames(), METADATA)
    read = 0
    for _, data in mutations(path.read_bytes(), 1000, seed=3):
        path.write_bytes(data)
        try:
            recording = open_recording(path)
            events, frames = recording.events, recording.frames
        except RecordingError:
            continue
        read += 1
        np.testing.assert_array_equal(events, EVENTS[:60])
        np.testing.assert_array_equal(frames.images, some_frames().images)
        assert (recording.sensor_size, recording.metadata) == ((40, 30), METADATA)
    assert read


def test_a_checksum_that_is_wrong_is_told(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, events=EVENTS)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="cut or damaged: Bad CRC-32"):
        _ = open_recording(path).events


@pytest.mark.parametrize("array", ["events", "float table"])
def test_damage_to_npy(tmp_path, array):
    file = io.BytesIO()
    np.save(file, ARRAYS[array][:60])
    found = hold(tmp_path / "x.npy", file.getvalue(), multiple=2, count=2000 if array == "events" else 500)
    assert {what for _, what in found} == {"read", "warned", "refused"}


@pytest.mark.parametrize("written", ["by snnkd", "by NumPy", "a table"])
def test_damage_to_npz(tmp_path, written):
    path = tmp_path / "x.npz"
    if written == "by snnkd":
        write_npz(path, EVENTS[:60], (40, 30), metadata=METADATA)
    elif written == "by NumPy":
        np.savez(path, **{name: EVENTS[name][:60] for name in "txyp"}, sensor_size=[40, 30])
    else:
        np.savez_compressed(path, events=table()[:60])
    found = hold(path, path.read_bytes(), multiple=10, count=2000 if written == "by snnkd" else 500)
    assert "refused" in {what for _, what in found}
