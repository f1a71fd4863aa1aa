"""Every way in which a copy of SEE can be wrong: one line that names the place and what to do."""

import json
import shutil
import struct

import cv2
import numpy as np
import pytest

from snnkd.datasets import SEE, check_dataset, open_dataset
from snnkd.errors import DatasetError, SnnkdWarning


def refuse(*words, call):
    with pytest.raises(DatasetError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
    return message


def open_all(tree, **kwargs):
    return SEE(tree.root, subset="all", **kwargs)


def test_missing_root(tmp_path):
    refuse(tmp_path / "nowhere", "no such folder", call=lambda: SEE(tmp_path / "nowhere"))
    refuse(tmp_path, "emotion.json", call=lambda: SEE(tmp_path))
    refuse(tmp_path, "eyesim.json", "emotion.json", call=lambda: open_dataset(tmp_path))


@pytest.mark.parametrize("missing", ["event", "frame", "event/neutraL", "frame/angry"])
def test_missing_folder(make_see, missing):
    tree = make_see(persons=1)
    shutil.rmtree(tree.root / missing)
    word = {"event/neutraL": "neutral", "frame/angry": "anger"}.get(missing, "missing")
    refuse(tree.root / missing.split("/")[0], word, call=lambda: open_all(tree))


@pytest.mark.parametrize("content", ["{", "[]", '{"labels": []}', '{"database": 3}', ""])
def test_broken_annotations(make_see, content):
    tree = make_see(persons=1)
    (tree.root / "emotion.json").write_text(content)
    refuse(tree.root / "emotion.json", "fetch it again", call=lambda: open_all(tree))


def test_annotations_that_are_no_text(make_see):
    tree = make_see(persons=1)
    for content in (b"\xff\xfe\x00" * 999, b'{"database": ' + b"[" * 200_000):
        (tree.root / "emotion.json").write_bytes(content)
        assert len(refuse(tree.root / "emotion.json", "fetch it again", call=lambda: open_all(tree))) < 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e.pop("subset"), ["subset"]),
        (lambda e: e.update(subset="validation"), ["'validation'", "training or testing"]),
        (lambda e: e.pop("annotations"), ["annotations"]),
        (lambda e: e["annotations"].pop("label"), ["label"]),
        (lambda e: e["annotations"].update(label="contempt"), ["'contempt'", "happiness, sadness"]),
        (lambda e: e["annotations"].update(label="fear"), ["labelled fear"]),
        (lambda e: e["annotations"].update(segment=[0]), ["segment"]),
        (lambda e: e["annotations"].update(segment=[5, 5]), ["[5, 5]"]),
        (lambda e: e["annotations"].update(segment=["0", "9"]), ["['0', '9']"]),
        (lambda e: e["annotations"].update(segment=[0, 21]), ["[0, 21)", "20 images"]),
    ],
)
def test_broken_entry(make_see, change, words):
    tree = make_see(persons=1)
    change(tree.database[tree.names[0]])
    tree.write()
    refuse(tree.root / "emotion.json", tree.names[0], *words, call=lambda: open_all(tree))


def test_annotation_without_folder(make_see):
    tree = make_see(persons=1)
    shutil.rmtree(tree.path("event", tree.names[3]))
    refuse(tree.root / "event", tree.names[3], "no folder", call=lambda: open_all(tree))


def test_folder_without_annotation(make_see):
    tree = make_see(persons=1)
    del tree.database[tree.names[3]]
    tree.write()
    refuse(tree.path("event", tree.names[3]), "no entry in emotion.json", call=lambda: open_all(tree))


def test_folder_that_is_no_emotion(make_see):
    tree = make_see(persons=1)
    (tree.root / "event" / "contempt").mkdir()
    refuse(tree.root / "event" / "contempt", "the seven", call=lambda: open_all(tree))


