"""EVT2, EVT2.1 and EVT3: streams of the tests' own encoders, the real sample, and how they are read."""

import importlib
import multiprocessing
import tracemalloc
import warnings

import encoders
import numpy as np
import pytest
from encoders import EVT2_HEADER, EVT3_HEADER
from evt_streams import FORMATS, WRAP, evt2_words, some_columns, written
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import EVENT_DTYPE, make_events
from snnkd.recordings import _prophesee_stream, open_recording
from snnkd.recordings.evt2 import Evt2Recording


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
