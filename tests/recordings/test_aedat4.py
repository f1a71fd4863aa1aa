"""AEDAT4: the real sample, what the maker's own library wrote, and files written here for what neither has."""

import numpy as np
import pytest
from aedat4_files import EVENTS, GRAY, LATER, NAME, STREAMS, event_packet, frame_packet, written

from snnkd.errors import SnnkdWarning
from snnkd.events import make_events
from snnkd.recordings import open_recording


def test_the_real_recording(sample, digest):
    path, facts = sample(NAME)
    recording = open_recording(path)
    assert recording.format == "AEDAT4"
    assert recording.warnings == []
    assert list(recording.sensor_size) == facts["sensor"]
    assert recording.event_count == facts["n"]
    assert (recording.start_us, recording.start_us + recording.duration_us) == (facts["t0"], facts["t1"])
    assert sum(len(w.events) for w in recording) == facts["n"]
    assert digest(recording.events) == facts["sha256_events_t8x2y2p1"]
    assert recording.frames is None
    assert recording.metadata == {
        "camera": "DVXplorer_DXB00010",
        "compression": "LZ4",
        "streams": {"events": 1, "imus": 1, "triggers": 1},
    }


def test_a_real_recording_without_its_ending_is_recognised_by_content(sample, tmp_path):
    path, facts = sample(NAME)
    other = tmp_path / "no-ending"
    other.write_bytes(path.read_bytes())
    assert open_recording(other).event_count == facts["n"]


@pytest.mark.parametrize("table", [-1, None, 0])
def test_events_and_frames_of_a_made_file(tmp_path, table):
    packets = [(0, event_packet(EVENTS)), (1, frame_packet(50, GRAY)), (0, event_packet(LATER))]
    recording = open_recording(written(tmp_path, STREAMS, [*packets, (1, frame_packet(950, GRAY[::-1]))], table))
    np.testing.assert_array_equal(recording.events, np.concatenate([EVENTS, LATER]))
    assert recording.frames.timestamps_us.tolist() == [50, 950]
    np.testing.assert_array_equal(recording.frames.images, [GRAY, GRAY[::-1]])
    assert (recording.event_count, recording.start_us, recording.duration_us) == (5, 100, 800)
    assert recording.sensor_size == (4, 3)
    assert recording.metadata["compression"] == "none"
    assert recording.warnings == []


BGR = np.stack([GRAY, GRAY // 2, 255 - GRAY], -1)
LUMA = 0.114 * BGR[..., 0] + 0.587 * BGR[..., 1] + 0.299 * BGR[..., 2]


@pytest.mark.parametrize(
    ("kind", "pixels", "expected"),
    [
        (16, BGR, LUMA),
        (24, np.concatenate([BGR, GRAY[..., None]], -1), LUMA),
        (2, GRAY.astype("<u2") * 4, GRAY),  # a DAVIS's 10 bits
        (2, GRAY.astype("<u2") * 256 + 7, GRAY),
        (18, BGR.astype("<u2") * 256, LUMA),
    ],
)
def test_frames_of_other_kinds_become_grey(tmp_path, kind, pixels, expected):
    packets = [(0, event_packet(EVENTS)), (1, frame_packet(50, pixels, kind))]
    frames = open_recording(written(tmp_path, STREAMS, packets)).frames
    assert frames.images.dtype == np.uint8
    np.testing.assert_allclose(frames.images[0], expected, atol=1)


def test_frames_of_an_unknown_kind_are_left_out_and_the_packets_stay_in_step(tmp_path):
    odd = frame_packet(60, GRAY, kind=1)
    packets = [(1, odd), (0, event_packet(EVENTS)), (1, frame_packet(70, GRAY)), (1, odd)]
    packets.append((0, event_packet(LATER)))
    recording = open_recording(written(tmp_path, STREAMS, packets))
    with pytest.warns(SnnkdWarning, match="left frames out"):
        frames = recording.frames
    assert frames.timestamps_us.tolist() == [70]
    assert recording.event_count == 5


def test_frames_of_another_size_are_left_out(tmp_path):
    packets = [(0, event_packet(EVENTS)), (1, frame_packet(1, GRAY)), (1, frame_packet(2, GRAY[:2]))]
    recording = open_recording(written(tmp_path, STREAMS, packets))
    with pytest.warns(SnnkdWarning, match="1 frames of another size"):
        assert len(recording.frames) == 1


def test_of_several_event_streams_the_first_is_read(tmp_path):
    packets = [(7, event_packet(LATER)), (2, event_packet(EVENTS)), (7, event_packet(LATER))]
    path = written(tmp_path, [(7, "EVTS", (9, 9)), (2, "EVTS", (4, 3))], packets)
    with pytest.warns(SnnkdWarning, match="of several events streams the first was read; left out: 7"):
        recording = open_recording(path)
    assert recording.sensor_size == (4, 3)
    np.testing.assert_array_equal(recording.events, EVENTS)


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "LZ4_HIGH", "ZSTD", "ZSTD_HIGH"])
def test_what_the_makers_own_library_wrote(tmp_path, compression):
    """Events and frames that dv-processing writes, in each of its compressions, come back one for one."""
    dv = pytest.importorskip("dv_processing")
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 300_000, 25_000)) + 1_700_000_000_000_000
    columns = rng.integers(0, 346, len(t)), rng.integers(0, 260, len(t)), t, rng.integers(0, 2, len(t))
    images = rng.integers(0, 255, (6, 260, 346), np.uint8)
    path = tmp_path / "made.aedat4"
    config = dv.io.MonoCameraWriter.DAVISConfig("DAVIS346_made", (346, 260), getattr(dv.CompressionType, compression))
    writer = dv.io.MonoCameraWriter(str(path), config)
    for i, image in enumerate(images):
        writer.writeFrame(dv.Frame(int(t[0]) + 40_000 * i, image))
    store = dv.EventStore()
    for x, y, time, p in zip(*(column.tolist() for column in columns), strict=True):
        store.push_back(time, x, y, bool(p))
    writer.writeEvents(store)
    del writer, store
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.events, make_events(*columns))
    np.testing.assert_array_equal(recording.frames.images, images)
    assert recording.frames.timestamps_us.tolist() == [int(t[0]) + 40_000 * i for i in range(6)]
    assert recording.sensor_size == (346, 260)
    assert recording.warnings == []