@pytest.mark.parametrize(
    "name",
    [
        "1_001_person_24_Master_normal_angry_20_take000",
        "1_001_man_24_Master_dusk_angry_20_take000",
        "1_001_man_24_Master_normal_bored_20_take000",
        "1_001_man_normal_angry_20_take000",
        "holiday",
    ],
)
def test_bad_sequence_name(make_see, name):
    tree = make_see(persons=1)
    tree.add(name, "angry", "training")
    tree.write()
    refuse(repr(name), call=lambda: open_all(tree))


def test_unequal_numbers_of_images(make_see):
    tree = make_see(persons=1)
    (tree.path("frame", tree.names[0]) / "00019.jpg").unlink()
    refuse(tree.path("event", tree.names[0]), "20 event images but 19 frames", call=lambda: open_all(tree))


def test_missing_images_are_named_before_one_is_read(make_see):
    tree = make_see(persons=1)
    folder = tree.path("event", tree.names[0])
    for n in (4, 11):
        (folder / f"{n:05d}.jpg").unlink()
    refuse(folder, "lacks 2 image(s)", "00004.jpg, 00011.jpg", "fetch", call=lambda: open_all(tree))
    with pytest.warns(SnnkdWarning, match=tree.names[0]):
        assert len(open_all(tree, skip_broken=True)) == 6


def test_an_image_that_goes_missing_later_is_named_at_reading(make_see):
    tree = make_see(persons=1)
    data = open_all(tree, start="first")
    gone = tree.path("event", tree.names[0]) / "00004.jpg"
    gone.unlink()
    refuse(gone, "fetch", call=lambda: data[0])


def test_images_outside_the_segment_may_be_missing(make_see):
    tree = make_see(persons=1)
    for entry in tree.database.values():
        entry["annotations"]["segment"] = [2, 18]
    tree.write()
    for kind in ("event", "frame"):
        (tree.path(kind, tree.names[0]) / "00000.jpg").unlink()
    assert open_all(tree, start="first")[0]["frames"][0].mean() * 255 == pytest.approx(20 + 8 * 2, abs=1.5)
    assert SEE.check(tree.root).kinds == {"missing images, outside the segment": 2}
    assert SEE.check(tree.root).ok


@pytest.mark.parametrize("gone", [(0,), (19,), (0, 19)])
@pytest.mark.parametrize("kinds", [("event",), ("frame",), ("event", "frame")])
def test_one_folder_may_lack_images_outside_the_segment(make_see, kinds, gone):
    tree = make_see(persons=1)
    for entry in tree.database.values():
        entry["annotations"]["segment"] = [2, 18]
    tree.write()
    for kind in kinds:
        for n in gone:
            (tree.path(kind, tree.names[0]) / f"{n:05d}.jpg").unlink()
    report = SEE.check(tree.root)
    assert report.ok
    assert report.problems
    data = open_all(tree, start="first")
    assert (len(data), data.sequences[0].length) == (7, 16)
    assert data[0]["frames"][0].mean() * 255 == pytest.approx(20 + 8 * 2, abs=1.5)


def test_what_counts_as_unequal_is_what_lies_in_the_segment(make_see):
    tree = make_see(persons=1)
    tree.database[tree.names[0]]["annotations"]["segment"] = [2, 20]
    tree.write()
    (tree.path("event", tree.names[0]) / "00000.jpg").unlink()
    (tree.path("frame", tree.names[0]) / "00019.jpg").unlink()  # 19 of each are left, but of other times
    refuse("18 event images but 17 frames", "of its segment [2, 20)", call=lambda: open_all(tree))


def test_a_sequence_in_two_emotions_is_refused(make_see):
    tree = make_see(persons=1)
    shutil.copytree(tree.path("event", tree.names[0]), tree.root / "event" / "fear" / tree.names[0])
    refuse(tree.root / "event" / "fear" / tree.names[0], "also in", call=lambda: open_all(tree))


def test_a_sequence_among_another_emotion_is_refused(make_see):
    tree = make_see(persons=1)
    shutil.move(tree.path("frame", tree.names[0]), tree.root / "frame" / "fear")
    refuse(tree.root / "frame" / "fear" / tree.names[0], "lies among fear", call=lambda: open_all(tree))


