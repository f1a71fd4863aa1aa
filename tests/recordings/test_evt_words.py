"""EVT2, EVT2.1 and EVT3 word by word: what each means, and what is told of a wrong one."""

import pytest
from encoders import EVT3_HEADER
from evt_streams import FORMATS, ON, V8, V12, H, L, V, X, Y, evt2_words, evt3_words, written

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import _prophesee_stream, open_recording

# Each: words, then the events (x, y, t, p) they are, and what is warned of.
STREAMS = {
    "single": ((H | 1, L | 5, Y | 7, X | 3, X | ON | 4), [(3, 7, 4101, 0), (4, 7, 4101, 1)], None),
    "slave camera's row": ((H, L, Y | ON | 7, X | 3), [(3, 7, 0, 0)], None),
    "vectors move their base": (
        (H, L | 9, Y | 2, V | ON | 100, V12 | 0b1000_0000_0001, V8 | 0b1000_0001, V12 | 1),
        [(100, 2, 9, 1), (111, 2, 9, 1), (112, 2, 9, 1), (119, 2, 9, 1), (120, 2, 9, 1)],
        None,
    ),
    "vector of eight uses eight bits": ((H, L, Y, V, V8 | 0xF01), [(0, 0, 0, 0)], None),
    "empty vectors past the edge": ((H, L, Y, V | 1279, V12 | 1, V12, V8, V12), [(1279, 0, 0, 0)], None),
    "the same time high again": ((H | 1, L | 5, Y, X | 1, H | 1, X | 2), [(1, 0, 4101, 0), (2, 0, 4101, 0)], None),
    "another time high": ((H | 1, L | 5, Y, X | 1, H | 2, X | 2), [(1, 0, 4101, 0), (2, 0, 8192, 0)], None),
    "time high begins anew": (
        (H | 0xFFF, L | 5, Y, X | 1, H, L | 3, X | 2, H | 0xFF0, H | 1, L, X | 3),
        [(1, 0, 0xFFF005, 0), (2, 0, 0x1000003, 0), (3, 0, 0x2001000, 0)],
        None,
    ),
    "time low falls for a trigger": (
        (H, L | 90, Y, X | 1, L | 80, 0xA001, L | 90, X | 2, L | 91, X | 3),
        [(1, 0, 90, 0), (2, 0, 90, 0), (3, 0, 91, 0)],
        None,
    ),
    "time high falls for a trigger": ((H | 9, L, Y, X | 1, H | 8, 0xA001, H | 9, L | 1, X), 2, None),
    "stale time low": (
        (H, L | 90, Y, X | 1, L | 80, X | 2, V | 5, V12 | 0b11, L | 90, X | 3, H | 1, L | 2, X | 4),
        [(1, 0, 90, 0), (3, 0, 90, 0), (4, 0, 4098, 0)],
        "3 events were left out: a stale time-low word puts them before the event that precedes them",
    ),
    "no time yet": (
        (L | 5, Y | 1, X | 1, V | 2, V12 | 0b101, H | 2, X | 9, L | 1, X | 5),
        [(9, 1, 8192, 0), (5, 1, 8193, 0)],
        "3 events were left out: before the first time-high word no time is known",
    ),
    "never a time": ((L | 5, Y | 1, X | 1), [], "1 event was left out: before the first time-high word"),
    "no row yet": (
        (H, L, X | 1, V, V12 | 3, Y | 4, X | 2),
        [(2, 4, 0, 0)],
        "3 events were left out: no word before gives their row",
    ),
    "no base yet": (
        (H, L, Y, V12 | 3, V8 | 1, V | 1, V8 | 1),
        [(1, 0, 0, 0)],
        "3 events were left out: no word before gives their row",
    ),
    "rows of something else": (
        (H, L, Y | 4, X | 1, 0x1005, X | 2, V, V12 | 1, Y | 4, X | 3),
        [(1, 4, 0, 0), (3, 4, 0, 0)],
        "2 events were left out: no word before gives their row, or the base of their vector",
    ),
    "outside rows without events": ((H, L, Y | 720, Y | 719, X), [(0, 719, 0, 0)], None),
    "no words": ((), [], None),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("block", [2, 1 << 21])
def test_the_words_of_evt3(tmp_path, name, block, monkeypatch, recwarn):
    monkeypatch.setattr(_prophesee_stream, "BLOCK", block)
    words, expected, warning = STREAMS[name]
    recording = open_recording(written(tmp_path / "x.raw", EVT3_HEADER, evt3_words(*words)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *args, **kwargs: None)
        events = recording.events
    if isinstance(expected, int):
        assert len(events) == expected
    else:
        assert events.tolist() == [(x, y, t, bool(p)) for x, y, t, p in expected]
    assert [warning in told for told in recording.warnings] == ([True] if warning else [])
    # The second pass tells nothing again.
    assert sum(len(c) for c in recording._read_chunks()) == len(events)
    assert len(recording.warnings) == (1 if warning else 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (H, L, Y, X, X | 1280),
            r"event 1 \(byte B\+8\) lies at \(x, y\) = \(1280, 0\), outside the sensor of 1280×720",
        ),
        ((H, L, Y | 720, X), r"event 0 \(byte B\+6\) lies at \(x, y\) = \(0, 720\)"),
        ((H, L, Y | 720, V | 4, V8 | 0x10), r"event 0 \(byte B\+8\) lies at \(x, y\) = \(8, 720\)"),
        ((H, L, Y, V | 1279, V8 | 3), r"event 1 \(byte B\+8\) lies at \(x, y\) = \(1280, 0\)"),
        ((H, L, Y, V | 2047, *[V12] * 500, V12 | 1), r"lies at \(x, y\) = \(8047, 0\)"),
        ((H | 9, L, Y, X, H | 8, L | 5, X), r"backwards: event 1 \(byte B\+12\) is at 32773 µs after 36864 µs"),
        ((H | 2100, L, Y, X, H, X), r"backwards: event 1 \(byte B\+10\) is at 0 µs after 8601600 µs"),
        ((H | 9, L, Y, V, V8 | 7, H | 8, V8 | 7), r"backwards: event 3 \(byte B\+12\)"),
    ],
)
def test_a_wrong_word_of_evt3_is_told_with_its_byte(tmp_path, words, message):
    path = written(tmp_path / "x.raw", EVT3_HEADER, evt3_words(*words))
    offset = message.partition("B\\+")[2].partition("\\")[0]
    if offset:
        message = message.replace(f"B\\+{offset}", str(len(EVT3_HEADER) + int(offset)))
    with pytest.raises(RecordingError, match=message):
        _ = open_recording(path).events


