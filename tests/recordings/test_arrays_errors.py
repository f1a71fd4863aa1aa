"""NPY and NPZ files that hold no events, promise too much, or are no such files."""

import io
import re
import zipfile

import numpy as np
import pytest
from array_files import EVENTS, METADATA, some_frames, table

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.arrays import write_npz


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
            "its frames are float64, expected uint8",
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
