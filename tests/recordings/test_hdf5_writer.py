"""The streaming writer: what comes out is what went in, however it was cut, and an error leaves nothing behind."""

import gc
import os
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.events import EVENT_DTYPE
from snnkd.recordings import Frames, open_recording, write_hdf5
from snnkd.recordings.hdf5_writer import ROWS, Hdf5Writer

SIZE = (40, 30)


def random_events(count, seed=0):
    rng = np.random.default_rng(seed)
    events = np.empty(count, EVENT_DTYPE)
    events["x"], events["y"] = rng.integers(0, SIZE[0], count), rng.integers(0, SIZE[1], count)
    events["t"] = np.sort(rng.integers(-50, 10**6, count))
    events["p"] = rng.random(count) < 0.5
    return events


def contents(path):
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
        return found | {f"@{name}": value for name, value in file.attrs.items()}


@given(st.lists(st.integers(0, 2 * ROWS), max_size=6), st.integers(0, 3))
@settings(deadline=None, max_examples=25)
def test_pieces_give_the_file_of_the_whole(lengths, frames):
    events = random_events(sum(lengths))
    images = np.random.default_rng(1).integers(0, 256, (frames, 5, 7), np.uint8)
    times = np.arange(frames) * 1000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pieces.h5")
        with Hdf5Writer(path, SIZE, {"a": np.arange(2)}) as writer:
            begin = 0
            for length in lengths:
                piece = events[begin : begin + length].copy()
                writer.append(piece)
                piece["x"] = -1  # what is given away may be used again
                begin += length
            for image, time in zip(images, times, strict=True):
                writer.append_frame(image, time)
            assert (writer.event_count, writer.frame_count) == (len(events), frames)
            assert not path.exists()
        recording = open_recording(path)
        np.testing.assert_array_equal(recording.events, events)
        assert recording.sensor_size == SIZE
        assert recording.metadata == {"a": [0, 1]}
        assert (recording.frames is not None) == (frames > 0)
        write_hdf5(Path(folder, "whole.h5"), events, SIZE, Frames(images, times) if frames else None, {"a": [0, 1]})
        pieces, whole = contents(path), contents(Path(folder, "whole.h5"))
        assert pieces.keys() == whole.keys()
        for name, value in whole.items():
            np.testing.assert_array_equal(pieces[name], value)
            assert np.asarray(pieces[name]).dtype == np.asarray(value).dtype
        assert sorted(p.name for p in Path(folder).iterdir()) == ["pieces.h5", "whole.h5"]


def test_events_do_not_pile_up(tmp_path):
    with Hdf5Writer(tmp_path / "a.h5", SIZE) as writer:
        events = random_events(1000)
        for i in range(200):
            events["t"] += 10**6
            writer.append(events)
            assert sum(len(part) for part in writer._waiting) == (i + 1) * 1000 % ROWS
    assert len(open_recording(tmp_path / "a.h5").events) == 200_000


def test_frames_without_one_are_there_and_empty(tmp_path):
    with Hdf5Writer(tmp_path / "a.h5", SIZE) as writer:
        writer.append_frames(Frames(np.empty((0, 5, 6), np.uint8), np.empty(0, np.int64)))
    assert open_recording(tmp_path / "a.h5").frames.images.shape == (0, 5, 6)


def test_metadata_may_come_last(tmp_path):
    with Hdf5Writer(tmp_path / "a.h5", SIZE, {"one": 1}) as writer:
        writer.metadata["two"] = {"x": [2.5]}
    assert open_recording(tmp_path / "a.h5").metadata == {"one": 1, "two": {"x": [2.5]}}


def backwards(writer):
    writer.append(random_events(10))
    writer.append(random_events(10))


def backwards_frames(writer):
    writer.append_frame(np.zeros((2, 2), np.uint8), 7)
    writer.append_frame(np.zeros((2, 2), np.uint8), 6)


def frames_of_two_sizes(writer):
    writer.append_frame(np.zeros((2, 2), np.uint8), 7)
    writer.append_frame(np.zeros((2, 3), np.uint8), 8)


def outside(writer):
    events = random_events(10)
    events["x"][3] = SIZE[0]
    writer.append(events)


def unwritable_metadata(writer):
    writer.metadata["set"] = {1}


def broken_source(writer):
    writer.append(random_events(3 * ROWS))
    raise RuntimeError("the source broke")


def interrupted(writer):
    writer.append(random_events(3 * ROWS))
    raise KeyboardInterrupt


@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (backwards, ValueError, "event 10 is at .* after"),
        (backwards_frames, ValueError, "frame 1 is at 6 µs after 7"),
        (frames_of_two_sizes, ValueError, r"frame 1 is \(H, W\) = \(2, 3\)"),
        (outside, ValueError, "outside the sensor"),
        (lambda writer: writer.append(np.zeros(3)), ValueError, "EVENT_DTYPE"),
        (lambda writer: writer.append_frame(np.zeros((2, 2)), 0), ValueError, "uint8"),
        (unwritable_metadata, TypeError, "set"),
        (broken_source, RuntimeError, "the source broke"),
        (interrupted, KeyboardInterrupt, "^$"),
    ],
)
def test_an_error_leaves_nothing_behind(tmp_path, fault, kind, message, before):
    path = tmp_path / "a.h5"
    if before:
        path.write_bytes(before)
    with pytest.raises(kind, match=message), Hdf5Writer(path, SIZE, overwrite=True) as writer:
        fault(writer)
    assert list(tmp_path.iterdir()) == ([path] if before else [])
    assert not before or path.read_bytes() == before
    with pytest.raises(ValueError, match="closed"):
        writer.append(random_events(1))
    writer.close()  # there is nothing to close: no error, no file
    assert list(tmp_path.iterdir()) == ([path] if before else [])


def test_a_file_that_cannot_take_its_name_is_removed(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no"), Hdf5Writer(tmp_path / "a.h5", SIZE) as writer:
        writer.append(random_events(100))
    assert list(tmp_path.iterdir()) == []


def test_a_forgotten_writer_is_discarded(tmp_path):
    writer = Hdf5Writer(tmp_path / "a.h5", SIZE)
    writer.append(random_events(2 * ROWS))
    assert len(list(tmp_path.iterdir())) == 1
    del writer
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "metadata", "kind"),
    [((0, 5), None, ValueError), ((5, 40_000), None, ValueError), (SIZE, {"a": float("nan")}, ValueError)],
)
def test_bad_arguments_make_no_file(tmp_path, size, metadata, kind):
    with pytest.raises(kind):
        Hdf5Writer(tmp_path / "a.h5", size, metadata)
    with pytest.raises(OSError, match="none"):
        Hdf5Writer(tmp_path / "none" / "a.h5", SIZE)
    assert list(tmp_path.iterdir()) == []
