"""HDF5 of other makers: files as their makers write them, what they lack, and damage, read in a process of its own."""

import subprocess
import sys
import types
from pathlib import Path

import h5py
import numpy as np
import pytest
from fuzzing import mutations

import snnkd.recordings.hdf5_layouts
from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import make_events
from snnkd.recordings import open_recording, write_hdf5
from snnkd.recordings.hdf5_layouts import Hdf5LayoutRecording


def some_events(count=500, size=(40, 30), start=0):
    rng = np.random.default_rng(0)
    t = start + np.sort(rng.integers(0, 10**6, count))
    return make_events(rng.integers(0, size[0], count), rng.integers(0, size[1], count), t, rng.integers(0, 2, count))


EVENTS = some_events()
COMPRESSED = {"compression": "gzip", "shuffle": True, "chunks": (128,)}


def three_et(path, kind=(("t", "u8"), ("x", "u2"), ("y", "u2"), ("p", "i1")), **options):
    out = np.empty(len(EVENTS), list(kind))
    for name, source in zip(out.dtype.names, "txyp", strict=True):
        out[name] = EVENTS[source]
    with h5py.File(path, "w") as file:
        file.create_dataset("events", data=out, **options)


def dsec(path, offset=0, libver="earliest", **options):
    with h5py.File(path, "w", libver=libver) as file:
        for name, kind in {"x": "u2", "y": "u2", "t": "u4", "p": "u1"}.items():
            file.create_dataset(f"events/{name}", data=EVENTS[name].astype(kind), **options)
        milliseconds = np.arange(EVENTS["t"][-1] // 1000 + 2)
        file["ms_to_idx"] = np.searchsorted(EVENTS["t"], milliseconds * 1000).astype("u8")
        if offset:
            file["t_offset"] = np.int64(offset)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.h5"


@pytest.mark.parametrize("options", [{}, COMPRESSED])
@pytest.mark.parametrize("chunk", [1 << 19, 100])
def test_three_et(path, options, chunk, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.hdf5_layouts, "CHUNK", chunk)
    three_et(path, **options)
    recording = open_recording(path)
    assert recording.format == "HDF5 (3ET)"
    np.testing.assert_array_equal(recording.events, EVENTS)
    assert recording.sensor_size == (40, 30)
    assert recording.metadata["sensor_size_from"] == "largest coordinates"
    assert recording.event_count == len(EVENTS)
    assert recording.warnings == []


def test_three_et_with_other_names_and_signed_polarity(path):
    EVENTS_SIGNED = np.empty(len(EVENTS), [("timestamp", "f8"), ("x", "f4"), ("y", "f4"), ("polarity", "f4")])
    EVENTS_SIGNED["timestamp"], EVENTS_SIGNED["polarity"] = EVENTS["t"] / 1e6, EVENTS["p"] * 2.0 - 1
    EVENTS_SIGNED["x"], EVENTS_SIGNED["y"] = EVENTS["x"], EVENTS["y"]
    with h5py.File(path, "w") as file:
        file["events"] = EVENTS_SIGNED
    with pytest.warns(SnnkdWarning, match="are taken for s"):
        recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, EVENTS)
    assert recording.metadata["time_unit"] == "s"


@pytest.mark.parametrize("kind", ["u4", "i8", "f8"])
def test_v2e(path, kind):
    with h5py.File(path, "w") as file:
        table = np.stack([EVENTS[name] for name in "txyp"], axis=1).astype(kind)
        file.create_dataset("events", data=table, maxshape=(None, 4), compression="gzip")
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, EVENTS)
    assert recording.metadata["columns"] == "t x y p"


@pytest.mark.parametrize("offset", [0, 49_599_300_000])
@pytest.mark.parametrize("options", [{}, COMPRESSED])
def test_dsec(path, offset, options, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.hdf5_layouts, "CHUNK", 100)
    dsec(path, offset, **options)
    recording = open_recording(path)
    assert recording.format == "HDF5 (DSEC)"
    expected = EVENTS.copy()
    expected["t"] += offset
    np.testing.assert_array_equal(recording.events, expected)
    assert recording.start_us == expected["t"][0]
    assert recording.metadata.get("t_offset_us", 0) == offset
    assert sum(len(window.events) for window in recording.windows(1000)) == len(EVENTS)