def evt2_event(x, y, low, p=0):
    return p << 28 | low << 22 | x << 11 | y


@pytest.mark.parametrize("name", ["EVT2", "EVT2.1 little", "EVT2.1 legacy"])
def test_the_words_of_evt2(tmp_path, name):
    head, _, size = FORMATS[name]

    def file(*words):
        pairs = [word if isinstance(word, tuple) else (word, 1) for word in words]
        order = {"EVT2": slice(0, 1), "EVT2.1 little": slice(None, None, -1), "EVT2.1 legacy": slice(None)}[name]
        return written(tmp_path / "x.raw", head, evt2_words(*(half for pair in pairs for half in pair[order])))

    def at(word):
        return len(head) + word * size

    top = 8 << 28
    recording = open_recording(file(evt2_event(1, 2, 3), top | 7, evt2_event(4, 5, 6, 1), evt2_event(4, 5, 6)))
    with pytest.warns(SnnkdWarning, match="1 event was left out: before the first time-high word"):
        assert recording.events.tolist() == [(4, 5, 7 * 64 + 6, True), (4, 5, 7 * 64 + 6, False)]
    recording = open_recording(file(top | 0xFFFFFFF, evt2_event(1, 2, 63), top, evt2_event(1, 2, 0)))
    assert recording.events["t"].tolist() == [2**34 - 1, 2**34]
    for words, message in [
        ((top, evt2_event(1280, 5, 0)), rf"event 0 \(byte {at(1)}\) lies at \(x, y\) = \(1280, 5\)"),
        ((top, evt2_event(1, 5, 0), evt2_event(2, 720, 0)), rf"event 1 \(byte {at(2)}\) lies at \(x, y\) = \(2, 720\)"),
        ((top, evt2_event(1, 5, 1), evt2_event(1, 5, 0)), rf"event 1 \(byte {at(2)}\) is at 0 µs after 1 µs"),
        ((top | 1 << 27, evt2_event(1, 5, 1), top, evt2_event(1, 5, 0)), rf"\(byte {at(3)}\) is at 0 µs after"),
    ]:
        with pytest.raises(RecordingError, match=message):
            _ = open_recording(file(*words)).events
    if size == 8:
        recording = open_recording(file(top, (evt2_event(1248, 5, 1), 1 << 31 | 1), (evt2_event(1279, 5, 1), 0)))
        assert recording.events["x"].tolist() == [1248, 1279]
        with pytest.raises(RecordingError, match=rf"event 1 \(byte {at(1)}\) lies at \(x, y\) = \(1280, 5\)"):
            _ = open_recording(file(top, (evt2_event(1249, 5, 1), 1 << 31 | 1))).events
