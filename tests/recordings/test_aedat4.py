"""AEDAT4: the real sample, whole and cut, and files written here for what the sample does not have."""

import struct
import warnings

import numpy as np
import pytest

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import make_events
from snnkd.recordings import open_recording

NAME = "aedat4/tonic_sample.aedat4"
MAGIC = b"#!AER-DAT4.0\r\n"


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


def flatbuffer(identifier, *fields):
    """A size-prefixed flatbuffer: a table of scalars ``(format, value)`` and vectors ``(bytes, elements)``.

    Every field gets eight bytes, so that all of it is aligned whatever the types are.
    """
    vtable = 16
    start = vtable + 4 + 2 * len(fields)
    table = start + (4 - start) % 8  # the fields, from table + 4 on, begin at a multiple of 8
    size = 4 + 8 * len(fields)
    slots, inline, vectors = [], b"", b""
    for i, field in enumerate(fields):
        if field is None:
            slots.append(0)
            inline += bytes(8)
            continue
        slots.append(4 + 8 * i)
        if isinstance(field[0], str):
            inline += struct.pack("<" + field[0], field[1]).ljust(8, b"\0")
        else:
            data, count = field
            vectors += bytes(-(table + size + len(vectors)) % 8 + 4)  # the elements at a multiple of 8
            place = table + 4 + 8 * i
            inline += struct.pack("<II", table + size + len(vectors) - place, 0)
            vectors += struct.pack("<I", count) + data
    body = struct.pack("<I4s4x", table - 4, identifier)
    body += struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), size, *slots)
    body = body.ljust(table - 4, b"\0") + struct.pack("<i", table - vtable) + inline + vectors
    return struct.pack("<I", len(body)) + body


def stream_xml(number, kind, size):
    attributes = "".join(f'<attr key="size{a}" type="int">{n}</attr>' for a, n in zip("XY", size, strict=True))
    return (
        f'<node name="{number}"><attr key="typeIdentifier" type="string">{kind}</attr>'
        f'<node name="info">{attributes}</node></node>'
    )


def file_bytes(streams, packets, table=-1, compression=0, description=None):
    if description is None:
        nodes = "".join(stream_xml(number, *rest) for number, *rest in streams)
        description = f'<dv version="2.0"><node name="outInfo">{nodes}</node></dv>'.encode()
    header = flatbuffer(
        b"IOHE", ("i", compression), None if table is None else ("q", table), (description, len(description))
    )
    return MAGIC + header + b"".join(struct.pack("<II", n, len(p)) + p for n, p in packets)


def event_packet(events):
    data = b"".join(struct.pack("<qhh?3x", *e[["t", "x", "y", "p"]]) for e in events)
    return flatbuffer(b"EVTS", (data, len(events)))


def frame_packet(t, pixels, kind=0):
    height, width = pixels.shape[:2]
    times = [("q", t + d) for d in (0, -10, 10, -5, 5)]
    data = pixels.tobytes()
    sizes = [("b", kind), ("h", width), ("h", height), ("h", 0), ("h", 0)]
    return flatbuffer(b"FRME", *times, *sizes, (data, len(data)))


EVENTS = make_events([0, 3, 2], [1, 2, 0], [100, 100, 105], [1, 0, 1])
LATER = make_events([1, 1], [1, 1], [105, 900], [0, 1])
GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
STREAMS = [(0, "EVTS", (4, 3)), (1, "FRME", (4, 3))]


def written(tmp_path, *arguments, **options):
    path = tmp_path / "made.aedat4"
    path.write_bytes(file_bytes(*arguments, **options))
    return path


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


def test_a_cut_at_a_packet_border_is_noticed_by_the_table(tmp_path):
    packets = [(0, event_packet(EVENTS)), (0, event_packet(LATER))]
    end = len(file_bytes(STREAMS, packets))
    whole = open_recording(written(tmp_path, STREAMS, packets, end))
    assert whole.event_count == 5
    path = written(tmp_path, STREAMS, packets[:1], end)
    with pytest.warns(SnnkdWarning, match=f"cut at byte {path.stat().st_size}, before its table"):
        assert open_recording(path).event_count == 3


def test_a_packet_that_runs_into_the_table_is_left_out(tmp_path):
    packets = [(0, event_packet(EVENTS)), (0, event_packet(LATER))]
    end = len(file_bytes(STREAMS, packets))
    with pytest.warns(SnnkdWarning, match="it runs into the table"):
        assert open_recording(written(tmp_path, STREAMS, packets, end - 4)).event_count == 3


@pytest.mark.parametrize(
    ("streams", "packets", "options", "message"),
    [
        ([(1, "FRME", (4, 3))], [(1, frame_packet(1, GRAY))], {}, "has no events: its streams are .*frame"),
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
