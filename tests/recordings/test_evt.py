"""EVT2, EVT2.1 and EVT3: streams of the tests' own encoders, the real sample, and files that are wrong."""

import importlib
import multiprocessing
import tracemalloc
import warnings

import encoders
import numpy as np
import pytest
from encoders import EVT2_HEADER, EVT3_HEADER, evt21_header, header
from fuzzing import hold, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import EVENT_DTYPE, make_events
from snnkd.recordings import _prophesee_stream, open_recording
from snnkd.recordings.evt2 import Evt2Recording, Evt21Recording
from snnkd.recordings.evt3 import Evt3Recording

FORMATS = {
    "EVT2": (EVT2_HEADER, encoders.evt2, 4),
    "EVT2.1 little": (evt21_header("little"), encoders.evt21, 8),
    "EVT2.1 legacy": (evt21_header("legacy"), lambda *a, **k: encoders.evt21(*a, order="legacy", **k), 8),
    "EVT3": (EVT3_HEADER, encoders.evt3, 2),
}
WRAP = {"EVT2": 2**34, "EVT2.1 little": 2**34, "EVT2.1 legacy": 2**34, "EVT3": 2**24}


def some_columns(count, seed=0, start=0, rate=1.0, size=(1280, 720)):
    """Events in runs along a row, as edges make them, about ``rate`` runs a µs."""
    rng = np.random.default_rng(seed)
    runs = rng.integers(1, 12, count)
    runs = runs[np.cumsum(runs) <= count]
    run = np.repeat(np.arange(len(runs)), runs)
    t = start + np.cumsum(rng.exponential(1 / rate, len(runs))).astype(np.int64)
    x = np.concatenate([np.sort(rng.choice(32, n, replace=False)) for n in runs]) if len(runs) else np.empty(0, int)
    first = rng.integers(0, size[0] - 32, len(runs))
    y, p = rng.integers(0, size[1], len(runs)), rng.integers(0, 2, len(runs))
    return first[run] + x, y[run], t[run], p[run]


def written(path, head, data):
    path.write_bytes(head + data)
    return path


def evt3_words(*words):
    return np.array(words, "<u2").tobytes()


def evt2_words(*words):
    return np.array(words, "<u4").tobytes()


def test_the_real_recording(sample, digest):
    path, facts = sample("evt2/expelliarmus_evt2_sample.raw")
    recording = open_recording(path)
    assert isinstance(recording, Evt2Recording)
    assert list(recording.sensor_size) == facts["sensor"]
    assert recording.metadata["sensor_size_from"] == "system_ID 21"
    assert recording.metadata["serial_number"] == "30384338"
    assert recording.event_count == facts["n"]
    assert (recording.start_us, recording.start_us + recording.duration_us) == (facts["t0"], facts["t1"])
    assert digest(recording.events) == facts["sha256_events_t8x2y2p1"]
    assert recording.warnings == []
    assert (recording.metadata["trigger_words"], recording.metadata["unknown_words"]) == (0, 0)


