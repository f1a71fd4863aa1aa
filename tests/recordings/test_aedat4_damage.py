"""AEDAT4 files that are cut or damaged: the real sample, and files written here."""

import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from aedat4_files import EVENTS, GRAY, LATER, NAME, STREAMS, event_packet, file_bytes, frame_packet, written

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings._aedat4_file import _header


def test_the_real_recording_cut_anywhere(sample, tmp_path):
    """The intact part with a warning, or one line that says why not; never more, never less."""
    path, _ = sample(NAME)
    content = path.read_bytes()
    whole = open_recording(path)
    events = whole.events
    table = 945_243  # where the table of packets begins
    starts = [position for position, _ in whole._structure.packets]
    cut = tmp_path / "cut.aedat4"
    counts = []
    near = [starts[1] - 1, starts[1], starts[1] + 1, starts[2], table - 1, table, len(content) - 1]
    for length in sorted({1, 13, 14, 15, 17, 18, 200, starts[0] - 1, starts[0], *near, *range(3000, table, 31_013)}):
        cut.write_bytes(content[:length])
        if length < starts[1]:
            with pytest.raises(RecordingError, match=r"cut\.aedat4: ") as error:
                open_recording(cut)
            assert "\n" not in str(error.value)
        elif length < table:
            with pytest.warns(SnnkdWarning, match="cut"):
                recording = open_recording(cut)
            assert len(recording.warnings) == 1
            np.testing.assert_array_equal(recording.events, events[: recording.event_count])
            counts.append(recording.event_count)
        else:
            np.testing.assert_array_equal(open_recording(cut).events, events)
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] <= len(events)


def test_a_damaged_packet_is_left_out_and_the_rest_is_kept(sample, tmp_path):
    path, facts = sample(NAME)
    whole = open_recording(path)
    position, _ = next(p for p in whole._structure.packets[20:] if p[1] == 0)
    content = bytearray(path.read_bytes())
    content[position + 8 : position + 12] = b"oops"  # no LZ4 frame begins like this
    damaged = tmp_path / "damaged.aedat4"
    damaged.write_bytes(content)
    recording = open_recording(damaged)
    with pytest.warns(SnnkdWarning, match=f"1 damaged packet was left out; the first is at byte {position}"):
        events = recording.events
    assert facts["n"] - 5000 < len(events) < facts["n"]
    assert np.isin(events, whole.events).all()
    assert events[-1] == whole.events[-1]


def test_a_cut_behind_a_frame_of_unknown_kind_is_told_as_a_cut_only(tmp_path):
    packets = [(1, frame_packet(60, GRAY, kind=1)), (0, event_packet(EVENTS)), (0, event_packet(LATER))]
    path = written(tmp_path, STREAMS, packets)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(SnnkdWarning, match=f"byte {len(file_bytes(STREAMS, packets[:2]))} is cut"):
        recording = open_recording(path)
    with pytest.warns(SnnkdWarning, match="left frames out"):
        np.testing.assert_array_equal(recording.events, EVENTS)
    assert len(recording.warnings) == 2


def test_a_description_that_claims_to_be_longer_than_the_header_is_refused(tmp_path):
    path = written(tmp_path, STREAMS, [(0, event_packet(EVENTS))])
    content = path.read_bytes()
    place = content.index(b"<dv") - 4
    (length,) = struct.unpack_from("<I", content, place)
    path.write_bytes(content[:place] + struct.pack("<I", length + 1) + content[place + 4 :])
    with pytest.raises(RecordingError, match="its description is longer than it"):
        open_recording(path)


def test_a_cut_at_a_packet_border_is_noticed_by_the_table(tmp_path):
    packets = [(0, event_packet(EVENTS)), (0, event_packet(LATER))]
    end = len(file_bytes(STREAMS, packets))
    whole = open_recording(written(tmp_path, STREAMS, packets, end))
    assert whole.event_count == 5
    path = written(tmp_path, STREAMS, packets[:1], end)
    with pytest.warns(SnnkdWarning, match=f"cut at byte {path.stat().st_size}, before its table"):
        assert open_recording(path).event_count == 3


