"""Options that reach a reader, what is said of a path that is no recording, and readers of others."""

import re
import textwrap
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import EVENT_DTYPE
from snnkd.recordings import Recording, open_recording, register_format, registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def formats(monkeypatch):
    monkeypatch.setattr(registry, "_formats", list(registry._formats))


class Reader(Recording):
    format = "EVX"
    sensor_size = (8, 6)

    def _read_chunks(self):
        yield self.given


def reader(chunk, size=(8, 6)):
    return type("Mine", (Reader,), {"given": chunk, "sensor_size": size})


def some(x=1, y=1):
    return np.array([(x, y, 5, True)], EVENT_DTYPE)


def test_options_reach_the_reader(tmp_path):
    (tmp_path / "x.txt").write_text("5 1 2 1 9\n7 2 2 0 9\n")
    recording = open_recording(tmp_path / "x.txt", columns="txyp-", unit="ms", sensor_size=(30, 20), fps=None)
    assert recording.events["t"].tolist() == [5000, 7000]
    assert recording.sensor_size == (30, 20)
    np.save(tmp_path / "x.npy", np.array([[5, 1, 2, 1]]))
    assert open_recording(tmp_path / "x.npy", unit="ms").start_us == 5000
    for i in range(3):
        (tmp_path / "f").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "f" / f"{i}.png"), np.zeros((6, 8), np.uint8))
    assert [time for time, _ in open_recording(tmp_path / "f", fps=50).iter_frames()] == [0, 20_000, 40_000]


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("x.npy", {"columns": "txyp"}, "is NPY, which takes no columns; it takes unit, sensor_size"),
        ("x.txt", {"camera": "DVS128"}, "is text, which takes no camera; it takes columns, unit, sensor_size"),
        ("x.txt", {"speed": 3}, "which takes no speed"),
    ],
)
def test_an_option_that_the_reader_does_not_take_is_refused(tmp_path, name, option, message):
    (tmp_path / "x.txt").write_text("5 1 2 1\n")
    np.save(tmp_path / "x.npy", np.array([[5, 1, 2, 1]]))
    with pytest.raises(RecordingError, match=message):
        open_recording(tmp_path / name, **option)


def test_a_dat_file_without_geometry_can_be_told_its_size(sample):
    path, _ = sample("dat/NCARS_obj_004397_td.dat")
    guessed = open_recording(path)
    with pytest.warns(SnnkdWarning, match="nothing tells the size of its sensor; 54×61, what its events span"):
        assert guessed.sensor_size == (54, 61)
    recording = open_recording(path, sensor_size=(64, 80))
    assert recording.sensor_size == (64, 80)
    assert (recording.events == guessed.events).all()
    assert recording.warnings == []


@pytest.mark.parametrize(
    ("made", "asked", "message"),
    [
        ([], "", "the folder is empty"),
        (["0/events.aerdat"], "", r"is no recording, but holds 0/: name one of them"),
        (["a.h5", "b.npz", "notes.md"], "", "is no recording, but holds a.h5, b.npz: name one of them"),
        ([f"{i}.csv" for i in range(5)], "", "holds 0.csv, 1.csv, 2.csv and 2 more: name one of them"),
        (["notes.md"], "", "is a folder of no known format; the README"),
        (["1.png"], "1.png", "is one image; name the folder that holds it and the others"),
        (["x.json"], "x.json", "is of no known format; the README lists those that are read"),
    ],
)
def test_what_is_no_recording_is_told_what_was_likely_meant(tmp_path, made, asked, message):
    for name in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{ 1 }")
    with pytest.raises(RecordingError, match=message) as error:
        open_recording(tmp_path / asked)
    assert len(str(error.value)) < len(str(tmp_path)) + 120


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((Reader, "EVX"), {}, TypeError, r"the call is register_format\(name, open\)"),
        (("EVX", "Reader"), {}, TypeError, "must be callable"),
        (("EVX", Reader), {"recognises": "EVX"}, TypeError, "must be callable"),
        (("EVX", Reader), {"extensions": ".evx"}, TypeError, "must be a sequence of endings"),
        (("EVX", Reader), {"extensions": ("evx",)}, ValueError, "begins with a dot, as in '.evx', got 'evx'"),
        (("EVX", lambda: None), {}, TypeError, "open must take the path"),
    ],
)
def test_what_cannot_be_a_format_is_refused_when_it_is_registered(arguments, options, error, message):
    before = list(registry._formats)
    with pytest.raises(error, match=message):
        register_format(*arguments, **options)
    assert registry._formats == before


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        (np.zeros((3, 4)), TypeError, r"gave a chunk float64 \(3, 4\), expected .*make_events"),
        ([(1, 1, 5, True)], TypeError, "gave a chunk of type list, expected an event array"),
        (np.zeros(3, [("t", "i8"), ("x", "i2")]), TypeError, "gave a chunk"),
        (some(x=8), RecordingError, r"event 0 lies at \(x, y\) = \(8, 1\), outside the sensor of 8×6"),
        (some(y=-1), RecordingError, r"event 0 lies at \(x, y\) = \(1, -1\), outside the sensor of 8×6"),
    ],
)
def test_what_a_reader_of_others_yields_is_checked(tmp_path, made, error, message):
    (tmp_path / "x.evx").write_bytes(b"EVX")
    register_format("EVX", reader(made), extensions=[".EVX"])
    with pytest.raises(error, match=message):
        _ = open_recording(tmp_path / "x.evx").events
    with pytest.raises(error, match=message):
        list(open_recording(tmp_path / "x.evx").windows(1000))


