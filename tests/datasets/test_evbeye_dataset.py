"""EVBEYE as a dataset: the real sample, folders made from the layout, and folders that are wrong."""

from pathlib import Path

import numpy as np
import pytest
from dataset_files import WINDOW, write_evbeye

from snnkd.datasets import EVBEYE, check_dataset, collate, open_dataset
from snnkd.errors import DatasetError, SnnkdWarning
from snnkd.events import bin_events, centre_square
from snnkd.recordings import open_recording

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "samples" / "evbeye_user9"
SENSOR = (346, 260)


@pytest.fixture
def folder(tmp_path):
    """Four users: two eyes of 0.6 s, the others one of 1 s."""
    for user in range(1, 5):
        for eye in "01"[: 2 if user < 3 else 1]:
            write_evbeye(tmp_path / f"user{user}" / eye, 1000 * user, 0.6 if user < 3 else 1.0, seed=user)
    return tmp_path


def refuse(call, *words):
    with pytest.raises(DatasetError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample recording is not beside this checkout, in shared/samples")
@pytest.mark.filterwarnings("ignore:.*cut record:snnkd.errors.SnnkdWarning")
def test_the_real_sample():
    data = EVBEYE(SAMPLE, "all", steps=8, segment=16, size=(90, 90), start="first")
    assert [s.length for s in data.sequences] == [16, 16], "37 windows have a frame; the last 5 are too few for a clip"
    assert (data.persons, data.labels, data.input_size) == (["evbeye_user9"], [-1, -1], (90, 90))
    recording = open_recording(SAMPLE / "0")
    # It begins with the first frame, and window 17 of the recording is window 1 of the second sequence.
    begin = 314_284_138
    counts = bin_events(recording.events, SENSOR, begin, WINDOW, 32, size=(90, 90), crop=centre_square(SENSOR))
    np.testing.assert_array_equal(data.read(1, np.arange(8)).events, np.minimum(counts[16:24], 255))
    assert 0.1 < float(data[1]["frames"].mean()) < 0.9
    assert len(data.sources(0)) == 1 + 14
    assert EVBEYE(SAMPLE, "all", segment=None).sequences[0].length == 37
    assert isinstance(open_dataset(SAMPLE, "all"), EVBEYE)
    for subset in ("train", "val", "test"):
        refuse(lambda subset=subset: EVBEYE(SAMPLE, subset), str(SAMPLE), "1 person cannot be dealt into 5")


def test_every_user_eye_and_segment(folder):
    data = EVBEYE(folder, "all", steps=4, segment=10, size=(26, 26))
    assert data.persons == ["user1", "user2", "user3", "user4"]
    names = [s.name for s in data.sequences]
    assert names[:4] == ["user1/0@0", "user1/0@10", "user1/1@0", "user1/1@10"]
    assert names[-3:] == ["user4/0@0", "user4/0@10", "user4/0@20"]
    assert {s.emotion for s in data.sequences} == {None}
    assert set(data.labels) == {-1}
    assert [s.length for s in data.sequences if s.person == "user1"] == [10, 8, 10, 8]


def test_windows_are_those_of_the_recording_wherever_they_lie(folder):
    data = EVBEYE(folder, "all", steps=2, segment=7, size=(26, 26))
    for index in (0, 1, len(data) - 1):
        sequence = data.sequences[index]
        recording = open_recording(sequence.path)
        counts = bin_events(
            recording.events,
            SENSOR,
            sequence.begin_us,
            WINDOW,
            sequence.length,
            size=(26, 26),
            crop=centre_square(SENSOR),
        )
        wanted = np.array([sequence.length - 1, 0, 1])
        read = data.read(index, wanted)
        np.testing.assert_array_equal(read.events, counts[wanted])
        first = (sequence.begin_us - recording.start_us) // WINDOW
        np.testing.assert_array_equal(read.frames[:, 0, 0], 5 * (first + wanted + 1) + 3)


def test_its_sources_are_the_files_that_a_sequence_shows(folder):
    data = EVBEYE(folder, "all", steps=2, segment=7, size=(26, 26))
    sources = data.sources(1)
    assert sources[0] == folder / "user1" / "0" / "events.aerdat"
    indices = [int(path.name.split("_")[0]) for path in sources[1:]]
    assert indices == list(range(7, 15))
    shown = {3 + 5 * i for i in indices}
    assert set(data.read(1, np.arange(7)).frames[:, 0, 0].tolist()) <= shown


def test_splits_are_by_users_and_batches_have_no_label(folder):
    got = {s: EVBEYE(folder, s, folds=2, val_share=0.4, steps=4, size=(26, 26)) for s in ("train", "val", "test")}
    people = [set(data.persons) for data in got.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 4
    batch = collate([got["test"][0], got["test"][0]])
    assert batch["labels"].tolist() == [-1, -1]
    for split in ("official", "leave-one-lighting-out"):
        refuse(lambda split=split: EVBEYE(folder, "all", split=split), f"no {split} split", "person-disjoint")


def test_what_is_missing_is_named_and_may_be_left_out(folder):
    (folder / "user1" / "1" / "events.aerdat").unlink()
    (folder / "user2" / "0" / "events.aerdat").write_bytes(b"123")
    for path in (folder / "user4" / "0" / "frames").iterdir():
        path.unlink()
    report = check_dataset(folder)
    assert report.kinds == {"unusable recording": 2, "missing events": 1}
    assert (report.counts["persons"], report.counts["recordings"]) == (4, 6)
    text = report.table()
    assert "no whole record" in text
    assert "has no frames" in text
    refuse(lambda: EVBEYE(folder, "all"), "user1/1/events.aerdat: missing", "skip_broken", "3 problems")
    with pytest.warns(SnnkdWarning, match=r"3 sequence\(s\) left out.*user1/1, user2/0, user4/0"):
        assert EVBEYE(folder, "all", skip_broken=True).persons == ["user1", "user2", "user3"]


def test_a_damaged_frame_is_named_at_reading(folder):
    data = EVBEYE(folder, "all", steps=2, size=(26, 26))
    path = next((folder / "user1" / "0" / "frames").glob("1_*"))
    path.write_bytes(path.read_bytes()[:50])
    refuse(lambda: data.read(0, np.arange(3)), str(path), "is cut", "fetch")
    assert not check_dataset(folder, images=True).ok


def test_time_that_runs_backwards_is_refused(folder):
    path = folder / "user3" / "0" / "events.aerdat"
    records = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 9).copy()
    records[[900, 1000]] = records[[1000, 900]]
    path.write_bytes(records.tobytes())
    data = EVBEYE(folder, "all", steps=2, size=(26, 26), segment=None)
    index = next(i for i, s in enumerate(data.sequences) if s.person == "user3")
    refuse(lambda: data.read(index, np.arange(30)), "time runs backwards", str(path.parent))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"segment": 3, "steps": 4}, "segment is 3"),
        ({"steps": 200, "segment": 200}, "shorter than the 200 windows"),
        ({"subset": "dev"}, "'dev'"),
        ({"folds": 9, "subset": "test"}, "4 persons cannot be dealt into 9"),
    ],
)
def test_impossible_settings(folder, settings, words):
    refuse(lambda: EVBEYE(folder, **({"subset": "all"} | settings)), words)


def test_no_recording_is_here(tmp_path):
    refuse(lambda: EVBEYE(tmp_path), "no EVBEYE recording", "<user>/<eye 0 or 1>/events.aerdat")