def test_a_table_that_is_not_where_the_header_says_ends_nothing(tmp_path):
    packets = [(0, event_packet(EVENTS)), (0, event_packet(LATER))]
    end, first = len(file_bytes(STREAMS, packets)), len(file_bytes(STREAMS, packets[:1]))
    for table in (1, 14, first + 3, end - 4):
        with pytest.warns(SnnkdWarning, match=f"no table of packets is at byte {table}"):
            assert open_recording(written(tmp_path, STREAMS, packets, table)).event_count == 5
    # The package that decodes ends there by itself; that is told, if it cannot be helped.
    with pytest.warns(SnnkdWarning, match=f"no table of packets is at byte {first}"):
        recording = open_recording(written(tmp_path, STREAMS, packets, first))
    with pytest.warns(SnnkdWarning, match=f"the decoder ended at byte {first}: the last 1 packets were left out"):
        assert recording.event_count == 3


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "LZ4_HIGH", "ZSTD", "ZSTD_HIGH"])
def test_a_flipped_place_of_the_table_loses_no_event(tmp_path, compression):
    """Of files of the maker's own library; every single bit of the place is turned."""
    dv = pytest.importorskip("dv_processing")
    path = tmp_path / "made.aedat4"
    kind = getattr(dv.CompressionType, compression)
    writer = dv.io.MonoCameraWriter(str(path), dv.io.MonoCameraWriter.EventOnlyConfig("made", (346, 260), kind))
    for begin in range(0, 3000, 500):
        store = dv.EventStore()
        for i in range(begin, begin + 500):
            store.push_back(i * 10, i % 346, i % 260, bool(i % 2))
        writer.writeEvents(store)
    del writer, store
    content = path.read_bytes()
    whole = open_recording(path)
    assert (whole.event_count, whole.warnings) == (3000, [])
    table = _header(content[18 : 18 + int.from_bytes(content[14:18], "little")])[1]
    assert content.count(struct.pack("<q", table)) == 1
    for bit in range(64):
        path.write_bytes(content.replace(struct.pack("<q", table), struct.pack("<Q", table ^ 1 << bit)))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert open_recording(path).event_count == 3000
        assert len(told) == 1