@pytest.mark.parametrize("size", [(8, 6, 2), 8, (0, 6), ("8", "6"), None])
def test_a_size_that_is_none_is_told(tmp_path, size):
    (tmp_path / "x.evx").write_bytes(b"EVX")
    register_format("EVX", reader(some(), size), extensions=[".evx"])
    with pytest.raises(TypeError, match=r"gave the sensor size .* expected"):
        _ = open_recording(tmp_path / "x.evx").events


def test_a_reader_that_gives_no_recording_is_told(tmp_path):
    (tmp_path / "x.evx").write_bytes(b"EVX")
    register_format("EVX", lambda path: np.zeros(3, EVENT_DTYPE), extensions=[".evx"])
    with pytest.raises(TypeError, match="the reader of EVX gave ndarray, expected a snnkd"):
        open_recording(tmp_path / "x.evx")


def test_the_recipe_of_the_guide_reads_its_own_file(tmp_path):
    """docs/recordings.rst, as it stands there."""
    (code,) = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", (ROOT / "docs" / "recordings.rst").read_text())
    names = {"__name__": "recipe"}
    exec(compile(textwrap.dedent(code), "recordings.rst", "exec"), names)
    header = b"EVX1" + np.array([8, 6], "<u2").tobytes()
    records = np.array([(10, 1, 2, 1), (20, 7, 5, 0)], names["RECORD"])
    path = tmp_path / "mine"
    path.write_bytes(header + records.tobytes())
    recording = open_recording(path)
    assert recording.events.tolist() == [(1, 2, 10, True), (7, 5, 20, False)]
    assert (recording.sensor_size, recording.event_count, recording.duration_us) == ((8, 6), 2, 10)
    path.write_bytes(header + records.tobytes()[:-3])
    with pytest.warns(SnnkdWarning, match="the last 6 bytes are a cut record"):
        assert open_recording(path).events.tolist() == [(1, 2, 10, True)]
    path.write_bytes(header[:5])
    with pytest.raises(RecordingError, match="ends at byte 5, within its header"):
        open_recording(path)
    path.write_bytes(header + np.array([(10, 8, 2, 1)], names["RECORD"]).tobytes())
    with pytest.raises(RecordingError, match="outside the sensor of 8×6"):
        _ = open_recording(path).events


def test_a_mistake_in_a_reader_of_others_is_one_line(tmp_path):
    class Failing(Reader):
        def __init__(self, path, gain=1):
            super().__init__(path)
            self.given = {"a": {}[path.stem]} if path.stem == "made" else None

        def _read_chunks(self):
            yield some()
            yield {}["events"]

    register_format("EVX", Failing, extensions=[".evx"])
    for name in ("made.evx", "read.evx"):
        (tmp_path / name).write_bytes(b"EVX")
    with pytest.raises(RecordingError, match=r"made.evx: the reader EVX failed: KeyError: 'made'") as error:
        open_recording(tmp_path / "made.evx")
    assert isinstance(error.value.__cause__, KeyError)
    with pytest.raises(RecordingError, match=r"read.evx: the reader Failing failed: KeyError: 'events'"):
        _ = open_recording(tmp_path / "read.evx", gain=2).events


def test_a_warning_points_at_the_caller(tmp_path):
    (tmp_path / "x.txt").write_text("t_us,x,y,p,label\n5,1,2,1,9\n")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        open_recording(tmp_path / "x.txt")
    (warning,) = told
    assert warning.filename == __file__
