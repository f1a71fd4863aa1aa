"""DSEE by a mapping: both kinds of events, what the patterns match, and everything that does not fit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from dataset_files import WINDOW, write_images, write_recording

from snnkd.datasets import DSEE, check_dataset, open_dataset
from snnkd.datasets.dsee_mapping import matches, read_mapping
from snnkd.datasets.dsee_numbering import numbers_of, series_problem
from snnkd.errors import DatasetError, SnnkdWarning
from snnkd.events import bin_events, centre_square
from snnkd.recordings import open_recording

IMAGES = {
    "kind": "images",
    "events": "event/{emotion}/{person}_{lighting}_{take}",
    "frames": "frame/{emotion}/{person}_{lighting}_{take}",
    "emotions": {"joy": "happiness"},
    "lightings": {"dark": "low-light"},
}


def write_mapping(root, mapping, name="dsee.yaml"):
    (root / name).write_text(json.dumps(mapping) if name.endswith("json") else yaml.safe_dump(mapping))
    return root


@pytest.fixture
def images(tmp_path):
    """Six persons with two emotions of 8 images each; frame n has grey level 10·n, event image n has n + 1 events."""
    for n, person in enumerate("abcdef"):
        for emotion in ("joy", "Fear"):
            name = f"{emotion}/{person}_{('dark', 'HDR')[n % 2]}_1"
            write_images(tmp_path / "event" / name, range(1, 9), event=True)
            write_images(tmp_path / "frame" / name, range(0, 80, 10))
    return write_mapping(tmp_path, IMAGES)


@pytest.fixture
def recordings(tmp_path):
    """Four persons, a recording of one second with frames inside each."""
    for n, person in enumerate("abcd"):
        subset = "testing" if n == 3 else "training"
        write_recording(tmp_path / subset / person / "fear_1.h5", 500 * n, seed=n)
    pattern = "{subset}/{person}/{emotion}_{take:\\d+}.h5"
    subsets = {"training": "train", "testing": "test"}
    return write_mapping(tmp_path, {"kind": "recording", "events": pattern, "subsets": subsets, "lighting": "HDR"})


def refuse(call, *words):
    with pytest.raises(DatasetError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_every_field_of_images(images):
    data = DSEE(images, subset="all", steps=2, stride=2, size=None)
    assert (len(data), data.persons, data.input_size, data.window_us) == (12, list("abcdef"), (30, 30), WINDOW)
    first = data.sequences[0]
    assert (first.name, first.person) == ("event/Fear/a_dark_1", "a")
    assert (first.emotion, first.lighting, first.length) == ("fear", "low-light", 8)
    assert {s.emotion for s in data.sequences} == {"fear", "happiness"}
    assert data.sources(0) == [images / "event/Fear/a_dark_1", images / "frame/Fear/a_dark_1"]
    assert data.reading() == DSEE(images, subset="test", size=(30, 30), steps=1).reading()


def test_windows_of_images(images):
    read = DSEE(images, subset="all", steps=2, size=None).read(3, np.array([7, 0, 2]))
    np.testing.assert_array_equal(read.events[:, 1].sum((1, 2)), [8, 1, 3])
    assert not read.events[:, 0].any()
    assert read.events[0, 1, 3, 3:11].all()
    np.testing.assert_array_equal(read.frames[:, 0, 0], [70, 0, 20])


def test_windows_of_recordings(recordings):
    data = DSEE(recordings, subset="all", size=(15, 15))
    assert {s.lighting for s in data.sequences} == {"HDR"}
    recording = open_recording(recordings / "training" / "b" / "fear_1.h5")
    index = next(i for i, s in enumerate(data.sequences) if s.person == "b")
    counts = bin_events(
        recording.events, (40, 30), recording.start_us, WINDOW, 30, size=(15, 15), crop=centre_square((40, 30))
    )
    read = data.read(index, np.array([2, 29]))
    np.testing.assert_array_equal(read.events, counts[[2, 29]])
    np.testing.assert_array_equal(read.frames[:, 0, 0], [18, 153])
    assert data.has_frames
    fine = DSEE(recordings, subset="all", window_us=10_000)
    assert (fine.sequences[0].length, fine.window_us) == (100, 10_000)


@pytest.mark.parametrize(("clock", "late"), [("start", 40), ("recording", 44)])
def test_frames_in_folders_beside_recordings(tmp_path, clock, late):
    # At 30 a second frame 11 comes at 366,667 µs, and window 10 ends at 366,663.
    recording = write_recording(tmp_path / "a.h5", 50_000_000, frames=False)
    levels = range(0, 120, 4)
    if clock == "start":
        write_images(tmp_path / "a", levels)
    else:
        write_images(tmp_path / "x", levels)
        (tmp_path / "a").mkdir()
        for n, path in enumerate(sorted((tmp_path / "x").iterdir())):
            path.rename(tmp_path / "a" / f"{50_000_000 + n * WINDOW}.png")
        (tmp_path / "x").rmdir()
    mapping = {"kind": "recording", "events": "{person}.h5", "frames": "{person}", "frame_times": clock}
    write_mapping(tmp_path, mapping | ({"frame_rate": 30} if clock == "start" else {}))
    data = DSEE(tmp_path, subset="all", size=(30, 30))
    assert (data.sequences[0].begin_us, data.sequences[0].length, data.labels) == (50_000_000, 30, [-1])
    assert data.sources(0) == [recording, tmp_path / "a"]
    np.testing.assert_array_equal(data.read(0, np.array([0, 10])).frames[:, 0, 0], [4, late])


def test_recordings_of_events_alone(tmp_path):
    write_recording(tmp_path / "a.h5", frames=False)
    write_mapping(tmp_path, {"kind": "recording", "events": "{person}.h5"})
    refuse(lambda: DSEE(tmp_path, subset="all"), "a.h5: has no frames")
    write_mapping(tmp_path, {"kind": "recording", "events": "{person}.h5", "frames": "none"})
    data = DSEE(tmp_path, subset="all")
    assert not data.has_frames
    assert data[0]["events"].any()


def test_splits(images, recordings):
    # Both trees lie in one folder; the mapping of the recordings was written last.
    official = DSEE(recordings, "official", subset="test")
    assert official.persons == ["d"]
    write_mapping(images, IMAGES)
    parts = {s: DSEE(images, subset=s, folds=3, val_share=0.4, steps=2) for s in ("train", "val", "test")}
    people = [set(data.persons) for data in parts.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 6
    again = open_dataset(images, "val", **parts["val"].split_config, steps=2)
    assert [s.name for s in again.sequences] == [s.name for s in parts["val"].sequences]
    dark = DSEE(images, "leave-one-lighting-out", 2, subset="test", steps=2)
    assert {s.lighting for s in dark.sequences} == {"low-light"}
    refuse(lambda: DSEE(images, "official"), "no subset of an official split")


def test_the_mapping_may_be_json_or_be_named(images):
    write_mapping(images, IMAGES, "dsee.json")
    (images / "dsee.yaml").unlink()
    assert len(DSEE(images, subset="all", steps=2)) == 12
    assert isinstance(open_dataset(images / "dsee.json", "all", steps=2), DSEE)


def test_patterns(tmp_path):
    for name in ("x_1_07", "x_y_2_08", "y_3", ".hidden_1_2"):
        (tmp_path / "p" / name).mkdir(parents=True)
    found = {path.name: dict(fields) for fields, path in matches(tmp_path, r"p/{person}_{take:\d}_*")}
    assert found == {"x_1_07": {"person": "x", "take": "1"}, "x_y_2_08": {"person": "x_y", "take": "2"}}
    (tmp_path / "q" / "a" / "a_1").mkdir(parents=True)
    (tmp_path / "q" / "a" / "b_1").mkdir()
    assert [path.name for _, path in matches(tmp_path, "q/{person}/{person}_{take}")] == ["a_1"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"events": "events/{person}_{lighting}_{take}"}, ["same placeholders", "{emotion}"]),
        ({"events": "evt/{emotion}/{person}_{lighting}_{take}"}, ["events: evt/", "matches nothing", "event, frame"]),
        ({"kind": "video"}, ["'video'", "images or recording"]),
        ({"frames": None}, ["needs frames"]),
        ({"speed": 3}, ["unknown key 'speed'"]),
        ({"events": "event/{mood}/{person}_{lighting}_{take}"}, ["{mood}", "no placeholder", "{person}"]),
        ({"events": "event/{emotion/x"}, ["no placeholder"]),
        ({"events": "event/{emotion}/{person:[}"}, ["mend the expression"]),
        ({"events": "/event/{emotion}"}, ["no name of a folder"]),
        ({"events": "event/{emotion}"}, ["must have {person}"]),
        ({"emotions": {"joy": "bliss"}}, ["'bliss'", "the seven"]),
        ({"emotions": {"joy": 3}}, ["emotions is", "map text to text"]),
        ({"lightings": {}}, ["unknown lighting 'dark'", "the four", "6 problems"]),
        ({"emotions": {}}, ["unknown emotion 'joy'"]),
        ({"window_us": 0}, ["window_us is 0"]),
        ({"frame_rate": "x"}, ["frame_rate is 'x'"]),
        ({"frame_times": "now"}, ["frame_times is 'now'"]),
        ({"margin": -1}, ["margin is -1"]),
    ],
)
def test_bad_mappings(images, change, words):
    mapping = {key: value for key, value in (IMAGES | change).items() if value is not None}
    write_mapping(images, mapping)
    refuse(lambda: DSEE(images, subset="all", steps=2), str(images), *words)


@pytest.mark.parametrize("text", ["", "- a", "kind: [", "kind: images", "\0"])
def test_files_that_are_no_mapping(tmp_path, text):
    (tmp_path / "dsee.yaml").write_text(text)
    refuse(lambda: read_mapping(tmp_path / "dsee.yaml"), str(tmp_path / "dsee.yaml"))


def test_everything_that_does_not_fit_is_named(images):
    event, frame = images / "event", images / "frame"
    shutil.rmtree(frame / "joy" / "a_dark_1")
    shutil.rmtree(event / "joy" / "b_HDR_1")
    (event / "joy" / "c_dark_1" / "0007.png").unlink()
    (event / "joy" / "d_HDR_1" / "0003.png").rename(event / "joy" / "d_HDR_1" / "0009.png")
    for path in (event / "joy" / "e_dark_1").iterdir():
        path.unlink()
    (event / "joy" / "f_HDR_1").rename(event / "joy" / "f_dusk_1")
    (frame / "joy" / "f_HDR_1").rename(frame / "joy" / "f_dusk_1")
    for n in reversed(range(8)):
        (event / "Fear" / "d_HDR_1" / f"{n:04d}.png").rename(event / "Fear" / "d_HDR_1" / f"{n + 1:04d}.png")
    (event / "fear").mkdir()
    report = check_dataset(images)
    assert report.kinds == {
        "unpaired": 2,
        "unequal numbers of images": 1,
        "missing images": 2,
        "no images": 1,
        "unknown lighting": 1,
    }
    assert report.counts == {"events": 11, "frames": 11, "whole sequences": 5, "persons": 5}
    assert "image 0001.png does not go with frame 0000.png" in report.table()
    assert "joy/d_HDR_1: lacks 2 image(s) of its series, after 0002.png, 0007.png; fetch" in report.table()
    refuse(lambda: DSEE(images, subset="all", steps=2), "7 problems in all", "skip_broken")
    with pytest.warns(SnnkdWarning, match=r"7 sequence\(s\) left out"):
        assert len(DSEE(images, subset="all", steps=2, skip_broken=True)) == 5


def test_images_that_both_folders_lack_are_named(images):
    for kind in ("event", "frame"):
        for n in (3, 4, 5):
            (images / kind / "joy" / "a_dark_1" / f"{n:04d}.png").unlink()
    refuse(
        lambda: DSEE(images, subset="all", steps=2), "event/joy/a_dark_1: lacks 3 image(s)", "after 0002.png", "fetch"
    )
    assert check_dataset(images).kinds == {"missing images": 2}
    with pytest.warns(SnnkdWarning, match=r"1 sequence\(s\) left out .*event/joy/a_dark_1"):
        assert len(DSEE(images, subset="all", steps=2, skip_broken=True)) == 11


@pytest.mark.parametrize(
    ("names", "numbers", "problem"),
    [
        (["1", "2", "10"], [1, 2, 10], "lacks 7 image(s) of its series, after 2.png"),
        (["t3_008", "t3_009", "t3_010"], [8, 9, 10], None),
        (["0_7_st_5000", "1_7_st_38000", "2_7_st_72000"], [0, 1, 2], None),
        (["0", "33", "67", "100"], [0, 33, 67, 100], None),
        (["0", "33333", "66667", "133333", "166667"], [0, 33333, 66667, 133333, 166667], "lacks 1 image(s)"),
        (["1", "2", "02", "3"], [1, 2, 2, 3], "2.png and 02.png have one number"),
        (["a", "b"], None, "no running number"),
        (["1", "2", "cover"], None, "no running number"),
        (["7"], [7], None),
        (["x"], None, "no running number"),
    ],
)
def test_numbers_in_names(names, numbers, problem):
    files = [Path(f"{name}.png") for name in names]
    assert numbers_of(files) == numbers
    told = series_problem(Path("here"), "s", files, numbers)
    assert (told is None) == (problem is None)
    if told:
        assert problem in told.message
        assert told.note == (numbers is None)


def test_one_person_in_two_spellings_is_refused(tmp_path):
    for person in ("1", "2", "P3"):
        for take in ("1", "2"):
            write_images(tmp_path / "e" / f"{person}-{take}", range(3), event=True)
            write_images(tmp_path / "f" / f"{person}-{take}", range(3))
    for name in ("01-3", "p3-3"):
        write_images(tmp_path / "e" / name, range(3), event=True)
        write_images(tmp_path / "f" / name, range(3))
    write_mapping(tmp_path, {"kind": "images", "events": "e/{person}-{take}", "frames": "f/{person}-{take}"})
    refuse(lambda: DSEE(tmp_path, subset="all", steps=2, stride=1), "e/01-3: person 01 is elsewhere spelt 1")
    report = check_dataset(tmp_path)
    assert report.kinds == {"person in two spellings": 2}
    assert "e/p3-3: person p3 is elsewhere spelt P3" in report.table()
    assert report.counts["persons"] == 3
    with pytest.warns(SnnkdWarning, match="e/01-3, e/p3-3"):
        assert DSEE(tmp_path, subset="all", steps=2, stride=1, skip_broken=True).persons == ["1", "2", "P3"]


def test_a_person_in_two_subsets_is_named(recordings):
    assert check_dataset(recordings).problems == []
    write_recording(recordings / "testing" / "a" / "fear_2.h5", seed=9)
    report = check_dataset(recordings)
    assert (report.ok, report.kinds) == (True, {"person in two subsets": 1})
    assert "person a is in test and train" in report.table()
    assert DSEE(recordings, "official", subset="test").persons == ["a", "d"]


@pytest.mark.parametrize("each", [2, 3])
def test_windows_of_several_images(images, each):
    one = DSEE(images, subset="all", steps=1, size=(8, 8))
    data = DSEE(images, subset="all", steps=2, stride=1, size=(8, 8), window_us=each * WINDOW)
    assert {s.length for s in data.sequences} == {8 // each}
    read, single = data.read(3, np.array([1, 0])), one.read(3, np.arange(2 * each))
    sums = single.events.reshape(2, each, 2, 8, 8).sum(1, dtype=int)[::-1]
    np.testing.assert_array_equal(read.events, sums)
    np.testing.assert_array_equal(read.frames, single.frames[each - 1 :: each][::-1])
    assert data.reading() != one.reading()


def test_duplicates_are_named(images):
    shutil.copytree(images / "event/joy/a_dark_1", images / "event2/joy/a_dark_1")
    write_mapping(images, IMAGES | {"events": "event*/{emotion}/{person}_{lighting}_{take}"})
    refuse(lambda: DSEE(images, subset="all", steps=2), "event2/joy/a_dark_1: has the same fields as", "remove one")


def test_damaged_images_and_images_that_went_are_named(images):
    data = DSEE(images, subset="all", steps=2)
    bad = images / "event/Fear/a_dark_1/0002.png"
    bad.write_bytes(bad.read_bytes()[:60])
    refuse(lambda: data.read(0, np.arange(4)), str(bad), "PNG", "is cut")
    assert check_dataset(images, images=True).kinds == {"unreadable sequence": 1}
    for n in range(8):
        (images / f"frame/Fear/b_HDR_1/{n:04d}.png").unlink()
    refuse(lambda: data.read(1, np.arange(4)), "gone since")


def test_another_window_and_short_sequences_are_refused(images):
    refuse(lambda: DSEE(images, subset="all", steps=2, window_us=5000), "cover 33333 µs", "66666, 99999 µs")
    refuse(lambda: DSEE(images, subset="all", steps=2, window_us=0), "window_us is 0")
    refuse(lambda: DSEE(images, subset="all"), "12 of 12 sequences are shorter", "set stride to 2 or less")
    refuse(lambda: DSEE(images / "nowhere"), "no dsee.yaml is here")


def test_a_recording_that_is_none_is_named(recordings):
    (recordings / "training" / "b" / "fear_1.h5").write_bytes(b"x" * 99)
    refuse(lambda: DSEE(recordings, subset="all"), "training/b/fear_1.h5")
    assert check_dataset(recordings).kinds == {"unusable recording": 1}