@pytest.mark.parametrize(
    ("streams", "packets", "options", "message"),
    [
        ([(1, "TRIG", (4, 3))], [(1, b"1234")], {}, "has neither events nor frames: its streams are triggers"),
        ([(1, "WHAT", (4, 3))], [], {}, "header is damaged: unsupported stream type"),
        (STREAMS, [], {"description": b"<dv>"}, "header is damaged"),
        (STREAMS, [], {"description": b"\xff\xfe"}, "header is damaged"),
        (STREAMS, [], {"description": b"<dv></dv>"}, "header is damaged"),
        (STREAMS, [(0, event_packet(EVENTS))], {"compression": 9}, "compression 9 does not exist"),
        (STREAMS, [(5, event_packet(EVENTS))], {}, "no whole packet: .* stream 5"),
        (STREAMS, [(0, event_packet(LATER)), (0, event_packet(EVENTS))], {}, "event 2 is at 100 µs after 900 µs"),
        ([(0, "EVTS", (3, 3))], [(0, event_packet(EVENTS))], {}, r"event 1 lies at \(x, y\) = \(3, 2\)"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, streams, packets, options, message):
    path = written(tmp_path, streams, packets, **options)
    with pytest.raises(RecordingError, match=message) as error:
        _ = open_recording(path).events
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def outcome(path):
    """The events, or the error's text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SnnkdWarning)
        try:
            return open_recording(path).events
        except RecordingError as error:
            return str(error)


def test_a_header_of_garbage_never_reaches_the_decoder(sample, tmp_path):
    """The package aborts the process on some of these; here each is one line, or harmless."""
    path, facts = sample(NAME)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    broken = tmp_path / "broken.aedat4"
    results = []
    for place in [*range(14, 70), *rng.integers(70, 2337, 60).tolist()]:
        garbage = bytearray(content[:30_000])
        garbage[place] ^= int(rng.integers(1, 256))
        broken.write_bytes(garbage)
        results.append(outcome(broken))
    errors = [result for result in results if isinstance(result, str)]
    assert 50 < len(errors) < len(results)
    assert not any("\n" in error for error in errors)
    assert all(0 < len(events) < facts["n"] for events in results if not isinstance(events, str))


def bomb(blocks, content_size=0):
    """A frame of Zstandard of so many blocks of 128 KB, each one byte repeated."""
    frame = b"\x28\xb5\x2f\xfd" + (bytes([0xE0]) + struct.pack("<Q", content_size) if content_size else b"\x00\x58")
    for i in range(blocks):
        frame += struct.pack("<I", (1 << 17) << 3 | 1 << 1 | (i == blocks - 1))[:3] + b"\0"
    return frame


@pytest.mark.parametrize(("blocks", "content_size"), [(33_000, 0), (33_000, 1000), (33_000, 33_000 << 17), (600, 0)])
def test_a_packet_that_would_fill_the_memory_is_never_decompressed(tmp_path, blocks, content_size):
    """4 GB in 133 KB; the child has half a GB more than it needs for the intact file."""
    pytest.importorskip("resource")
    path = tmp_path / "bomb.aedat4"
    position = len(file_bytes(STREAMS, [], compression=3))
    path.write_bytes(file_bytes(STREAMS, [(0, bomb(blocks, content_size))], compression=3))
    code = """
import resource, sys
from pathlib import Path
import aedat
from snnkd.recordings import open_recording
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29),) * 2)
try:
    print(open_recording(sys.argv[1]).event_count)
except Exception as error:
    print(error)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the memory of a process is not told here")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"holds no whole packet: the packet at byte {position} is damaged: its" in done.stdout


def test_large_packets_that_are_none_of_these_are_read(tmp_path):
    """100,000 events in a packet, and hardly any two of them different: what a recorder may write."""
    dv = pytest.importorskip("dv_processing")
    path = tmp_path / "made.aedat4"
    config = dv.io.MonoCameraWriter.EventOnlyConfig("made", (346, 260), dv.CompressionType.ZSTD)
    writer = dv.io.MonoCameraWriter(str(path), config)
    packet = dv.EventPacket()
    packet.elements.extend(dv.EventPacket.EventVector([dv.Event(i // 50, 1, 1, True) for i in range(100_000)]))
    writer.writeEventPacket(packet)
    del writer, packet
    recording = open_recording(path)
    assert (recording.event_count, recording.warnings) == (100_000, [])


def test_frames_alone_are_a_recording(tmp_path):
    packets = [(1, frame_packet(t, GRAY)) for t in (50, 950)]
    recording = open_recording(written(tmp_path, STREAMS[1:], packets))
    assert (recording.event_count, recording.sensor_size, recording.frame_count) == (0, (4, 3), 2)
    assert (recording.start_us, recording.duration_us) == (50, 900)
    assert [time for time, _ in recording.iter_frames()] == [50, 950]
    assert recording.metadata["streams"] == {"frame": 1}


def test_frames_that_run_backwards_are_told_wherever_they_are_asked_for(tmp_path):
    packets = [(0, event_packet(EVENTS)), *((1, frame_packet(t, GRAY)) for t in (50, 49))]
    for ask in (lambda r: r.frames, lambda r: r.frame_count, lambda r: list(r.iter_frames())):
        with pytest.raises(RecordingError, match="frame 1 is at 49 µs after 50 µs"):
            ask(open_recording(written(tmp_path, STREAMS, packets)))
