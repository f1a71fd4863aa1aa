"""EVBEYE: the real sample, files made from the layout, and files that are wrong."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import drop_pixels, hot_pixels
from snnkd.recordings import open_recording

NAME = "evbeye_user9/0/events.aerdat"


@pytest.mark.parametrize("as_folder", [True, False])
def test_the_real_recording(sample, digest, as_folder):
    path, facts = sample(NAME)
    with pytest.warns(SnnkdWarning, match="the last 8 bytes are a cut record and were left out"):
        recording = open_recording(path.parent if as_folder else path)
    assert recording.format == "EVBEYE"
    assert len(recording.warnings) == 1
    assert recording.event_count == facts["n"]
    assert (recording.start_us, recording.start_us + recording.duration_us) == (facts["t0"], facts["t1"])
    assert list(recording.sensor_size) == facts["sensor"]
    assert sum(len(w.events) for w in recording) == facts["n"]
    assert digest(recording.events) == facts["sha256_events_t8x2y2p1"]
    frames = recording.frames
    assert frames.images.shape == (31, 260, 346)
    assert frames.timestamps_us[[0, -1]].tolist() == [314_284_138, 315_484_127]
    assert 20 < frames.images.mean() < 235
    assert recording.metadata["stimulus"] == [(0, 0, "st")] * 31


def test_its_hot_pixels_are_found_and_no_others(sample):
    path, _ = sample(NAME)
    with pytest.warns(SnnkdWarning):
        events = open_recording(path).events
    mask = hot_pixels(events, (346, 260))
    # (272, 187) fired 16,903 times in the first 1.2 s; by eye, the four fire at fixed intervals near 70 µs.
    assert [(x, y) for y, x in np.argwhere(mask).tolist()] == [(40, 108), (272, 187), (178, 226), (298, 238)]
    assert len(events) - len(drop_pixels(events, mask)) == 444 + 13_695 + 26_313 + 73_426
    soon = events[events["t"] < events["t"][0] + 1_200_000]
    np.testing.assert_array_equal(hot_pixels(soon, (346, 260)), mask)


RECORDS = [(1, 10, 20, 1000), (0, 259, 345, 1000), (1, 0, 0, 4_294_967_295)]


def packed(records):
    return b"".join(struct.pack("=BHHI", *r) for r in records)


def test_records_are_polarity_row_column_time(tmp_path):
    path = tmp_path / "x.aerdat"
    path.write_bytes(packed(RECORDS))
    recording = open_recording(path)
    assert recording.events.tolist() == [
        (20, 10, 1000, True),
        (345, 259, 1000, False),
        (0, 0, 2**32 - 1, True),
    ]
    assert recording.frames is None
    assert recording.warnings == []
    assert recording.duration_us == 2**32 - 1001


@pytest.mark.parametrize("length", range(1, 3 * 9))
def test_cut_anywhere(tmp_path, length):
    path = tmp_path / "x.aerdat"
    path.write_bytes(packed(RECORDS)[:length])
    if length < 9:
        with pytest.raises(RecordingError, match="no whole record"):
            open_recording(path)
    elif length % 9:
        rest = "byte is a cut record and was" if length % 9 == 1 else f"{length % 9} bytes are a cut record and were"
        with pytest.warns(SnnkdWarning, match=f"the last {rest} left out"):
            assert open_recording(path).event_count == length // 9
    else:
        assert open_recording(path).event_count == length // 9


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ((2, 0, 0, 2000), r"event 2 \(byte 18\) has polarity 2"),
        ((1, 260, 0, 2000), r"event 2 \(byte 18\) lies at \(x, y\) = \(0, 260\)"),
        ((1, 0, 346, 2000), r"event 2 \(byte 18\) lies at \(x, y\) = \(346, 0\)"),
        ((1, 40_000, 65_535, 2000), r"event 2 \(byte 18\) lies at \(x, y\) = \(65535, 40000\)"),
        ((1, 0, 0, 999), r"time runs backwards: event 2 \(byte 18\) is at 999 µs after 1000 µs"),
    ],
)
def test_a_wrong_record_is_told_with_its_byte(tmp_path, record, message):
    path = tmp_path / "x.aerdat"
    path.write_bytes(packed([*RECORDS[:2], record]))
    with pytest.raises(RecordingError, match=message):
        _ = open_recording(path).events


def test_a_wrong_record_far_behind_is_told_while_reading(tmp_path):
    records = np.zeros(600_000, [("p", "u1"), ("y", "<u2"), ("x", "<u2"), ("t", "<u4")])
    records["t"] = np.arange(len(records))
    records["p"][599_000] = 7
    path = tmp_path / "x.aerdat"
    path.write_bytes(records.tobytes())
    recording = open_recording(path)
    with pytest.raises(RecordingError, match=r"event 599000 \(byte 5391000\) has polarity 7"):
        list(recording)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "events.aerdat").write_bytes(packed(RECORDS))
    (tmp_path / "frames").mkdir()
    for name, value in [("10_1_2_s_900.png", 200), ("2_3_4_p_100.png", 50)]:
        cv2.imwrite(str(tmp_path / "frames" / name), np.full((260, 346), value, np.uint8))
    return tmp_path


def test_frames_come_in_the_order_of_time_with_their_stimulus(folder):
    recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == [100, 900]
    assert recording.frames.images[:, 0, 0].tolist() == [50, 200]
    assert recording.metadata["stimulus"] == [(3, 4, "p"), (1, 2, "s")]


def test_images_with_another_name_are_left_out(folder):
    (folder / "frames" / "preview.png").touch()
    (folder / "frames" / "notes.txt").touch()
    with pytest.warns(SnnkdWarning, match=r"^.*: 1 images in frames/"):
        assert len(open_recording(folder).frames) == 2


def part(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


HEADER = part(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
GIANT = b"\x89PNG\r\n\x1a\n" + HEADER + part(b"IDAT", zlib.compress(bytes(100))) + part(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no image", "11_0_0_s_5.png is damaged"),
        (GIANT, "11_0_0_s_5.png is damaged"),
        (None, "11_0_0_s_5.png is 30×20"),
    ],
)
def test_a_wrong_frame_is_named(folder, content, message):
    path = folder / "frames" / "11_0_0_s_5.png"
    if content is None:
        cv2.imwrite(str(path), np.zeros((20, 30), np.uint8))
    else:
        path.write_bytes(content)
    recording = open_recording(folder)
    assert recording.event_count == 3
    with pytest.raises(RecordingError, match=message):
        _ = recording.frames


def test_a_cut_frame_is_named(folder):
    path = folder / "frames" / "10_1_2_s_900.png"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])  # which OpenCV would fill up
    with pytest.raises(RecordingError, match=r"frame 10_1_2_s_900\.png is cut"):
        _ = open_recording(folder).frames


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path):
    """Touching a map of it would end the process (SIGBUS)."""
    path = tmp_path / "x.aerdat"
    path.write_bytes(packed([(1, 1, 1, t) for t in range(400_000)]))
    recording = open_recording(path)
    chunks = recording.chunks()
    next(chunks)
    os.truncate(path, 1_500_000)
    with pytest.raises(RecordingError, match="ends at byte 1500000: it was cut while it was read"):
        list(chunks)
    os.truncate(path, 9)
    with pytest.raises(RecordingError, match="it was cut while it was read"):
        recording.event_count  # noqa: B018


def test_frames_are_read_one_by_one(tmp_path):
    (tmp_path / "events.aerdat").write_bytes(packed(RECORDS))
    (tmp_path / "frames").mkdir()
    for i in range(3):
        image = np.full((260, 346), 10 * i, np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{i}_0_0_st_{1000 + i}.png"), image)
    (tmp_path / "frames" / "2_0_0_st_1002.png").write_bytes(b"no image")
    recording = open_recording(tmp_path)
    assert (recording.frame_count, recording.frame_times_us.tolist()) == (3, [1000, 1001, 1002])
    frames = recording.iter_frames()
    assert [(time, image.max()) for time, image in (next(frames), next(frames))] == [(1000, 0), (1001, 10)]
    with pytest.raises(RecordingError, match=r"frame 2_0_0_st_1002\.png"):
        next(frames)