@st.composite
def streams(draw, wrap):
    """Columns of events; runs along a row, silences, and a start that may lie right before the counter's end."""
    start = draw(st.sampled_from([0, 5, 4095, wrap - 3000, wrap - 1]))
    gaps = st.sampled_from([0, 0, 0, 1, 2, 63, 64, 4096, 5000, wrap // 3, wrap + 17])
    columns = []
    for gap, x, y, p in draw(
        st.lists(st.tuples(gaps, st.integers(0, 1248), st.integers(0, 719), st.booleans()), max_size=30)
    ):
        start += gap if columns else 0
        for i in draw(st.lists(st.integers(0, 31), min_size=1, max_size=8, unique=True).map(sorted)):
            columns.append((x + i, y, start, p))
    return np.array(columns, np.int64).reshape(-1, 4).T


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip(tmp_path_factory, name):
    head, encode, _ = FORMATS[name]
    path = tmp_path_factory.mktemp("evt") / "x.raw"

    @settings(max_examples=150, deadline=None)
    @given(streams(WRAP[name]), st.sampled_from([0.0, 0.3]), st.integers(0, 1000), st.sampled_from([1, 40, 1 << 19]))
    def check(columns, clutter, seed, chunk):
        path.write_bytes(head + encode(*columns, clutter=clutter, seed=seed))
        with pytest.MonkeyPatch.context() as patch:
            # Chunks and blocks of a few events and words: what one leaves behind, the next has to know.
            patch.setattr(_prophesee_stream, "CHUNK", chunk)
            patch.setattr(_prophesee_stream, "BLOCK", 8 * chunk)
            recording = open_recording(path)
            parts = list(recording.chunks())
        assert all(0 < len(part) <= chunk + 32 and part.dtype == EVENT_DTYPE for part in parts)
        events = np.concatenate([make_events([], [], [], []), *parts])
        np.testing.assert_array_equal(events, make_events(*columns))
        assert recording.sensor_size == (1280, 720)
        assert recording.format == name.split()[0]
        assert recording.warnings == []
        assert clutter or recording.metadata["unknown_words"] == recording.metadata["other_words"] == 0

    check()


def read(path, block, chunk):
    """All events and what was told, or the error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_prophesee_stream, "BLOCK", block)
        patch.setattr(_prophesee_stream, "CHUNK", chunk)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SnnkdWarning)
            recording = open_recording(path)
            try:
                return recording.events.tolist(), recording.warnings, recording.metadata
            except RecordingError as error:
                return str(error)


@pytest.mark.parametrize("name", FORMATS)
def test_where_blocks_and_chunks_end_does_not_matter(tmp_path, name):
    rng = np.random.default_rng(0)
    head, _, size = FORMATS[name]
    kinds = {2: [0, 0, 2, 2, 3, 4, 5, 6, 8, *range(16)]}.get(size, [0, 0, 1, 1, 8, *range(16)])
    wrong = 0
    for _ in range(200):
        # Words of all types, with few bits of time and place, so that some of the streams are whole.
        few = {2: 0x21F, 4: 0x00100FF, 8: 0x00100FF}[size]
        first = rng.choice(kinds, 60) << (12 if size == 2 else 28) | rng.integers(0, 1 << 28, 60) & few
        if size == 8:
            halves = np.stack([first, rng.integers(0, 1 << 32, 60)], 1)
            first = halves[:, ::-1] if "little" in name else halves
        path = written(tmp_path / "x.raw", head, first.astype("<u2" if size == 2 else "<u4").tobytes())
        whole = read(path, 1 << 21, 1 << 19)
        for block, chunk in [(size, 1), (3 * size, 7)]:
            assert read(path, block, chunk) == whole
        wrong += isinstance(whole, str)
    assert 0 < wrong < 200


def test_what_else_is_in_the_stream_is_counted(tmp_path):
    stream = encoders.Evt3()
    stream.add(*some_columns(50))
    for kind in (0xA, 0xA, 0xE, 0xF, 0xF, 0x7, 0x9, 0xB):
        stream.word(kind, 5)
    recording = open_recording(written(tmp_path / "x.raw", EVT3_HEADER, stream.data()))
    assert len(recording.events) == len(some_columns(50)[0])
    assert {key: value for key, value in recording.metadata.items() if key.endswith("words")} == {
        "trigger_words": 2,
        "other_words": 4,
        "unknown_words": 2,
    }
    data = encoders.evt2(*some_columns(50)) + evt2_words(0xA << 28, 0xE << 28, 0xF << 28, 0x3 << 28)
    recording = open_recording(written(tmp_path / "y.raw", EVT2_HEADER, data))
    assert len(recording.events) == len(some_columns(50)[0])
    assert [recording.metadata[f"{kind}_words"] for kind in ("trigger", "other", "unknown")] == [1, 2, 1]


def test_a_long_stream_agrees_with_the_package_evt3(tmp_path):
    package = pytest.importorskip("evt3")
    for seed in range(4):
        columns = some_columns(60_000, seed, rate=[1, 0.05, 0.001, 0.0003][seed])
        path = written(tmp_path / f"{seed}.raw", EVT3_HEADER, encoders.evt3(*columns, clutter=0.1, seed=seed))
        ours, theirs = open_recording(path).events, package.decode_file(str(path))
        np.testing.assert_array_equal(ours, make_events(theirs.x, theirs.y, theirs.t.astype(np.int64), theirs.p))
        np.testing.assert_array_equal(ours, make_events(*columns))


# Each: words, then the events (x, y, t, p) they are, and what is warned of.
H, L, Y, X, V, V12, V8 = 0x8000, 0x6000, 0x0000, 0x2000, 0x3000, 0x4000, 0x5000
ON = 0x800
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
    assert recording.sensor_size == (size or (x.max() + 1, y.max() + 1))
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
    recording = open_recording(written(tmp_path / "x.raw", header("evt 3.0", end=False), stream))
    with pytest.warns(SnnkdWarning, match="1 event was left out: before the first time-high"):
        assert recording.events.tolist() == [(10, 0, 1, False)]


def test_a_sensor_that_nothing_tells_is_told(tmp_path):
    path = written(tmp_path / "x.raw", header("evt 3.0"), evt3_words(H, L))
    with pytest.raises(RecordingError, match="size of its sensor is unknown"):
        open_recording(path).sensor_size  # noqa: B018
    path = written(tmp_path / "y.raw", header("evt 3.0"), evt3_words(H, L, Y, V | 2047, V12 | 3))
    with pytest.raises(RecordingError, match=r"\(2048, 0\), outside any sensor of 2048×2048 or less"):
        open_recording(path).sensor_size  # noqa: B018


@pytest.mark.parametrize("name", FORMATS)
def test_a_pass_holds_a_block_and_a_chunk(tmp_path, name, monkeypatch):
    head, encode, _ = FORMATS[name]
    monkeypatch.setattr(_prophesee_stream, "CHUNK", 2000)
    monkeypatch.setattr(_prophesee_stream, "BLOCK", 4096)
    columns = some_columns(60_000)
    path = written(tmp_path / "x.raw", head, encode(*columns))
    next(open_recording(path).chunks())  # compiled
    recording = open_recording(path)
    tracemalloc.start()
    try:
        count = sum(len(chunk) for chunk in recording.chunks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == len(columns[0])
    assert peak < 200_000 < count * EVENT_DTYPE.itemsize / 3


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


def count_events(path):
    importlib.import_module("snnkd.recordings.evt3")
    return sum(len(window.events) for window in open_recording(path).windows(1000))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_read_too(tmp_path, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system does not {method}")
    path = written(tmp_path / "x.raw", EVT3_HEADER, encoders.evt3(*some_columns(3000)))
    here = count_events(path)  # compiled before the fork
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(count_events, [path] * 4) == [here] * 4


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
    found = hold(path, data, MULTIPLES[name], count=2000)
    assert sum(found.values()) == 2000
    assert {what for _, what in found} == {"read", "warned", "refused"}
