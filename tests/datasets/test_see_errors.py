"""Every way in which a copy of SEE can be wrong: one line that names the place and what to do."""

import json
import shutil
import struct

import pytest

from snnkd.datasets import SEE, open_dataset
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


def test_missing_image_is_named_at_reading(make_see):
    tree = make_see(persons=1)
    gone = tree.path("event", tree.names[0]) / "00004.jpg"
    gone.rename(gone.with_name("99999.jpg"))
    data = open_all(tree, start="first")
    refuse(gone, "fetch", call=lambda: data[0])


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
    message = refuse(tree.root, "7 of 7", "13 images", "has 9", call=lambda: open_all(tree))
    assert "set stride to 2" in message
    assert len(open_all(tree, stride=2)) == 7
    refuse("set steps to 9", call=lambda: open_all(tree, steps=10))
    assert len(open_all(tree, steps=9, stride=1)) == 7


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


def test_another_window_is_refused(see_root):
    refuse("33333", "10000", call=lambda: open_dataset(see_root, window_us=10_000))


def test_an_empty_official_test_set_is_said(make_see):
    tree = make_see(persons=2)
    content = json.loads((tree.root / "emotion.json").read_text())
    for entry in content["database"].values():
        entry["subset"] = "training"
    (tree.root / "emotion.json").write_text(json.dumps(content))
    refuse(tree.root, "no sequence", "'test'", call=lambda: SEE(tree.root, subset="test"))
