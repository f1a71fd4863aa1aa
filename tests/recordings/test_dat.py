"""DAT: records of the tests' own encoder, the real sample, and files that are wrong."""

import warnings

import encoders
import numpy as np
import pytest
from encoders import DAT_HEADER, header
from fuzzing import hold, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import EVENT_DTYPE, make_events
from snnkd.recordings import _prophesee_stream, open_recording
from snnkd.recordings.dat import DatRecording
from snnkd.recordings.evt3 import Evt3Recording


def test_the_real_recording(sample, digest):
    path, facts = sample("dat/NCARS_obj_004397_td.dat")
    recording = open_recording(path, sensor_size=(304, 240))
    assert (recording.sensor_size, recording.metadata["sensor_size_from"]) == ((304, 240), "argument")
    assert digest(recording.events) == facts["sha256_events_t8x2y2p1"]
    recording = open_recording(path)
    assert isinstance(recording, DatRecording)
    assert recording.metadata == {
        "Data": "file containing N9Chronocam7Event2dE events.",
        "Version": "2",
        "Date": "2017-10-31 11:27:54",
        "sensor_size_from": "events",
    }
    with pytest.warns(
        SnnkdWarning, match="nothing tells the size of its sensor; 54×61, what its events span, was taken"
    ):
        events = recording.events
    assert recording.sensor_size == (events["x"].max() + 1, events["y"].max() + 1) == (54, 61)
    assert len(events) == facts["n"]
    assert digest(events) == facts["sha256_events_t8x2y2p1"]
    assert len(recording.warnings) == 1


@st.composite
def columns(draw):
    """Columns of events, times with steps up to 4 minutes, that may pass the counter's end."""
    start = draw(st.sampled_from([0, 7, 2**32 - 1, 2**32 - 2**27]))
    steps = st.sampled_from([0, 0, 1, 50, 2**27])
    place = st.tuples(steps, st.integers(0, 1279), st.integers(0, 719), st.booleans())
    dt, x, y, p = np.array(draw(st.lists(place, max_size=60)), np.int64).reshape(-1, 4).T
    return x, y, start + np.cumsum(dt) - dt[:1].sum(), p


@settings(max_examples=150, deadline=None)
@given(columns(), st.sampled_from([1, 5, 1 << 19]))
def test_round_trip(tmp_path_factory, columns, chunk):
    path = tmp_path_factory.mktemp("dat") / "x.dat"
    path.write_bytes(DAT_HEADER + encoders.dat(*columns))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_prophesee_stream, "CHUNK", chunk)
        patch.setattr(_prophesee_stream, "BLOCK", 8 * chunk)
        recording = open_recording(path)
        parts = list(recording.chunks())
    assert all(0 < len(part) <= chunk + 1 and part.dtype == EVENT_DTYPE for part in parts)
    np.testing.assert_array_equal(np.concatenate([make_events([], [], [], []), *parts]), make_events(*columns))
    assert recording.sensor_size == (1280, 720)
    assert recording.warnings == []


SOME = (np.array([3, 9, 4]), np.array([8, 2, 2]), np.array([1, 1, 5]), np.array([0, 1, 1]))
CD = "Data file containing CD events"


