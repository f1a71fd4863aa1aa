"""AEDAT2: files made from the format's page, both cameras, the headers' edges, wraps of the clock, and damage."""

import struct

import numpy as np
import pytest
from fuzzing import hold
from hypothesis import given, settings
from hypothesis import strategies as st

import snnkd.recordings.aedat2
from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.aedat2 import Aedat2Recording

FIRST = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# Timestamps tick: 1 us\r\n"
DAVIS346 = b"# AEChip: eu.seebetter.ini.chips.davis.Davis346blue\r\n"
DVS128 = b"# HardwareInterface: DVS128-V1 0249\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
END = b"#End Of ASCII Header\r\n"


def davis_word(x, y, p, size=(346, 260)):
    """Address of a pixel that stands at column x from the left and row y from the top."""
    return (size[1] - 1 - y) * 2**22 + (size[0] - 1 - x) * 2**12 + (2**11 if p else 0)


def dvs128_word(x, y, p):
    return (127 - y) * 256 + (127 - x) * 2 + (0 if p else 1)


def packed(records):
    return b"".join(struct.pack(">II", address, time) for address, time in records)


EVENTS = [(0, 0, 100, True), (345, 259, 150, False), (17, 200, 150, True), (200, 3, 4_294_967_295, False)]


def davis_file(events=EVENTS, header=FIRST + DAVIS346 + END):
    return header + packed([(davis_word(x, y, p), t) for x, y, t, p in events])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.aedat"


def test_davis_columns_count_from_the_left_and_rows_from_the_top(path):
    path.write_bytes(davis_file())
    recording = open_recording(path)
    assert recording.format == "AEDAT2"
    assert recording.sensor_size == (346, 260)
    assert recording.events.tolist() == EVENTS
    assert (recording.event_count, recording.start_us) == (4, 100)
    assert recording.duration_us == 2**32 - 101
    assert recording.metadata["camera"] == "DAVIS346"
    assert recording.metadata["AEChip"].endswith("Davis346blue")
    assert recording.warnings == []


def test_the_words_of_the_formats_page(path):
    """Two addresses written out by hand: bits 22..30 row, 12..21 column, 11 polarity."""
    on = 0b0_000000011_0000000101_10_0000000000  # row 3 from the bottom, column 5 from the right, ON
    path.write_bytes(FIRST + DAVIS346 + END + struct.pack(">II", on, 7))
    assert open_recording(path).events.tolist() == [(340, 256, 7, True)]
    path.write_bytes(FIRST + DVS128 + END + struct.pack(">II", 0b0_0000011_0000101_0, 7))
    assert open_recording(path).events.tolist() == [(122, 124, 7, True)]


def test_dvs128(path):
    events = [(0, 0, 5, True), (127, 127, 6, False), (3, 90, 6, True)]
    records = [(dvs128_word(x, y, p), t) for x, y, t, p in events]
    path.write_bytes(FIRST + DVS128 + END + packed([*records, (0x8000, 7), (0x8000_0001, 8)]))
    recording = open_recording(path)
    assert recording.sensor_size == (128, 128)
    assert recording.events.tolist() == events
    assert recording.metadata["external_events"] == 2


def test_frames_inertial_words_and_triggers_are_no_events(path):
    others = [(2**31 + 5 * 2**22 + 300, 110), (2**31 + 2**10, 111), (2**31 + 3 * 2**10 + 4, 112), (2**10 + 3, 0)]
    records = [(davis_word(x, y, p), t) for x, y, t, p in EVENTS]
    path.write_bytes(FIRST + DAVIS346 + END + packed([others[3], records[0], *others[:3], *records[1:]]))
    recording = open_recording(path)
    assert recording.events.tolist() == EVENTS
    counts = {name: recording.metadata[name] for name in ("aps_words", "imu_words", "external_events")}
    assert counts == {"aps_words": 2, "imu_words": 1, "external_events": 1}


def test_only_frames_gives_no_events(path):
    path.write_bytes(FIRST + DAVIS346 + END + packed([(2**31, 5)] * 10))
    recording = open_recording(path)
    assert (recording.event_count, recording.duration_us, len(recording.events)) == (0, 0, 0)
    assert list(recording) == []


def test_the_sample_of_a_dvs128_holds_no_event_of_one(sample):
    path, _ = sample("aedat2/header_test_128.aedat")
    start = path.read_bytes().index(END) + len(END)
    with pytest.raises(RecordingError, match=f"byte {start} has the address 0x24242424"):
        open_recording(path)


