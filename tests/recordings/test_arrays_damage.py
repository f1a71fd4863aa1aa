"""NPY and NPZ files that are cut or damaged."""

import io

import numpy as np
import pytest
from array_files import ARRAYS, EVENTS, METADATA, some_frames, table
from fuzzing import hold, mutations

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.arrays import write_npz


def test_a_cut_npy_gives_the_rows_that_are_there(tmp_path):
    whole = tmp_path / "whole.npy"
    np.save(whole, EVENTS)
    content, path = whole.read_bytes(), tmp_path / "x.npy"
    start = len(content) - EVENTS.nbytes
    for rows, more in ((0, 0), (0, 5), (17, 0), (17, 12), (499, 12)):
        path.write_bytes(content[: start + rows * 13 + more])
        with pytest.warns(SnnkdWarning, match=f"is cut: {500 - rows} of 500 rows are missing"):
            np.testing.assert_array_equal(open_recording(path).events, EVENTS[:rows])
    for length in (1, 7, 9, start - 1):
        path.write_bytes(content[:length])
        with pytest.raises(RecordingError, match=r"damaged|no known format"):
            open_recording(path)
    np.save(whole, np.asfortranarray(table()))
    path.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(RecordingError, match="is cut: it promises 500 rows, and holds them column by column"):
        open_recording(path)


def test_damage_to_npz_never_changes_what_is_read(tmp_path):
    path = tmp_path / "x.npz"
    write_npz(path, EVENTS[:60], (40, 30), some_frames(), METADATA)
    read = 0
    for _, data in mutations(path.read_bytes(), 1000, seed=3):
        path.write_bytes(data)
        try:
            recording = open_recording(path)
            events, frames = recording.events, recording.frames
        except RecordingError:
            continue
        read += 1
        np.testing.assert_array_equal(events, EVENTS[:60])
        np.testing.assert_array_equal(frames.images, some_frames().images)
        assert (recording.sensor_size, recording.metadata) == ((40, 30), METADATA)
    assert read


def test_a_checksum_that_is_wrong_is_told(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, events=EVENTS)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="cut or damaged: Bad CRC-32"):
        _ = open_recording(path).events


@pytest.mark.parametrize("array", ["events", "float table"])
def test_damage_to_npy(tmp_path, array):
    file = io.BytesIO()
    np.save(file, ARRAYS[array][:60])
    count = 2000 if array == "events" else 500
    found = hold(tmp_path / "x.npy", file.getvalue(), multiple=2, count=count, silent=lambda length: False)
    assert {what for _, what in found} == {"read", "warned", "refused"}


@pytest.mark.parametrize("written", ["by snnkd", "by NumPy", "a table"])
def test_damage_to_npz(tmp_path, written):
    path = tmp_path / "x.npz"
    if written == "by snnkd":
        write_npz(path, EVENTS[:60], (40, 30), metadata=METADATA)
    elif written == "by NumPy":
        np.savez(path, **{name: EVENTS[name][:60] for name in "txyp"}, sensor_size=[40, 30])
    else:
        np.savez_compressed(path, events=table()[:60])
    count = 2000 if written == "by snnkd" else 500
    found = hold(path, path.read_bytes(), multiple=10, count=count, silent=lambda length: False)
    assert "refused" in {what for _, what in found}
