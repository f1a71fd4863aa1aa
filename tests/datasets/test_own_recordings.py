"""Recordings that a CSV file lists: windows by hand, splits, and every way in which the list can be wrong."""

import pickle
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_files import WINDOW, some_events, write_evbeye, write_recording
from hypothesis import example, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from snnkd.datasets import EMOTIONS, Recordings, check_dataset, collate, open_dataset
from snnkd.datasets.manifest import Entry, _overlaps, is_manifest
from snnkd.errors import DatasetError
from snnkd.events import bin_events, centre_square
from snnkd.recordings import open_recording, write_hdf5
from snnkd.training.evaluation import known_persons, refuse_known_persons

HEAD = "path,label,person,lighting,start,end\n"


@pytest.fixture
def folder(tmp_path):
    """Five persons with a happy and a fearful second each, the clock of each recording beginning elsewhere."""
    lines = [HEAD]
    for n, person in enumerate("abcde"):
        for take, label in enumerate(("happiness", "Fear")):
            path = write_recording(tmp_path / person / f"{take}.h5", 10_000 * n + 77, seed=2 * n + take)
            light = ("normal", "Low")[take]
            lines.append(f"{path.relative_to(tmp_path)},{label},{person},{light},,\n")
    (tmp_path / "recordings.csv").write_text("".join(lines))
    return tmp_path


def write(folder, *lines, head=HEAD):
    (folder / "recordings.csv").write_text(head + "\n".join(lines) + "\n")
    return folder


