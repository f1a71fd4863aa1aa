"""The headers of RAW files: encoding, sensor, camera, and what they leave open or contradict."""

import warnings

import encoders
import numpy as np
import pytest
from encoders import header
from evt_streams import FORMATS, V12, H, L, V, X, Y, evt3_words, some_columns, written

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import make_events
from snnkd.recordings import open_recording
from snnkd.recordings.evt2 import Evt2Recording, Evt21Recording
from snnkd.recordings.evt3 import Evt3Recording

COLUMNS = some_columns(300, start=70, size=(600, 400))


@pytest.mark.parametrize(
    ("lines", "end", "encode", "kind", "size", "source"),
    [
        (["evt 3.0", "geometry 640x480"], True, encoders.evt3, Evt3Recording, (640, 480), "header"),
        (["format EVT3;height=480;width=640"], True, encoders.evt3, Evt3Recording, (640, 480), "header"),
        (["format EVT3;width=640;height=480", "evt 3.0"], False, encoders.evt3, Evt3Recording, (640, 480), "header"),
        (["system_ID 40"], False, encoders.evt3, Evt3Recording, (640, 480), "system_ID 40"),
        (
            ["evt 3.0", "system_ID 49", "integrator_name Prophesee"],
            True,
            encoders.evt3,
            Evt3Recording,
            (1280, 720),
            None,
        ),
        (["evt 3.0", "system_ID 49", "integrator_name Other"], True, encoders.evt3, Evt3Recording, None, "events"),
        (["evt 3.0", "system_ID 4x"], True, encoders.evt3, Evt3Recording, None, "events"),
        (["EVT 3", "width 640", "Height 480"], True, encoders.evt3, Evt3Recording, (640, 480), "header"),
        (["evt 2.0"], False, encoders.evt2, Evt2Recording, None, "events"),
        (["evt 2.0", "date 2020-01-01 10:00:00", "", "%", "a"], True, encoders.evt2, Evt2Recording, None, "events"),
        (["format EVT2;width=640;height=480"], True, encoders.evt2, Evt2Recording, (640, 480), "header"),
        (["evt 2.1"], True, encoders.evt21, Evt21Recording, None, "events"),
        (["evt 2.1"], False, FORMATS["EVT2.1 legacy"][1], Evt21Recording, None, "events"),
        (["evt 2.1", "system_ID 49"], True, FORMATS["EVT2.1 legacy"][1], Evt21Recording, (1280, 720), "system_ID 49"),
        (["evt 2.1", "endianness legacy"], True, FORMATS["EVT2.1 legacy"][1], Evt21Recording, None, "events"),
        (["format EVT21;height=320;width=640", "system_ID 64"], True, encoders.evt21, Evt21Recording, (640, 320), None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_headers(tmp_path, lines, end, encode, kind, size, source, newline):
    x, y, t, p = COLUMNS
    y = y % 320
    path = tmp_path / "x.bin"
    path.write_bytes(header(*lines, end=end).replace(b"\n", newline.encode()) + encode(x, y, t, p))
    recording = open_recording(path)
    assert type(recording) is kind
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert recording.sensor_size == (size or (x.max() + 1, y.max() + 1))
    assert len(told) == (size is None)
    if source:
        assert recording.metadata["sensor_size_from"] == source
    np.testing.assert_array_equal(recording.events, make_events(x, y, t, p))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "is empty"),
        (b"\x00\x80\x05\x60", "has no header"),
        (header("date 2020-01-01"), "does not tell the encoding"),
        (header("evt 4.0"), r"its encoding is 4\.0, snnkd reads 2\.0, 2\.1, 3\.0"),
        (header("format HISTO3D;width=320;height=320"), "its encoding is HISTO3D"),
        (header("evt 2.0", "format EVT3;width=9;height=9"), "contradicts itself: evt 2.0, but format EVT3"),
        (
            header("evt 3.0", "geometry 640x480", "format EVT3;width=640;height=400"),
            "contradicts itself about the sensor",
        ),
        (header("evt 3.0", "geometry 640"), "its header gives a sensor of '640' × ''"),
        (header("evt 3.0", "geometry 0x480"), "expected sides of 1..2048"),
        (header("evt 3.0", "geometry 640x99999999999"), "expected sides of 1..2048"),
        (header("evt 3.0", "format EVT3;width=2049;height=4"), "expected sides of 1..2048"),
        (header("evt 3.0", "format EVT3;width=640"), "expected sides of 1..2048"),
        (header("evt 2.1", "endianness big"), "endianness 'big', known are little and legacy"),
        (b"% evt 3.0\n$ geometry 640x480\n% end\n", "its header is damaged: the line at byte 10"),
        (b"% evt 3.0\n% geometry 640x480\n5 end\n", "its header is damaged: the line at byte 29"),
        (b"% evt 3.0\n% geometry 640x480", "cut within its header, in the line at byte 10"),
        (b"% evt 3.0\n% " + b"a" * 100_000 + b"\n% end\n", "does not end within 65536 bytes"),
        (b"% evt 3.0\n" + b"% a b\n" * 20_000, "does not end within 65536 bytes"),
    ],
)
def test_a_header_that_tells_too_little_or_too_much(tmp_path, head, message):
    path = written(tmp_path / "x.raw", head, b"")
    with pytest.raises(RecordingError, match=message) as error:
        open_recording(path)
    assert str(path) in str(error.value)


def test_data_that_begin_as_a_header_line_does(tmp_path):
    # 0x2025, little-endian, is "% ": an event before any time.
    stream = evt3_words(0x2025, 0x0101, H, L | 1, Y, X | 0xA)
    recording = open_recording(written(tmp_path / "x.raw", header("evt 3.0", "geometry 640x480", end=False), stream))
    with pytest.warns(SnnkdWarning, match="1 event was left out: before the first time-high"):
        assert recording.events.tolist() == [(10, 0, 1, False)]


def test_a_sensor_that_nothing_tells_is_told(tmp_path):
    path = written(tmp_path / "x.raw", header("evt 3.0"), evt3_words(H, L))
    with pytest.raises(RecordingError, match="size of its sensor is unknown"):
        open_recording(path).sensor_size  # noqa: B018
    path = written(tmp_path / "y.raw", header("evt 3.0"), evt3_words(H, L, Y, V | 2047, V12 | 3))
    with pytest.raises(RecordingError, match=r"\(2048, 0\), outside any sensor of 2048×2048 or less"):
        open_recording(path).sensor_size  # noqa: B018
