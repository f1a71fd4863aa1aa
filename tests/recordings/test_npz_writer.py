"""Writing NPZ: round trips, what NumPy reads of it, and what cannot be written."""

import json

import numpy as np
import pytest
from array_files import EVENTS, METADATA, some_frames
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snnkd.errors import SnnkdWarning
from snnkd.events import empty_events, make_events
from snnkd.recordings import open_recording
from snnkd.recordings.arrays import write_npz


@pytest.mark.parametrize("times", [[], [5, 5, 10**15]])
@pytest.mark.parametrize("frames", [None, some_frames(), some_frames(1, (1, 1)), some_frames(0)])
def test_written_npz(tmp_path, times, frames):
    path = tmp_path / "x.npz"
    n = len(times)
    events = make_events(np.arange(n), np.arange(n), times, np.arange(n) % 2) if n else empty_events()
    write_npz(path, events, (40, 30), frames, METADATA)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, events)
    assert recording.sensor_size == (40, 30)
    assert recording.metadata == METADATA
    assert recording.warnings == []
    if frames is None:
        assert recording.frames is None
    else:
        np.testing.assert_array_equal(recording.frames.images, frames.images)
        np.testing.assert_array_equal(recording.frames.timestamps_us, frames.timestamps_us)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.uint16, st.integers(0, 300)),
    st.integers(-(2**60), 2**60),
    st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.floats(allow_nan=False, allow_infinity=False))),
)
def test_round_trip_of_anything(tmp_path_factory, noise, start, metadata):
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    noise = noise.astype(np.int64)
    events = make_events(noise % 346, noise // 7 % 260, start + np.cumsum(noise), noise % 2)
    write_npz(path, events, (346, 260), metadata=metadata)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, events)
    assert recording.metadata == metadata


def test_numpy_reads_what_is_written(tmp_path):
    write_npz(tmp_path / "x.npz", EVENTS, (40, 30), some_frames(), METADATA)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as data:
        for name in "txyp":
            np.testing.assert_array_equal(data[name], EVENTS[name])
        assert data["sensor_size"].tolist() == [40, 30]
        assert json.loads(data["metadata"].item()) == METADATA
        np.testing.assert_array_equal(data["frames"], some_frames().images)


def test_the_real_recording_round_trips(sample, digest, tmp_path):
    path, facts = sample("evbeye_user9/0/events.aerdat")
    with pytest.warns(SnnkdWarning, match="cut record"):
        real = open_recording(path)
    write_npz(tmp_path / "x.npz", real.events, real.sensor_size, real.frames, real.metadata)
    again = open_recording(tmp_path / "x.npz")
    assert digest(again.events) == facts["sha256_events_t8x2y2p1"]
    np.testing.assert_array_equal(again.frames.images, real.frames.images)


@pytest.mark.parametrize(
    ("events", "size", "metadata", "message"),
    [
        (make_events([1, 2], [1, 2], [9, 8], [0, 1]), (40, 30), {}, "time runs backwards"),
        (EVENTS, (39, 30), {}, "outside the sensor"),
        (empty_events(), (40, 30), {"x": {1, 2}}, "a set, which JSON cannot hold"),
    ],
)
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, events, size, metadata, message):
    path = tmp_path / "x.npz"
    path.write_text("precious")
    with pytest.raises((ValueError, TypeError), match=message):
        write_npz(path, events, size, metadata=metadata, overwrite=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_writing_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    path.write_text("precious")

    def full(*arguments, **options):
        raise OSError("no space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="no space"):
        write_npz(path, EVENTS, (40, 30), overwrite=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]
