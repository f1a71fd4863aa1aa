"""What all recordings share, on a recording in memory: windows, order, checks; and the registry."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import EVENT_DTYPE
from snnkd.recordings import Frames, Recording, known_formats, open_recording, register_format, registry


class Memory(Recording):
    """A recording whose file is a list of column tuples."""

    format = "memory"
    sensor_size = (8, 4)

    def __init__(self, chunks, frames=None):
        super().__init__("memory.x")
        self.source, self.given_frames, self.reads = chunks, frames, 0

    def _read_chunks(self):
        self.reads += 1
        index = 0
        for x, y, t, p in self.source:
            yield self._pack(np.array(x), np.array(y), np.array(t), np.array(p), index)
            index += len(x)

    def _read_frames(self):
        return self.given_frames and Frames(*self.given_frames)


def memory(times, cuts=()):
    """A recording with events at the given times, each in a pixel of its own number, cut into chunks."""
    number = np.arange(len(times))
    columns = (number % 8, number // 8 % 4, np.array(times, np.int64), number % 2)
    return Memory([tuple(c[part] for c in columns) for part in np.split(number, sorted(cuts))])


@st.composite
def recordings(draw):
    origin = draw(st.sampled_from([0, -70, 1_605_537_493_718_345]))
    times = sorted(draw(st.lists(st.integers(0, 400), max_size=40)))
    cuts = draw(st.lists(st.integers(0, len(times)), max_size=6))
    return origin, [origin + t for t in times], cuts


@settings(max_examples=300, deadline=None)
@given(recordings(), st.integers(1, 90), st.none() | st.integers(-60, 450), st.none() | st.integers(-60, 450))
def test_windows_partition_the_recording(case, window, start, end):
    origin, times, cuts = case
    recording = memory(times, cuts)
    first = times[0] if start is None and times else start if start is None else origin + start
    last = None if end is None else origin + end
    absolute = None if start is None else origin + start
    if None not in (absolute, last) and last < absolute:
        with pytest.raises(ValueError, match="end_us must not be before start_us"):
            recording.windows(window, absolute, last)
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        windows = list(recording.windows(window, absolute, last))
    missed = bool(times) and ((last is not None and last <= times[0]) or first > times[-1])
    assert ["no event is in the windows asked for" in str(w.message) for w in told] == [True] * missed

    inside = [t for t in times if t >= first and (last is None or t < last)] if first is not None else []
    # How many there have to be follows from the two ends alone.
    stop = last if last is not None else inside[-1] + 1 if inside else first
    count = 0 if first is None else max(0, -(-(stop - first) // window))
    assert len(windows) == count
    for i, w in enumerate(windows):
        assert (w.index, w.start_us, w.end_us) == (i, first + i * window, first + (i + 1) * window)
        assert w.events.dtype == EVENT_DTYPE
        assert w.events["t"].tolist() == [t for t in inside if w.start_us <= t < w.end_us]
    if inside:
        joined = np.concatenate([w.events for w in windows])
        begin = times.index(inside[0])
        np.testing.assert_array_equal(joined, recording.events[begin : begin + len(inside)])


def test_windows_need_no_more_than_the_next_chunk():
    recording = memory(range(0, 1000, 10), cuts=range(5, 100, 5))
    read = []
    chunks = recording._read_chunks
    recording._read_chunks = lambda: (read.append(1) or chunk for chunk in chunks())
    windows = recording.windows(50)
    for i in range(1, 6):
        next(windows)
        assert len(read) <= i + 1
    read.clear()
    assert len(list(recording.windows(50, end_us=200))) == 4
    assert len(read) == 5, "what lies behind the end is not read"


def test_iteration_is_windows_of_a_thirtieth_second():
    recording = memory([5, 33_337, 33_338, 99_999])
    assert [(w.start_us, len(w.events)) for w in recording] == [(5, 2), (33_338, 1), (66_671, 1)]


@pytest.mark.parametrize("cuts", [(), (2,)])
def test_a_jump_in_time_is_told_with_its_place(cuts):
    for times in ([0, 5, 5 + 330_000_000_001], [-(2**62), -(2**62) + 1, 2**62]):
        message = rf"memory\.x: time jumps: event 2 is at {times[2]} µs after {times[1]} µs"
        windows = memory(times, cuts).windows(33_000)
        with pytest.raises(RecordingError, match=message):
            next(windows), next(windows)
    assert len(list(memory([0, 5, 5 + 330_000_000_001], cuts).windows(33_000, end_us=100))) == 1
    with pytest.raises(ValueError, match=r"start_us = 0 is more than 10000000 windows .* at 1600000000000000 µs"):
        next(memory([1_600_000_000_000_000], ()).windows(33_000, start_us=0))


def test_half_an_hour_of_silence_is_windows():
    assert len(list(memory([0, 1_800_000_000]).windows())) == 54_001


@pytest.mark.parametrize("window", [0, -5])
def test_a_window_below_a_microsecond_is_told_at_once(window):
    with pytest.raises(ValueError, match="window_us"):
        memory([1]).windows(window)


@pytest.mark.parametrize("times", [{"window_us": 0.05}, {"window_us": 50e3}, {"start_us": 0.5}, {"end_us": "7"}])
def test_times_that_are_no_whole_microseconds_are_told(times):
    (name, value), *_ = times.items()
    with pytest.raises(TypeError, match=rf"{name} is whole µs, got {value!r} \(50 ms is 50000\)"):
        memory([1]).windows(**times)


@pytest.mark.parametrize(("range_us", "why"), [((0, 100), "its first event .* 500"), ((901, 1000), "its last .* 900")])
def test_windows_beside_the_recording_are_told(range_us, why):
    with pytest.warns(SnnkdWarning, match=rf"memory\.x: no event is in the windows asked for: .*{why}"):
        assert not any(len(w.events) for w in memory([500, 900]).windows(50, *range_us))
    assert len(list(memory([500, 900]).windows(50, 600, 700))) == 2, "silence within the recording is no mistake"


def test_windows_of_what_is_in_memory_are_the_callers_own():
    recording = memory([1, 2, 3])
    before = recording.events.copy()
    for chunk in [*recording.chunks(), *(w.events for w in recording.windows(2))]:
        chunk["x"] += 1
    np.testing.assert_array_equal(recording.events, before)


def test_facts_and_events():
    recording = memory([100, 150, 150, 900], cuts=[1, 1, 3])
    assert (recording.event_count, recording.start_us, recording.duration_us) == (4, 100, 800)
    assert recording.end_us == 900
    assert [len(c) for c in recording.chunks()] == [1, 2, 1]
    assert recording.events["t"].tolist() == [100, 150, 150, 900]
    before = recording.reads
    assert recording.events is recording.events
    assert sum(len(c) for c in recording.chunks()) == 4
    assert len(list(recording.windows(100))) == 9
    assert recording.reads == before, "what is in memory is not read again"


def test_a_recording_without_events():
    recording = memory([])
    assert (recording.event_count, recording.start_us, recording.duration_us) == (0, 0, 0)
    assert list(recording) == []
    assert recording.events.dtype == EVENT_DTYPE
    assert [len(w.events) for w in recording.windows(10, 0, 25)] == [0, 0, 0]


@pytest.mark.parametrize("cuts", [(), (2,), (3,), (1, 2, 3)])
def test_time_that_runs_backwards_is_told_with_its_place(cuts):
    recording = memory([10, 20, 20, 19, 30], cuts)
    for read in (lambda: recording.events, lambda: list(recording), lambda: recording.duration_us):
        with pytest.raises(RecordingError, match=r"memory\.x: time runs backwards: event 3 is at 19 µs after 20"):
            read()


@pytest.mark.parametrize(("x", "y"), [(8, 0), (-1, 0), (0, 4), (0, -1), (40_000, 0)])
def test_an_event_outside_the_sensor_is_told_with_its_place(x, y):
    recording = Memory([([0], [0], [1], [1]), ([0, x], [0, y], [2, 3], [1, 1])])
    with pytest.raises(RecordingError, match=rf"event 2 lies at \(x, y\) = \({x}, {y}\).* 8×4"):
        list(recording.chunks())


def test_a_warning_is_given_once():
    recording = memory([1])
    with pytest.warns(SnnkdWarning, match=r"memory\.x: three bytes"):
        recording._warn("three bytes were left out")
    recording._warn("three bytes were left out")  # a second one would be an error here
    assert recording.warnings == ["three bytes were left out"]


IMAGES = np.zeros((2, 3, 4), np.uint8)


@pytest.mark.parametrize(
    ("images", "times", "message"),
    [
        (IMAGES[0], [0, 1], "images"),
        (IMAGES.astype(float), [0, 1], "images"),
        (IMAGES, [0], "timestamps_us"),
        (IMAGES, [0, 1, 2], "timestamps_us"),
        (IMAGES, [5, 4], "frame 1 is at 4 µs after 5 µs"),
    ],
)
def test_frames_that_do_not_fit_are_told(images, times, message):
    with pytest.raises(ValueError, match=message):
        Frames(images, np.array(times, np.int64))
    with pytest.raises(RecordingError, match=message):
        _ = Memory([], (images, np.array(times, np.int64))).frames


def test_frames():
    frames = Memory([], (IMAGES, np.array([3, 3], np.int64))).frames
    assert len(frames) == 2
    assert Memory([]).frames is None


def test_the_times_of_frames_stand_for_those_of_events_that_are_not_there():
    recording = Memory([], (IMAGES, np.array([7, 40], np.int64)))
    assert (recording.frame_count, recording.frame_times_us.tolist()) == (2, [7, 40])
    assert (recording.start_us, recording.end_us, recording.duration_us) == (7, 40, 33)
    both = Memory([([0], [0], [9], [1])], (IMAGES, np.array([7, 40], np.int64)))
    assert (both.start_us, both.end_us, both.duration_us, both.frame_count) == (9, 9, 0, 2)
    assert (memory([]).frame_count, memory([3]).end_us) == (0, 3)


@pytest.fixture
def formats(monkeypatch):
    monkeypatch.setattr(registry, "_formats", list(registry._formats))


def test_content_goes_before_the_name_and_later_before_earlier(formats, tmp_path):
    made = []

    def reader(name):
        return lambda path: made.append(name) or memory([])

    register_format("by name", reader("by name"), extensions=(".abc",))
    register_format("by content", reader("by content"), recognises=lambda path, head: head[:2] == b"AB")
    (tmp_path / "one.abc").write_bytes(b"AB..")
    (tmp_path / "two.ABC").write_bytes(b"....")
    open_recording(tmp_path / "one.abc")
    open_recording(str(tmp_path / "two.ABC"))
    register_format("also", reader("also"), recognises=lambda path, head: head[:1] == b"A")
    open_recording(tmp_path / "one.abc")
    register_format("also", reader("replaced"), recognises=lambda path, head: head[:1] == b"A")
    open_recording(tmp_path / "one.abc")
    assert made == ["by content", "by name", "also", "replaced"]
    assert known_formats().count("also") == 1


def test_a_folder_of_a_format_is_recognised(formats, tmp_path):
    register_format("folder", lambda path: memory([]), recognises=lambda p, head: (p / "mark").exists())
    (tmp_path / "mark").touch()
    assert open_recording(tmp_path).format == "memory"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.aedat4", None, "no such file"),
        ("empty.aedat4", b"", "empty"),
        ("text.doc", b"hello", "is of no known format; the README lists those that are read"),
        ("noise", bytes(range(256)), "of no known format"),
        ("folder", "a folder", "the folder is empty"),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content == "a folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as error:
        open_recording(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_pipe_is_refused_and_neither_waited_for_nor_used_up(tmp_path):
    os.mkfifo(tmp_path / "f.csv")
    with pytest.raises(RecordingError, match="no regular file"):
        open_recording(tmp_path / "f.csv")
    reading, writing = os.pipe()
    os.write(writing, b"t,x,y,p\n")
    with pytest.raises(RecordingError, match="save its content"):
        open_recording(f"/dev/fd/{reading}")
    assert os.read(reading, 100) == b"t,x,y,p\n"
    os.close(reading), os.close(writing)