def test_prophesee_without_its_compression(path):
    out = np.empty(len(EVENTS), [("x", "u2"), ("y", "u2"), ("p", "i2"), ("t", "i8")])
    for name in "xypt":
        out[name] = EVENTS[name]
    with h5py.File(path, "w") as file:
        file["CD/events"] = out
        file.attrs["geometry"] = "1280x720"
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, EVENTS)
    assert recording.sensor_size == (1280, 720)
    assert recording.metadata["sensor_size_from"] == "header"


def with_filter(path, name, number, dtype):
    """A data set said to be compressed by a filter that is not there."""
    with h5py.File(path, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((100,))
        properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((500,))
        group = file.require_group(name.rpartition("/")[0] or "/")
        kind = h5py.h5t.py_create(np.dtype(dtype))
        h5py.h5d.create(group.id, name.rpartition("/")[2].encode(), kind, space, properties)


TABLE = [("x", "u2"), ("y", "u2"), ("p", "i2"), ("t", "i8")]


def test_prophesees_compression_is_told(path):
    with_filter(path, "CD/events", 0x8ECF, TABLE)
    with pytest.raises(RecordingError, match=r"ECF, which no package .* convert the file to RAW or DAT") as error:
        open_recording(path)
    assert "\n" not in str(error.value)


def test_a_missing_filter_is_told(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)  # as if it were not installed
    with_filter(path, "events", 32_000 + 765, TABLE)
    with pytest.raises(RecordingError, match=r"the filter 32765 .* pip install hdf5plugin"):
        open_recording(path)


def test_a_filter_that_the_plugin_lacks_is_told(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", types.ModuleType("hdf5plugin"))  # as if installed, without it
    with_filter(path, "events", 40_000, TABLE)
    with pytest.raises(RecordingError, match=r"the filter 40000 .* nor does hdf5plugin bring it; write .* with gzip"):
        open_recording(path)


def test_blosc_where_its_plugin_is_installed(path):
    hdf5plugin = pytest.importorskip("hdf5plugin")
    dsec(path, **hdf5plugin.Blosc(cname="zstd"), chunks=(100,))
    np.testing.assert_array_equal(open_recording(path).events, EVENTS)


def test_files_of_snnkd_stay_with_their_own_reader(path):
    write_hdf5(path, EVENTS, (40, 30))
    assert open_recording(path).format == "snnkd HDF5"


def test_arguments_decide(path):
    three_et(path)
    recording = Hdf5LayoutRecording(path, unit="ms", sensor_size=(64, 48))
    np.testing.assert_array_equal(recording.events["t"], EVENTS["t"] * 1000)
    assert recording.sensor_size == (64, 48)


def change(name, value):
    def apply(file):
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value

    return apply


def never_written(file):
    del file["events/t"]
    file.create_dataset("events/t", (500,), "u4", chunks=(100,))[:200] = EVENTS["t"][:200]


def huge_chunks(file):
    del file["events/t"]
    file.create_dataset("events/t", (500,), "u8", chunks=(2**26,), maxshape=(None,))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("events", None), "no snnkd recording, nor of another known layout: 3ET or v2e"),
        (change("events/p", None), "no snnkd recording, nor of another known layout"),
        (change("events/y", np.zeros(499, "u2")), "differ in length"),
        (change("events/x", np.zeros((500, 2), "u2")), r"events/x is uint16 \(500, 2\), not as the layout"),
        (change("events/x", np.bytes_("none")), r"events/x is \|S4 \(\), not as the layout"),
        (change("events/x", np.full(500, b"7")), "events/x holds |S1, expected numbers"),
        (change("events/x", np.full(500, 2.5)), "event 0 has x = 2.5, expected a whole number"),
        (change("events/x", np.full(500, 5000)), r"event 0 lies at \(x, y\) = \(5000, .*say the size"),
        (change("events/p", np.full(500, 3)), "event 0 has polarity 3"),
        (change("events/t", EVENTS["t"][::-1].copy()), "time runs backwards: event 1"),
        (change("t_offset", 0.5), "its t_offset is no whole number"),
        (change("t_offset", [1, 2]), "its t_offset is no whole number"),
        (never_written, "events/t promises .* but some of it was never written"),
        (huge_chunks, "events/t has chunks"),
    ],
)
def test_what_does_not_fit_is_told(path, damage, message):
    dsec(path)
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(RecordingError, match=message) as error:
        _ = open_recording(path).events
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_table_of_something_else_is_told(path):
    with h5py.File(path, "w") as file:
        file["events"] = np.zeros(3, [("a", "i4"), ("b", "i4")])
    with pytest.raises(RecordingError, match="events: no column for t, x, y, p among 'a', 'b'"):
        open_recording(path)
    with h5py.File(path, "w") as file:
        file["events"] = np.zeros((3, 5))
    with pytest.raises(RecordingError, match=r"events is float64 \(3, 5\)"):
        open_recording(path)