def test_the_sample_of_a_davis240_holds_three_external_events(sample):
    path, _ = sample("aedat2/header_test_240.aedat")
    with pytest.warns(SnnkdWarning, match="last 4 bytes are a cut record"):
        recording = open_recording(path)
    assert len(recording.events) == 0
    assert (recording.sensor_size, recording.metadata["external_events"]) == ((240, 180), 3)


def test_the_samples_headers_with_events(sample, path):
    for name, word, size in (
        ("aedat2/header_test_128.aedat", dvs128_word(9, 8, True), (128, 128)),
        ("aedat2/header_test_240.aedat", davis_word(9, 8, True, (240, 180)), (240, 180)),
    ):
        content = sample(name)[0].read_bytes()
        path.write_bytes(content[: content.index(END) + len(END)] + packed([(word, 1)]))
        recording = open_recording(path)
        assert recording.sensor_size == size
        assert recording.events.tolist() == [(9, 8, 1, True)]


@pytest.mark.parametrize("end", [END, b""])
def test_an_event_may_begin_with_the_byte_of_a_header_line(path, end):
    """A DAVIS event in row 140 from the bottom begins with ``#``, and its time may hold a line end."""
    events = [(19, 260 - 1 - 141, 0x0A0A0A0A, True), (0, 0, 0x0D0A2323, False)]
    assert packed([(davis_word(*events[0][:2], True), 0)])[:1] == b"#"
    path.write_bytes(davis_file(events, FIRST + DAVIS346 + end))
    assert open_recording(path).events.tolist() == events


def test_line_ends_may_be_those_of_unix(path):
    path.write_bytes(davis_file(header=(FIRST + DAVIS346 + END).replace(b"\r\n", b"\n")))
    assert open_recording(path).events.tolist() == EVENTS


def test_the_clock_wraps(path):
    times = [2**32 - 5, 2**32 - 5, 3, 2**31, 2**32 - 1, 0]
    path.write_bytes(davis_file([(1, 2, t, True) for t in times]))
    recording = open_recording(path)
    expected = [2**32 - 5, 2**32 - 5, 2**32 + 3, 2**32 + 2**31, 2**33 - 1, 2**33]
    assert recording.events["t"].tolist() == expected
    assert (recording.start_us, recording.duration_us) == (expected[0], expected[-1] - expected[0])


def test_the_clock_wraps_between_chunks(path, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.aedat2, "CHUNK", 2)
    times = [2**32 - 9, 2**32 - 7, 3, 4, 5]
    path.write_bytes(davis_file([(1, 2, t, True) for t in times]))
    recording = open_recording(path)
    assert recording.events["t"].tolist() == [2**32 - 9, 2**32 - 7, 2**32 + 3, 2**32 + 4, 2**32 + 5]
    assert recording.event_count == 5


@pytest.mark.parametrize("fall", [1, 2**31, 2**32 - 2**28])
def test_a_smaller_fall_is_told_with_its_byte(path, fall):
    path.write_bytes(davis_file([(1, 2, 2**32 - 1, True), (1, 2, 2**32 - 1 - fall, True)]))
    start = len(FIRST + DAVIS346 + END)
    with pytest.raises(RecordingError, match=rf"time runs backwards: event 1 \(byte {start + 8}\)"):
        _ = open_recording(path).events


def test_places_count_the_words_between(path, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.aedat2, "CHUNK", 2)
    pixel = davis_word(1, 2, True)
    records = [(2**31, 1), (pixel, 1), (2**31, 1), (2**31, 2), (pixel, 3), (davis_word(0, -1, True), 4)]
    path.write_bytes(FIRST + DAVIS346 + END + packed(records))
    with pytest.raises(RecordingError, match=rf"event 2 \(byte {len(FIRST + DAVIS346 + END) + 40}\) lies at"):
        _ = open_recording(path).events