def refuse(call, *words):
    with pytest.raises(DatasetError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_every_field(folder):
    data = Recordings(folder, "all")
    first, second = data.sequences[:2]
    assert (first.name, first.person, first.emotion, first.lighting) == ("a/0.h5", "a", "happiness", "normal")
    assert (second.emotion, second.lighting, second.length) == ("fear", "low-light", 30)
    assert (len(data), data.persons, data.input_size) == (10, list("abcde"), (30, 30))
    assert counted(data.labels) == {EMOTIONS.index("happiness"): 5, EMOTIONS.index("fear"): 5}
    assert data.has_frames


def counted(values):
    return {value: values.count(value) for value in set(values)}


def test_windows_are_those_of_the_recording(folder):
    data = Recordings(folder, "all", size=(15, 10))
    recording = open_recording(folder / "b" / "1.h5")
    begin = recording.start_us
    wanted = np.array([7, 0, 29, 8])
    read = data.read(3, wanted)
    counts = bin_events(recording.events, (40, 30), begin, WINDOW, 30, size=(15, 10), crop=centre_square((40, 30)))
    np.testing.assert_array_equal(read.events, counts[wanted])
    # Frame i has the level 5·i + 3 and comes at i windows: the latest at or before a window's end is the next one.
    np.testing.assert_array_equal(read.frames[:, 0, 0], 5 * (wanted + 1) + 3)
    assert (read.events.dtype, read.frames.shape) == (np.uint8, (4, 10, 15))
    assert data.sources(3) == [folder / "b" / "1.h5"]
    assert data.reading()["window_us"] == WINDOW


def test_windows_do_not_depend_on_which_are_asked_for(folder):
    data = Recordings(folder, "all", window_us=9_000)
    whole = data.read(0, np.arange(data.sequences[0].length))
    for windows in ([5], [100, 3, 50], list(range(40, 60))):
        part = data.read(0, np.array(windows))
        np.testing.assert_array_equal(part.events, whole.events[windows])
        np.testing.assert_array_equal(part.frames, whole.frames[windows])
    recording = open_recording(data.sequences[0].path)
    kept = recording.events[recording.events["t"] < recording.start_us + 9_000 * len(whole.events)]
    assert whole.events.sum() == ((kept["x"] >= 5) & (kept["x"] < 35)).sum()


def test_start_and_end_are_seconds_from_the_first_event(folder):
    write(folder, "a/0.h5,fear,a,HDR,0.25,0.55", "a/0.h5,anger,a,HDR,0.6,", "b/0.h5,,b,,,0.5")
    data = Recordings(folder, "all", steps=4)
    assert [s.name for s in data.sequences] == ["a/0.h5@0.25", "a/0.h5@0.6", "b/0.h5"]
    assert [s.length for s in data.sequences] == [9, 12, 15]
    assert data.labels == [EMOTIONS.index("fear"), EMOTIONS.index("anger"), -1]
    assert data.sequences[2].lighting == "unknown"
    recording = open_recording(folder / "a" / "0.h5")
    begin = recording.start_us + 250_000
    expected = bin_events(recording.events, (40, 30), begin, WINDOW, 9, crop=centre_square((40, 30)))
    np.testing.assert_array_equal(data.read(0, np.arange(9)).events, expected)


def test_splits_are_by_persons(folder):
    got = {s: Recordings(folder, s, fold=1, folds=3, val_share=0.3) for s in ("train", "val", "test")}
    people = [set(data.persons) for data in got.values()]
    assert sorted(name for group in people for name in group) == list("abcde")
    assert got["test"].split_config == {"split": "person-disjoint", "fold": 1, "folds": 3, "seed": 0, "val_share": 0.3}
    dark = Recordings(folder, "test", split="leave-one-lighting-out", fold=2)
    assert {s.lighting for s in dark.sequences} == {"low-light"}
    again = open_dataset(folder, "test", **got["test"].split_config)
    assert [s.name for s in again.sequences] == [s.name for s in got["test"].sequences]


def test_the_official_split_is_the_lists(folder):
    head = HEAD.strip() + ",subset\n"
    lines = [f"{p}/0.h5,fear,{p},,,,{s}" for p, s in zip("abc", ("train", "val", "Test"), strict=True)]
    write(folder, *lines, head=head)
    for subset, person in (("train", "a"), ("val", "b"), ("test", "c")):
        assert Recordings(folder, subset, split="official").persons == [person]
    write(folder, *lines, "d/0.h5,fear,a,,,,test", head=head)
    refuse(lambda: Recordings(folder, "all"), "person a is in test and train", "one subset")


def test_it_goes_into_a_batch_and_through_a_pickle(folder):
    data = Recordings(folder, "all", steps=5, start="first")
    batch = collate([data[0], data[9]])
    assert batch["events"].shape == (5, 2, 2, 30, 30)
    again = pickle.loads(pickle.dumps(data))
    assert "_opened" not in again.__dict__
    assert (again[9]["frames"] == data[9]["frames"]).all()


def test_it_goes_through_spawned_workers_and_a_cache(folder):
    data = Recordings(folder, "all", steps=5, start="last", size=(15, 10))
    loader = DataLoader(data, 5, collate_fn=collate, num_workers=2, multiprocessing_context="spawn")
    got = list(loader)
    cached = Recordings(folder, "all", steps=5, start="last", size=(15, 10)).use_cache(folder / "cache", workers=1)
    for index in range(10):
        expected = data[index]
        batch = got[index // 5]
        for sample in (cached[index], {key: batch[key][:, index % 5] for key in ("events", "frames")}):
            assert torch.equal(sample["events"], expected["events"])
            assert torch.equal(sample["frames"], expected["frames"])


def test_any_format_and_any_name_of_the_list(folder):
    write_evbeye(folder / "eye")
    (folder / "mine.csv").write_text("label,person,end,start,path\n,f,,,eye\n")
    assert is_manifest(folder / "mine.csv")
    data = Recordings(folder / "mine.csv", "all", size=(30, 30))
    assert (data.labels, data.sequences[0].length) == ([-1], 30)
    assert isinstance(open_dataset(folder / "mine.csv", "all"), Recordings)


def test_all_lists_are_one_population(folder, tmp_path_factory):
    copy = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(folder, copy)
    trained = Recordings(folder, subset="train", folds=3)
    facts = {"population": trained.population, "training_persons": trained.persons, "split": trained.split_config}
    scored = Recordings(copy, "all")
    assert known_persons(facts, scored) == trained.persons
    with pytest.raises(
        DatasetError,
        match=rf"{len(trained.persons)} of the persons in this subset \(.*give them another name in the list",
    ):
        refuse_known_persons(facts, scored, "was trained on", "its own split")
    refuse_known_persons(facts, Recordings(copy, "test", folds=3), "was trained on", "its own split")
    text = (copy / "recordings.csv").read_text().replace(",a,", ",A,").replace(",b,", ",b2,")
    (copy / "recordings.csv").write_text(text)
    assert known_persons(facts | {"training_persons": ["a", "b", "c"]}, Recordings(copy, "all")) == ["A", "c"]


def test_official_test_persons_of_another_list_are_refused_too(folder):
    head = HEAD.strip() + ",subset\n"
    write(folder, "a/0.h5,fear,a,,,,train", "b/0.h5,fear,b,,,,test", head=head)
    data = Recordings(folder, "test", split="official")
    assert data.parts_persons
    for known, refused in (("b", True), ("a", False)):
        facts = {"population": "own recordings", "training_persons": [known], "split": data.split_config}
        with pytest.raises(DatasetError, match="another name") if refused else nullcontext():
            refuse_known_persons(facts, data, "was trained on", "its own split")


def test_parts_that_overlap(folder):
    (folder / "link.h5").symlink_to(folder / "a" / "0.h5")
    both = ["a/0.h5,fear,a,,0.1,0.6", "link.h5,{},{},,0.5,0.9"]
    for label, person, what in (("fear", "b", "persons"), ("anger", "a", "labels"), ("", "a", "labels")):
        write(folder, both[0], both[1].format(label, person))
        assert check_dataset(folder).kinds == {"contradicting parts": 1}
        refuse(lambda: Recordings(folder, "all"), "lines 2 and 3 have a part of", "link.h5", f"under two {what}")
    write(folder, both[0], both[1].format("fear", "a"))
    report = check_dataset(folder)
    assert (report.ok, report.kinds) == (True, {"overlapping parts": 1})
    assert "lines 2 and 3 have a part of" in report.table()
    assert len(Recordings(folder, "all", steps=2)) == 2
    write(folder, "link.h5,fear,a,,0.5,", "a/0.h5,fear,a,,,", "a/0.h5,anger,a,,,0.2", "b/0.h5,anger,b,,,")
    assert check_dataset(folder).kinds == {"contradicting parts": 1, "overlapping parts": 1}
    write(folder, "a/0.h5,fear,a,,,0.5", "link.h5,anger,b,,0.5,", "a/1.h5,fear,a,,,")
    assert check_dataset(folder).problems == []
    write(folder, "a/0.h5,fear,a,,,", "link.h5,fear,a,,,")
    assert check_dataset(folder).kinds == {"duplicate": 1}


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 9), st.sampled_from("ab"), st.sampled_from(EMOTIONS[:2]))))
@example([(0, 8, "a", "sadness"), (1, 1, "a", "sadness"), (5, 1, "b", "sadness")])  # a short part hides no long one
def test_every_part_that_contradicts_another_is_found(parts):
    entries = [
        Entry(
            n + 2, Path("x"), label, person, "unknown", start, start + length if length < 9 else None, False, None, True
        )
        for n, (start, length, person, label) in enumerate(parts)
    ]
    found = {p.kind for p in _overlaps(Path("l"), entries)}
    pairs = [
        (a.person, a.emotion) != (b.person, b.emotion)
        for n, a in enumerate(entries)
        for b in entries[:n]
        if max(a.start_us, b.start_us) < min(a.end_us or 99, b.end_us or 99)
    ]
    assert ("contradicting parts" in found) == any(pairs)
    assert bool(found) == bool(pairs)