def test_two_entries_of_one_name_are_refused(make_see):
    tree = make_see(persons=1)
    text = (tree.root / "emotion.json").read_text()
    entry = json.dumps(tree.database[tree.names[0]])
    text = text.replace(f'"{tree.names[0]}": ', f'"{tree.names[0]}": {entry}, "{tree.names[0]}": ')
    (tree.root / "emotion.json").write_text(text)
    refuse(tree.names[0], "more than once", call=lambda: open_all(tree))


def test_one_sequence_under_two_spellings_is_refused(make_see):
    tree = make_see(persons=1)
    neutral = next(name for name in tree.names if "neutraL" in name)
    tree.add(neutral.replace("neutraL", "Neutral"), "neutraL", "training")
    tree.write()
    refuse("has the same fields", neutral, call=lambda: open_all(tree))


def test_one_person_under_two_spellings_is_refused(make_see):
    tree = make_see(persons=2)
    tree.add("99_2_man_24_Master_Low_angry_20_take000", "angry", "training")
    tree.write()
    refuse("person 2 is elsewhere spelt 002", call=lambda: open_all(tree))


def test_letters_in_two_cases_are_one_person(make_see):
    tree = make_see(persons=1)
    for number, person in ((98, "P7"), (99, "p07")):
        tree.add(f"{number}_{person}_man_24_Master_Low_angry_20_take000", "angry", "training")
    tree.write()
    refuse("person P7 is elsewhere spelt p07", call=lambda: open_all(tree))


def test_a_check_names_everything(make_see):
    tree = make_see(persons=3)
    for kind in ("event", "frame"):
        shutil.rmtree(tree.path(kind, tree.names[0]))
    del tree.database[tree.names[1]]
    tree.database[tree.names[2]]["annotations"]["segment"] = [0, 99]
    (tree.path("frame", tree.names[3]) / "00019.jpg").unlink()
    (tree.path("event", tree.names[4]) / "00003.jpg").unlink()
    (tree.path("event", tree.names[5]) / "notes.jpg").write_bytes(b"")
    bad = tree.path("frame", tree.names[6]) / "00007.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    odd = tree.path("event", tree.names[7]) / "00002.jpg"
    cv2.imwrite(str(odd), np.full((20, 20), 128, np.uint8))
    for path in tree.path("event", tree.names[8]).iterdir():
        cv2.imwrite(str(path), np.zeros((36, 48), np.uint8))
    tree.add("77_001_man_24_Master_dusk_angry_20_take000", "angry", "training")
    tree.add("78_001_woman_24_Master_Low_angry_30_take000", "angry", "training")
    tree.write()
    quick = SEE.check(tree.root)
    expected = {
        "annotation without folder": 2,
        "folder without annotation": 1,
        "short sequence": 1,
        "unequal numbers of images": 1,
        "missing images": 1,
        "extra images": 1,
        "unknown lighting": 1,
        "length unlike the name's": 1,
        "person of two descriptions": 1,
    }
    assert quick.kinds == expected
    assert not quick.ok
    deep = SEE.check(tree.root, images=True, workers=2)
    assert {kind: n for kind, n in deep.kinds.items() if kind not in quick.kinds} == {
        "unreadable image": 2,  # the one that was cut, and the notes that call themselves a JPG
        "image of another size": 1,
        "crowded event images": 1,
    }
    assert quick.counts["whole sequences"] == 23 - 6
    assert deep.counts["annotations"] == 22
    facts = json.loads(json.dumps(deep.to_dict()))
    assert facts["kinds"] == deep.kinds
    named = {problem["sequence"] for problem in facts["problems"]}
    assert {*tree.names[:9], tree.names[-2], tree.names[-1]} <= named
    text = deep.table()
    assert str(bad) in text
    assert "annotation without folder" in text
    with pytest.raises(DatasetError, match=r"\(7 problems in all"):
        open_all(tree)
    with pytest.warns(SnnkdWarning, match=r"6 sequence\(s\) left out") as caught:
        assert len(open_all(tree, skip_broken=True)) == 17
    assert all(name in str(caught[0].message) for name in tree.names[:5])