@pytest.mark.parametrize("length", range(0, 25))
def test_cut_anywhere(path, length):
    content = davis_file()
    start = len(FIRST + DAVIS346 + END)
    path.write_bytes(content[: start + length])
    if length % 8:
        with pytest.warns(SnnkdWarning, match="cut record"):
            assert open_recording(path).events.tolist() == EVENTS[: length // 8]
    else:
        assert open_recording(path).events.tolist() == EVENTS[: length // 8]


@pytest.mark.parametrize("length", [4, 13, 40, 70])
def test_a_cut_header_is_told(path, length):
    path.write_bytes((FIRST + DAVIS346)[:length])
    with pytest.raises(RecordingError, match=r"cut|no AEDAT|no known format|of version"):
        open_recording(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"#!AER-DAT1.0\r\n", "AEDAT of version 1.0"),
        (b"#!AER-DAT3.1\r\n#Format: RAW\r\n", "AEDAT of version 3.1"),
        (FIRST + b"# AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c\r\n", "CochleaAMS1c', whose addresses"),
    ],
)
def test_what_is_not_read_is_told(path, header, message):
    path.write_bytes(davis_file(header=header))
    with pytest.raises(RecordingError, match=message) as error:
        open_recording(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_address_no_dvs128_sends_is_told(path):
    path.write_bytes(FIRST + DVS128 + END + packed([(dvs128_word(1, 2, True), 3), (0x0001_0000, 4)]))
    with pytest.raises(RecordingError, match=rf"byte {len(FIRST + DVS128 + END) + 8} has the address 0x00010000"):
        open_recording(path)


@pytest.mark.parametrize(
    ("addresses", "camera"),
    [
        ([dvs128_word(3, 4, True)], "DVS128"),
        ([dvs128_word(3, 4, True), 0x8000], "DVS128"),
        ([davis_word(0, 0, True, (240, 180))], "DAVIS240"),
        ([davis_word(0, 0, True, (240, 180)), 2**31 + 2**30], "DAVIS240"),
        ([davis_word(0, 100, True)], "DAVIS346"),
        ([davis_word(300, 0, True)], "DAVIS346"),
        ([davis_word(0, 0, True, (640, 480))], "DAVIS640"),
    ],
)
def test_a_header_without_camera(path, addresses, camera):
    path.write_bytes(FIRST + packed([(a, 1) for a in addresses]))
    with pytest.warns(SnnkdWarning, match=f"names no camera; by its addresses it was taken for a {camera}"):
        recording = open_recording(path)
    assert recording.metadata["camera"] == camera


def test_the_caller_may_name_the_camera(path):
    path.write_bytes(davis_file([(1, 2, 3, True)], FIRST))
    recording = Aedat2Recording(path, camera="DAVIS346")
    assert recording.events.tolist() == [(1, 2, 3, True)]
    assert recording.warnings == []
    with pytest.raises(ValueError, match="camera must be one of DVS128"):
        Aedat2Recording(path, camera="DAVIS")


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n", (240, 180)),
        (b"# AEChip: eu.seebetter.ini.chips.davis.Davis346BColor\r\n", (346, 260)),
        (b"# AEChip: eu.seebetter.ini.chips.davis.Davis640\r\n", (640, 480)),
        (b"# HardwareInterface: DAVIS240 00000000\r\n", (240, 180)),
        (b"# HardwareInterface: DVS128-V1 0249\r\n", (128, 128)),
    ],
)
def test_cameras_by_their_names(path, line, size):
    path.write_bytes(FIRST + line + packed([(0, 1)]))
    assert open_recording(path).sensor_size == size


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 345), st.integers(0, 259), st.integers(0, 2**30), st.booleans(), st.integers(0, 3)),
        max_size=200,
    )
)
def test_round_trip_of_anything(tmp_path_factory, steps):
    """Random events, with random steps of time over several wraps, and other words between them."""
    path = tmp_path_factory.mktemp("aedat2") / "x.aedat"
    time, records, expected = 0, [], []
    for x, y, step, p, others in steps:
        time += step % (2**28 - 1)
        records += [(2**31 + 2**20, time % 2**32)] * others
        records.append((davis_word(x, y, p), time % 2**32))
        expected.append((x, y, time, p))
    path.write_bytes(FIRST + DAVIS346 + packed(records))
    assert open_recording(path).events.tolist() == expected


def test_damage(tmp_path):
    rng = np.random.default_rng(0)
    events = [(int(x), int(y), 1000 + 7 * i, bool(x % 2)) for i, (x, y) in enumerate(rng.integers(0, 260, (150, 2)))]
    data = davis_file(events)
    begin = len(data) % 8
    found = hold(tmp_path / "x.aedat", data, multiple=2, silent=lambda length: length % 8 == begin)
    assert {what for _, what in found} == {"read", "warned", "refused"}