def test_recordings_without_frames_must_be_said_to_be_such(folder):
    write_recording(folder / "x.h5", frames=False)
    write(folder, "x.h5,fear,a,,,")
    refuse(lambda: Recordings(folder, "all"), "line 2", "x.h5: has no frames", "frames: no")
    write(folder, "x.h5,fear,a,,,,no", "a/0.h5,fear,a,,,,", head=HEAD.strip() + ",frames\n")
    data = Recordings(folder, "all")
    assert not data.has_frames
    assert not data[0]["frames"].any()
    assert data[1]["frames"].any()


def test_frames_that_stop_are_not_shown_for_ever(folder):
    from dataset_files import some_frames

    write_hdf5(folder / "x.h5", some_events(seconds=5), (40, 30), some_frames(seconds=1))
    write(folder, "x.h5,fear,a,,,")
    assert Recordings(folder, "all").sequences[0].length == 31, "it ends a window after the last frame"
    write(folder, "x.h5,fear,a,,,4")
    refuse(lambda: Recordings(folder, "all"), "has events and frames from 0.000 to 1.033 s", "mend start or end")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nowhere.h5,fear,a,,,", ["line 2", "nowhere.h5: no such recording", "relative to the CSV file"]),
        ("a/0.h5,bored,a,,,", ["line 2", "'bored'", "the seven"]),
        ("a/0.h5,fear,a,dusk,,", ["line 2", "unknown lighting 'dusk'", "the four"]),
        ("a/0.h5,fear,,,,", ["person is empty"]),
        (",fear,a,,,", ["path is empty"]),
        ("a/0.h5,fear,a,,x,", ["start is 'x'", "seconds"]),
        ("a/0.h5,fear,a,,-1,", ["start is '-1'"]),
        ("a/0.h5,fear,a,,0.5,0.5", ["not after start"]),
        ("a/0.h5,fear,a,,0.5,9", ["has events and frames from 0.000 to", "0.500 to 9.000"]),
        ("a/0.h5,fear,a,,0.99,", ["1 of 1 sequences are shorter", "a/0.h5"]),
        ("a/0.h5,fear,a", ["has 3 cells for 6 columns"]),
        ("a/0.h5,fear,a,,,\na/0.h5,fear,a,,,", ["line 3 lists what line 2 does"]),
        ("a/0.h5,fear,a,,,\na/1.h5,fear,A,,,", ["line 3: person A is elsewhere spelt a"]),
        ("empty.h5,fear,a,,,", ["line 2", "empty.h5"]),
        ("a,fear,a,,,", ["line 2", "is no recording, but holds 0.h5, 1.h5"]),
        ('"a/0.h5,fear', ["cannot be read as CSV"]),
    ],
)
def test_bad_lines(folder, line, words):
    (folder / "empty.h5").write_bytes(b"")
    write(folder, line)
    refuse(lambda: Recordings(folder, "all"), str(folder), *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path,label,person,start\n", "lacks end"),
        ("path,label,person,start,end,mood\n", "has mood"),
        ("path,label,person,start,end,end\n", "one twice"),
        ("", "lacks path"),
        (HEAD, "lists no recording"),
    ],
)
def test_a_list_that_is_none(folder, content, words):
    (folder / "recordings.csv").write_text(content)
    refuse(lambda: Recordings(folder, "all"), str(folder / "recordings.csv"), words)


