"""RAW files that are cut or damaged."""

import encoders
import numpy as np
import pytest
from encoders import EVT3_HEADER
from evt_streams import FORMATS, some_columns, written
from fuzzing import hold, outcome

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import make_events
from snnkd.recordings import _prophesee_stream, open_recording


@pytest.mark.parametrize("name", FORMATS)
def test_cut_anywhere(tmp_path, name):
    head, encode, size = FORMATS[name]
    columns = some_columns(12, size=(1280, 720))
    whole, data = make_events(*columns), encode(*columns)
    path = tmp_path / "x.raw"
    for length in range(len(data) + 1):
        path.write_bytes(head + data[:length])
        if rest := length % size:
            cut = f"not a whole word of {size} bytes and"
            told = (
                f"the last byte is {cut} was left out"
                if rest == 1
                else f"the last {rest} bytes are {cut} were left out"
            )
            with pytest.warns(SnnkdWarning, match=told):
                events = open_recording(path).events
        else:
            events = open_recording(path).events
        np.testing.assert_array_equal(events, whole[: len(events)])
    np.testing.assert_array_equal(events, whole)
    for length in range(1, len(head)):
        path.write_bytes(head[:length])
        # Between lines a cut does not show: then the head is whole, and nothing follows.
        told = b"format" in head[:length] or b"geometry" in head[:length]
        if told and head[length - 1 : length] == b"\n":
            recording = open_recording(path)
            assert (recording.sensor_size, recording.event_count) == ((1280, 720), 0)
        else:
            with pytest.raises(RecordingError, match=r"cut within its header|no header|unknown|does not tell"):
                open_recording(path).sensor_size  # noqa: B018


def test_a_file_that_is_cut_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_prophesee_stream, "CHUNK", 100)
    monkeypatch.setattr(_prophesee_stream, "BLOCK", 64)
    path = written(tmp_path / "x.raw", EVT3_HEADER, encoders.evt3(*some_columns(5000)))
    recording = open_recording(path)
    chunks = recording.chunks()
    next(chunks)
    with path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(RecordingError, match="ends at byte 1000: it was cut while it was read"):
        list(chunks)
    path.unlink()
    with pytest.raises(RecordingError, match="cannot be read: No such file"):
        list(recording.chunks())


# The most memory that events may take, as a multiple of the file: 13 bytes an event, and of EVT3 12 events from a
# word of 2 bytes, of EVT2 1 from 4, of EVT2.1 32 from 8.
MULTIPLES = {"EVT3": 78, "EVT2": 3.25, "EVT2.1 little": 52, "EVT2.1 legacy": 52}


@pytest.mark.parametrize("name", FORMATS)
def test_damage(tmp_path, name):
    head, encode, _ = FORMATS[name]
    data = head + encode(*some_columns(1500, rate=0.02), clutter=0.05)
    path = tmp_path / "x.raw"
    path.write_bytes(data)
    assert len(open_recording(path).events) > 1000  # and compiled
    assert outcome(path, MULTIPLES[name]) == "read"
    word = {"EVT3": 2, "EVT2": 4}.get(name, 8)
    found = hold(path, data, MULTIPLES[name], silent=lambda length: (length - len(head)) % word == 0)
    assert sum(found.values()) == 2000
    assert {what for _, what in found} == {"read", "warned", "refused"}