def test_data_in_other_files_are_refused(path):
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((500, 4), "i8")
        layout[:] = h5py.VirtualSource("elsewhere.h5", "events", (500, 4))
        file.create_virtual_dataset("events", layout)
    with pytest.raises(RecordingError, match="lies in other files"):
        open_recording(path)


def test_other_fields_are_left_out_with_a_warning(path):
    three_et(path, (("t", "u8"), ("x", "u2"), ("y", "u2"), ("p", "i1")))
    with h5py.File(path, "a") as file:
        old = file["events"][()]
        del file["events"]
        more = np.zeros(len(old), [*old.dtype.descr, ("label", "i4")])
        for name in old.dtype.names:
            more[name] = old[name]
        file["events"] = more
    with pytest.warns(SnnkdWarning, match="fields were left out: label"):
        np.testing.assert_array_equal(open_recording(path).events, EVENTS)


@pytest.mark.parametrize("options", [{}, COMPRESSED])
def test_cut_anywhere_is_told(path, options):
    dsec(path, **options)
    content = path.read_bytes()
    for length in [1, 7, 8, 50, *range(100, len(content), len(content) // 40), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(RecordingError, match=r"cut or damaged|no known format"):
            _ = open_recording(path).events


READ_ALL = """
import sys, faulthandler
from collections import Counter
from pathlib import Path
sys.path.insert(0, {here!r})
import snnkd.recordings.hdf5_layouts
from fuzzing import outcome
faulthandler.enable()
found = Counter(outcome(path, 50) for path in sorted(Path({folder!r}).iterdir()))
print(dict(found))
"""


@pytest.mark.parametrize("layout", ["3ET", "DSEC"])
def test_damage_crashes_nothing(tmp_path, layout):
    """HDF5 decodes in native code, so the damaged files are read in a process that may die or hang alone."""
    whole = tmp_path / "whole.h5"
    if layout == "3ET":
        three_et(whole, **COMPRESSED)
    else:
        dsec(whole, 10**6, **COMPRESSED)
    folder = tmp_path / "damaged"
    folder.mkdir()
    for i, (kind, data) in enumerate(mutations(whole.read_bytes(), 1000)):
        (folder / f"{i:04d} {kind}.h5").write_bytes(data)
    script = READ_ALL.format(here=str(Path(__file__).parent), folder=str(folder))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    assert "refused" in done.stdout


def v2e(path, frames=3, **more):
    """As v2e's event writer leaves it, with --dvs_h5 and its frames."""
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        table = np.stack([EVENTS[name].astype(np.int64) for name in "txy"] + [EVENTS["p"] * 2 - 1], axis=1)
        file.create_dataset("events", data=table.astype(np.uint32), chunks=(100, 4), compression="gzip")
        file["frame"] = rng.integers(0, 256, (frames, 30, 40), np.uint8)
        file["frame_ts"] = (np.arange(frames) * 33_333).astype(np.uint32)
        file["frame_idx"] = np.arange(frames, dtype=np.uint64)
        for name, values in more.items():
            file[name] = values
        return file["frame"][()]


def test_frames_of_v2e_are_read(path):
    images = v2e(path)
    with h5py.File(path, "a") as file:
        file["events"][:, 3] = EVENTS["p"]
    recording = open_recording(path)
    assert (recording.format, recording.warnings, recording.frame_count) == ("HDF5 (v2e)", [], 3)
    np.testing.assert_array_equal([image for _, image in recording.iter_frames()], images)
    np.testing.assert_array_equal(recording.frames.images, images)
    assert recording.frame_times_us.tolist() == [0, 33_333, 66_666]


def test_what_is_no_event_is_told(path):
    v2e(path, imu=[1.0, 2.0])
    with h5py.File(path, "a") as file:
        file["events"][:, 3] = EVENTS["p"]
        del file["frame_ts"]
    with pytest.warns(SnnkdWarning, match="what is no event was left out: frame, frame_idx, imu"):
        recording = open_recording(path)
    assert (recording.frame_count, recording.frames) == (0, None)