def test_a_whole_copy_is_said_to_be_whole(see_root):
    done = []
    report = check_dataset(see_root, images=True, progress=lambda n, total: done.append((n, total)))
    assert (report.ok, report.problems) == (True, [])
    assert "nothing wrong was found" in report.table()
    assert done[-1] == (1120, 1120)


def giant(data):
    """The same file with 65,000 x 65,000 in its header, which makes OpenCV raise."""
    size = data.index(b"\xff\xc0") + 5
    return data[:size] + struct.pack(">HH", 65_000, 65_000) + data[size + 4 :]


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: b"no image", lambda d: d[: len(d) // 2], giant])
def test_unreadable_image_is_named_at_reading(make_see, damage):
    tree = make_see(persons=1)
    bad = tree.path("frame", tree.names[0]) / "00000.jpg"
    bad.write_bytes(damage(bad.read_bytes()))
    data = open_all(tree, start="first")
    refuse(bad, "not a whole JPG", call=lambda: data[0])


def test_short_sequences_are_counted_and_the_remedy_works(make_see):
    tree = make_see(persons=1, length=9)
    message = refuse(tree.root, "7 of 7", "13 windows", "has 9", call=lambda: open_all(tree))
    assert "set stride to 2" in message
    assert len(open_all(tree, stride=2)) == 7
    refuse("set steps to 9", call=lambda: open_all(tree, steps=10))
    assert len(open_all(tree, steps=9, stride=1)) == 7
    assert SEE.check(tree.root).kinds == {"shorter than a clip": 7}
    assert SEE.check(tree.root, stride=2).problems == []


def test_broken_sequences_can_be_left_out(make_see):
    tree = make_see(persons=2)
    shutil.rmtree(tree.path("event", tree.names[3]))
    (tree.path("frame", tree.names[0]) / "00019.jpg").unlink()
    with pytest.warns(SnnkdWarning, match="2 sequence") as caught:
        data = open_all(tree, skip_broken=True)
    assert len(caught) == 1
    assert [s.name for s in data.sequences] == [n for n in tree.names if n not in (tree.names[0], tree.names[3])]


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"split": "authors"}, "'authors'"),
        ({"subset": "dev"}, "'dev'"),
        ({"split": "subject-disjoint", "fold": 4, "folds": 4}, "0..3"),
        ({"split": "subject-disjoint", "folds": 9}, "4 persons"),
        ({"margin": 200}, "margin"),
        ({"fold": "x"}, "fold is 'x'"),
        ({"seed": -1}, "seed is -1"),
        ({"size": (0, 5)}, "width of size is 0"),
        ({"subset": "val", "val_share": 0.0}, "no sequence"),
    ],
)
def test_impossible_settings(see_root, kwargs, word):
    refuse(word, call=lambda: SEE(see_root, **kwargs))


def test_an_unknown_split_option_is_refused(see_root):
    refuse("SEE has no split option 'shuffle'", "val_share", call=lambda: open_dataset(see_root, shuffle=True))


@pytest.mark.parametrize("window", [10_000, 50_000, 100_000])
def test_windows_that_images_cannot_make_are_refused(see_root, window):
    words = ("cover 33333 µs each", "33333, 66666, 99999 µs and so on", f"not window_us {window}")
    refuse(see_root, *words, call=lambda: open_dataset(see_root, window_us=window))


def test_segments_that_are_shorter_than_a_window_are_refused(make_see):
    tree = make_see(persons=1, length=9)
    words = ("7 of 7", "the shortest has 0", "shorter window_us")
    refuse(*words, call=lambda: open_all(tree, steps=1, window_us=333_330))


def test_an_empty_official_test_set_is_said(make_see):
    tree = make_see(persons=2)
    content = json.loads((tree.root / "emotion.json").read_text())
    for entry in content["database"].values():
        entry["subset"] = "training"
    (tree.root / "emotion.json").write_text(json.dumps(content))
    refuse(tree.root, "no sequence", "'test'", call=lambda: SEE(tree.root, subset="test"))