@pytest.mark.parametrize(
    ("lines", "end", "start", "size", "source"),
    [
        ([CD, "Version 2", "Width 640", "Height 480"], False, b"\x00\x08", (640, 480), "header"),
        ([CD, "Version 2", "Height 480", "Width 640"], True, b"\x0c\x08", (640, 480), "header"),
        ([CD, "Version 2.0", "width 640", "height 480"], True, b"\x0c\x08", (640, 480), "header"),
        ([CD, "geometry 640x480"], False, b"\x0c\x08", (640, 480), "header"),
        ([CD], False, b"\x00\x08", (10, 9), "events"),
        (["Date 2017-10-31 11:27:54"], False, b"\x00\x08", (10, 9), "events"),
        ([CD, "Version 2", "system_ID 21"], False, b"\x00\x08", (640, 480), "system_ID 21"),
        (["Version 2", "Width 16384", "Height 1"], False, b"\x00\x08", None, "header"),
    ],
)
def test_headers(tmp_path, lines, end, start, size, source):
    path = tmp_path / "x.bin"
    path.write_bytes(header(*lines, end=end) + start + encoders.dat(*SOME))
    recording = open_recording(path)
    assert isinstance(recording, DatRecording)
    assert recording.metadata["sensor_size_from"] == source
    if size:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert recording.sensor_size == size
        assert len(told) == (source == "events")
        np.testing.assert_array_equal(recording.events, make_events(*SOME))
    else:
        assert recording.sensor_size == (16384, 1)
        with pytest.raises(RecordingError, match="outside the sensor of 16384×1"):
            _ = recording.events


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\x00\x08" + bytes(16), "has no header"),
        (header(CD, "Version 2", end=False), "cut at byte 45, before the type and size of its events"),
        (header(CD, "Version 2", end=False) + b"\x00", "cut at byte 46, before the type and size of its events"),
        (header(CD, "Version 1", end=False) + b"\x00\x08", "is of version 1, snnkd reads version 2"),
        (header(CD, "Version 2", end=False) + b"\x0e\x08", "holds external triggers"),
        (header(CD, "Version 2", end=False) + b"\x0c\x10", "type 0x0c and 16 bytes, expected type 0x00 or 0x0c"),
        (header(CD, "Version 2", end=False) + b"\x28\x08", "the bytes at 45 call for events of type 0x28"),
        (header("Data file containing EM events", end=False) + b"\x00\x08", "holds exposure measurements"),
        (header(CD, "Width 640", end=False) + b"\x00\x08", "its header gives a sensor of '640' × ''"),
        (header(CD, "Width 16385", "Height 3", end=False) + b"\x00\x08", "expected sides of 1..16384"),
        (header(CD, "Width -3", "Height 3", end=False) + b"\x00\x08", "expected sides of 1..16384"),
        (header("evt 3.0", "format EVT3;width=9;height=9") + b"\x00\x08", None),
    ],
)
def test_headers_of_what_is_no_such_file(tmp_path, head, message):
    path = tmp_path / "x.dat"
    path.write_bytes(head)
    if message is None:  # content comes before the name
        assert isinstance(open_recording(path), Evt3Recording)
    else:
        with pytest.raises(RecordingError, match=message):
            open_recording(path)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ((1280, 2, 9, 0), r"lies at \(x, y\) = \(1280, 2\), outside the sensor of 1280×720"),
        ((1, 720, 9, 0), r"lies at \(x, y\) = \(1, 720\)"),
        ((16383, 16383, 9, 1), r"lies at \(x, y\) = \(16383, 16383\)"),
        ((1, 2, 9, 2), "has a polarity other than 0 and 1"),
        ((1, 2, 4, 1), "is at 4 µs after 5 µs"),
    ],
)
def test_a_wrong_record_is_told_with_its_byte(tmp_path, record, message):
    path = tmp_path / "x.dat"
    path.write_bytes(DAT_HEADER + encoders.dat(*(np.append(a, b) for a, b in zip(SOME, record, strict=True))))
    with pytest.raises(RecordingError, match=rf"event 3 \(byte {len(DAT_HEADER) + 24}\) {message}"):
        _ = open_recording(path).events


@pytest.mark.parametrize("length", range(25))
def test_cut_anywhere(tmp_path, length):
    path = tmp_path / "x.dat"
    path.write_bytes(DAT_HEADER + encoders.dat(*SOME)[:length])
    if length % 8:
        with pytest.warns(SnnkdWarning, match="not a whole word of 8 bytes"):
            recording = open_recording(path)
    else:
        recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, make_events(*SOME)[: length // 8])


def test_damage(tmp_path):
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.integers(0, 40, 500))
    records = encoders.dat(rng.integers(0, 1280, 500), rng.integers(0, 720, 500), t, rng.integers(0, 2, 500))
    path = tmp_path / "x.dat"
    path.write_bytes(DAT_HEADER + records)
    assert len(open_recording(path).events) == 500  # and compiled
    assert outcome(path, 13 / 8) == "read"
    found = hold(path, DAT_HEADER + records, 13 / 8, silent=lambda length: (length - len(DAT_HEADER)) % 8 == 0)
    assert sum(found.values()) == 2000
    assert {what for _, what in found} == {"read", "warned", "refused"}


@pytest.mark.parametrize(("x", "y"), [(4096, 0), (0, 4096), (8226, 8227)])
def test_a_guessed_sensor_is_none_of_a_damaged_events(tmp_path, x, y):
    """Two flipped bits asked for 8227×8228 pixels."""
    path = tmp_path / "x.dat"
    columns = tuple(np.r_[column, last] for column, last in zip(SOME, (x, y, 10**6, 1), strict=True))
    path.write_bytes(header(CD) + b"\x00\x08" + encoders.dat(*columns))
    with pytest.raises(RecordingError, match=rf"\({x}, {y}\), outside any sensor of 4096×4096 or less"):
        open_recording(path).sensor_size  # noqa: B018
    assert open_recording(path, sensor_size=(9000, 9000)).event_count == len(SOME[0]) + 1
    with pytest.raises(ValueError, match=r"sensor_size must be \(W, H\) with both in 1..16384"):
        DatRecording(path, sensor_size=(0, 5))
