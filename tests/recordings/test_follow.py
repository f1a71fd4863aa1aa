"""A file that grows gives, part by part, the events of the whole file."""

import threading
import time

import encoders
import numpy as np
import pytest
from aedat4_files import event_packet, file_bytes
from evt_streams import EVT2_HEADER, EVT3_HEADER, some_columns

from snnkd.errors import RecordingError
from snnkd.events import make_events
from snnkd.recordings import open_recording
from snnkd.recordings.follow import follow


def grow(path, data, part):
    with open(path, "wb") as file:
        for begin in range(0, len(data), part):
            file.write(data[begin : begin + part])
            file.flush()
            time.sleep(0.005)


def followed(path, data, part=3_001):
    writer = threading.Thread(target=grow, args=(path, data, part))
    writer.start()
    following = follow(path, idle_s=0.7, poll_s=0.002)
    chunks = list(following.chunks())
    writer.join()
    return following, chunks


@pytest.mark.parametrize(("header", "encode"), [(EVT2_HEADER, encoders.evt2), (EVT3_HEADER, encoders.evt3)])
def test_words(tmp_path, header, encode):
    path = tmp_path / "grows.raw"
    following, chunks = followed(path, header + encode(*some_columns(40_000), clutter=0.1), 2_001)
    whole = open_recording(path)
    assert len(chunks) > 1
    assert following.sensor_size == whole.sensor_size
    np.testing.assert_array_equal(np.concatenate(chunks), whole.events)


def packets(number):
    for k in range(number):
        t = 1_000 * k + np.sort(np.random.default_rng(k).integers(0, 1_000, 50))
        yield 0, event_packet(make_events(np.arange(50) % 64, np.arange(50) % 48, t, np.arange(50) % 2))


def test_packets_and_the_table_that_a_recorder_writes_at_the_end(tmp_path):
    streams = [(0, "EVTS", (64, 48))]
    growing = file_bytes(streams, packets(40))
    path = tmp_path / "grows.aedat4"
    _, chunks = followed(path, growing, 777)
    whole = open_recording(path).events
    assert len(chunks) > 3
    np.testing.assert_array_equal(np.concatenate(chunks), whole)
    # The header of a finished file names the table, which is no packet.
    finished = file_bytes(streams, packets(40), table=len(growing)) + b"\x20\0\0\0" + b"\x10\0\0\0FTAB" + bytes(24)
    _, chunks = followed(tmp_path / "finished.aedat4", finished, 10_000)
    np.testing.assert_array_equal(np.concatenate(chunks), whole)


def test_time_that_runs_backwards_and_what_cannot_be_followed(tmp_path):
    late = [*packets(3), *packets(1)]
    path = tmp_path / "back.aedat4"
    path.write_bytes(file_bytes([(0, "EVTS", (64, 48))], late))
    with pytest.raises(RecordingError, match="time runs backwards"):
        list(follow(path, idle_s=0.1).chunks())
    with pytest.raises(RecordingError, match=r"absent.raw: did not appear within 0.05 s"):
        follow(tmp_path / "absent.raw", idle_s=0.05)
    (tmp_path / "t.csv").write_text("t,x,y,p\n1,2,3,1\n2,2,3,0\n")
    with pytest.raises(RecordingError, match="only AEDAT4, RAW and DAT files can be followed"):
        follow(tmp_path / "t.csv", idle_s=0.1)
    nameless = tmp_path / "size.raw"
    nameless.write_bytes(b"% evt 2.0\n% end\n" + encoders.evt2(*some_columns(100)))
    with pytest.raises(RecordingError, match="does not tell the size of the sensor"):
        list(follow(nameless, idle_s=0.1).chunks())
    given = follow(nameless, idle_s=0.1, sensor_size=(1280, 720))
    assert sum(map(len, given.chunks())) == len(open_recording(nameless, sensor_size=(1280, 720)).events)