def test_a_list_in_another_encoding(folder):
    (folder / "recordings.csv").write_bytes("path,label,person,start,end\nä.h5,fear,a,,\n".encode("utf-16"))
    refuse(lambda: Recordings(folder, "all"), "UTF-8")


def test_a_check_names_every_line(folder):
    write(
        folder,
        "a/0.h5,fear,a,,,",
        "nowhere.h5,fear,b,,,",
        "b/0.h5,bored,b,,,",
        "c/0.h5,fear,c,dusk,0,9",
        "d/0.h5,,d,,,9",
    )
    report = check_dataset(folder)
    assert report.kinds == {"missing recording": 1, "bad line": 1, "unknown lighting": 1, "unusable recording": 1}
    assert report.counts == {"lines": 5, "recordings": 2, "persons": 2, "without label": 1}
    refuse(lambda: Recordings(folder, "all"), "4 problems in all")


def test_a_check_reads_everything_when_asked(folder):
    assert check_dataset(folder, images=True).ok
    path = folder / "c" / "1.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    path.write_bytes(data)
    report = check_dataset(folder, images=True)
    assert [p.kind for p in report.problems] in (["unreadable sequence"], ["unusable recording"])
    assert "c/1.h5" in report.problems[0].message


def test_one_person_cannot_be_split(folder):
    write(folder, "a/0.h5,fear,a,,,", "a/1.h5,fear,a,,,")
    refuse(lambda: Recordings(folder), str(folder), "1 person cannot be dealt into 5")
    refuse(lambda: Recordings(folder, split="official"), "2 of 2 sequences are in no subset")
    refuse(lambda: Recordings(folder, split="leave-one-lighting-out"), "have no lighting")


def test_there_is_no_list(tmp_path):
    refuse(lambda: Recordings(tmp_path), str(tmp_path / "recordings.csv"), "no such file")
