import json
import pickle
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from snnkd.datasets import EMOTIONS, SEE, collate, open_dataset
from snnkd.datasets.see_layout import SequenceName
from snnkd.datasets.see_scan import SEESequence


def people(data):
    return {s.person for s in data.sequences}


def names(data):
    return [s.name for s in data.sequences]


def test_every_field_of_a_name():
    assert SequenceName.parse("1_001_man_24_Master_normal_angry_45_take000") == SequenceName(
        number=1,
        person="001",
        sex="man",
        age=24,
        degree="Master",
        lighting="normal",
        emotion="anger",
        length=45,
        take=0,
    )
    other = SequenceName.parse("2616_094_woman_21_undergraduate_Low_neutraL_26_take012")
    assert (other.sex, other.degree, other.lighting, other.emotion) == (
        "woman",
        "undergraduate",
        "low-light",
        "neutral",
    )
    assert (other.number, other.person, other.age, other.length, other.take) == (2616, "094", 21, 26, 12)


def test_all_sequences_with_their_labels(see_root):
    data = SEE(see_root, subset="all")
    assert len(data) == 28
    assert Counter(data.labels) == dict.fromkeys(range(7), 4)
    assert [s.details.number for s in data.sequences] == list(range(1, 29))
    assert {s.lighting for s in data.sequences} == {"normal", "overexposed", "low-light", "HDR"}
    assert data.sequences[4].emotion == "neutral"


def test_a_sequence_read_back_with_every_field(make_see):
    tree = make_see(persons=2)
    name = "2616_094_woman_21_undergraduate_HDR_neutraL_20_take012"
    tree.add(name, "neutraL", "testing")
    tree.database[name]["annotations"] = {"label": "neutral", "segment": [1, 20]}
    tree.write()
    (sequence,) = (s for s in SEE(tree.root, subset="test", size=None).sequences if s.name == name)
    assert sequence == SEESequence(
        name=name,
        person="094",
        emotion="neutral",
        lighting="HDR",
        length=19,
        details=SequenceName(2616, "094", "woman", 21, "undergraduate", "HDR", "neutral", 20, 12),
        official="testing",
        events_at=tree.root / "event" / "neutraL" / name,
        frames_at=tree.root / "frame" / "neutraL" / name,
        first=1,
    )
    assert EMOTIONS[sequence.label] == "neutral"


def test_the_official_split_is_the_files(see_root):
    test = SEE(see_root, subset="test")
    assert len(test) == 2
    assert {s.official for s in test.sequences} == {"testing"}
    assert len(SEE(see_root, val_share=0.0)) == 26


@pytest.mark.parametrize("split", ["official", "subject-disjoint", "person-disjoint"])
def test_validation_persons_are_in_no_training_sequence(see_root, split):
    parts = {s: SEE(see_root, split, subset=s, folds=4, val_share=0.3) for s in ("train", "val", "test")}
    assert not people(parts["train"]) & people(parts["val"])
    everything = [name for data in parts.values() for name in names(data)]
    assert sorted(everything) == sorted(names(SEE(see_root, subset="all")))
    again = SEE(see_root, split, subset="train", folds=4, val_share=0.3)
    assert names(again) == names(parts["train"])


def test_the_subject_disjoint_split_shares_nobody_and_tests_all(see_root):
    tested = []
    for fold in range(4):
        train, val, test = (
            SEE(see_root, "subject-disjoint", fold, subset=s, folds=4) for s in ("train", "val", "test")
        )
        assert not people(test) & (people(train) | people(val))
        tested += names(test)
    assert sorted(tested) == sorted(names(SEE(see_root, subset="all")))


def test_one_lighting_is_left_out(see_root):
    test = SEE(see_root, "leave-one-lighting-out", 2, subset="test")
    train = SEE(see_root, "leave-one-lighting-out", 2, val_share=0.0)
    assert {s.lighting for s in test.sequences} == {"low-light"}
    assert {s.lighting for s in train.sequences} == {"normal", "overexposed", "HDR"}
    assert len(test) + len(train) == 28
    assert (test.parts_persons, SEE(see_root, "person-disjoint", folds=4).parts_persons) == (False, True)


def test_windows_come_straight_from_the_files(make_see):
    tree = make_see(persons=1)
    tree.database[tree.names[1]]["annotations"]["segment"] = [3, 17]
    tree.write()
    data = SEE(tree.root, subset="all", size=(20, 20))
    windows = np.array([13, 0, 5])
    read = data.read(1, windows)
    assert (read.events.shape, read.events.dtype) == ((3, 2, 20, 20), np.uint8)
    assert (read.frames.shape, read.frames.dtype) == ((3, 20, 20), np.uint8)
    np.testing.assert_allclose(read.frames.mean((1, 2)), 20 + 8 * (3 + windows), atol=1.5)
    sample = data.clip(1, windows)
    assert torch.equal(sample["events"], torch.from_numpy(read.events).float())
    folders = [tree.path(kind, tree.names[1]) for kind in ("event", "frame")]
    assert data.sources(1) == folders
    facts = data.reading()
    assert json.loads(json.dumps(facts)) == facts
    assert SEE(tree.root, subset="all", size=(20, 20), steps=2).reading() == facts
    others = [SEE(tree.root, subset="all", size=(20, 21)), SEE(tree.root, subset="all", size=(20, 20), margin=20)]
    assert all(other.reading() != facts for other in others)


@pytest.mark.parametrize("each", [2, 3])
def test_windows_of_several_images_are_the_sums_of_single_ones(make_see, each):
    tree = make_see(persons=1)
    tree.database[tree.names[1]]["annotations"]["segment"] = [3, 18]
    rng = np.random.default_rng(0)
    for path in tree.path("event", tree.names[1]).iterdir():
        cv2.imwrite(str(path), rng.choice(np.array([40, 128, 220, 220, 220], np.uint8), (36, 48)))
    tree.write()
    for size in ((36, 36), (2, 2)):  # areas of 18 x 18: two images pass 255
        one = SEE(tree.root, subset="all", size=size)
        data = SEE(tree.root, subset="all", size=size, steps=2, stride=2, window_us=each * 33_333)
        assert (one.sequences[1].length, data.sequences[1].length, data.window_us) == (15, 15 // each, each * 33_333)
        windows = np.array([4, 0, 2, 3])
        read, single = data.read(1, windows), one.read(1, np.arange(15))
        places = windows[:, None] * each + np.arange(each)
        sums = np.minimum(single.events[places].sum(1, dtype=np.int64), 255)
        np.testing.assert_array_equal(read.events, sums)
        np.testing.assert_array_equal(read.frames, single.frames[places[:, -1]])
        assert data.reading() != one.reading()
        assert (single.events[places].sum(1, dtype=np.int64).max() > 255) == (size == (2, 2))
        assert torch.equal(data.clip(1, windows)["events"], torch.from_numpy(sums).float())
    opened = open_dataset(tree.root, "all", steps=2, stride=1, window_us=99_999)
    assert (opened.window_us, opened.sequences[0].length) == (99_999, 6)


def test_eyes_of_a_simulation_are_not_those_of_see(make_see):
    tree = make_see(persons=1)
    content = json.loads((tree.root / "emotion.json").read_text())
    (tree.root / "emotion.json").write_text(json.dumps(content | {"eyesim": {"settings": {"seed": 3}}}))
    assert SEE(tree.root, subset="all").population == "EyeSim seed 3"


def test_on_and_off_are_found_in_spite_of_jpeg(see_root):
    data = SEE(see_root, subset="test", size=None)
    assert data.input_size == (36, 36), "the centred square of 48 x 36"
    events = data[0]["events"]
    assert events.shape == (4, 2, 36, 36)
    expected = torch.zeros(2, 36, 36)
    expected[1, 8:16, 2:10] = 1
    expected[0, 8:16, 26:34] = 1
    # The blocks lie on the 8 x 8 grid of JPEG, so nothing leaks; background must be exactly empty.
    assert torch.equal(events, expected.expand(4, -1, -1, -1))


def test_resizing_keeps_the_number_of_event_pixels(see_root):
    events = SEE(see_root, subset="test", size=(18, 9))[0]["events"]
    assert events.shape == (4, 2, 9, 18)
    np.testing.assert_allclose(events.sum((2, 3)).numpy(), 64.0, rtol=1e-5)
    assert events.max() == 8.0


@pytest.mark.parametrize("size", [(36, 36), (20, 20), (7, 13), (50, 50)])
def test_event_tensors_hold_whole_numbers_by_the_integer_map(see_root, size):
    events = SEE(see_root, subset="test", size=size)[0]["events"].numpy()
    on = [(x * size[0] // 36, y * size[1] // 36) for x in range(2, 10) for y in range(8, 16)]
    expected = np.zeros(size[::-1])
    np.add.at(expected, tuple(np.array(on).T[::-1]), 1)
    np.testing.assert_array_equal(events[:, 1], np.broadcast_to(expected, (4, *expected.shape)))


def test_the_split_is_told_and_makes_itself_again(see_root):
    split = {"split": "subject-disjoint", "fold": 2, "folds": 4, "seed": 7, "val_share": 0.3}
    data = SEE(see_root, subset="val", **split)
    assert (data.population, data.split_config) == ("SEE", split)
    assert data.persons == sorted(people(data))
    again = open_dataset(see_root, "val", **data.split_config)
    assert (names(again), again.split_config) == (names(data), split)
    assert open_dataset(see_root, "train").start == "centre"


@pytest.mark.parametrize("start", ["first", "last"])
def test_frames_are_those_of_the_steps(see_root, start):
    sample = SEE(see_root, subset="test", start=start, size=(20, 20))[1]
    assert sample["frames"].shape == (4, 1, 20, 20)
    level = (sample["frames"].mean((1, 2, 3)) * 255).numpy()
    first = {"first": 0, "last": 7}[start]
    np.testing.assert_allclose(level, 20 + 8 * (first + 4 * np.arange(4)), atol=1.5)
    assert sample["index"] == 1
    assert EMOTIONS[sample["label"]] == "fear"


def test_a_segment_limits_the_clip(make_see):
    tree = make_see(persons=2)
    for entry in tree.database.values():
        entry["annotations"]["segment"] = [5, 19]
    tree.write()
    data = SEE(tree.root, subset="all", start="first", size=(20, 20))
    assert data.sequences[0].length == 14
    assert float(data[0]["frames"][0].mean()) * 255 == pytest.approx(20 + 8 * 5, abs=1.5)


def test_it_goes_through_spawned_workers(see_root):
    data = SEE(see_root, subset="all", start="first", size=(16, 16))
    assert pickle.loads(pickle.dumps(data)).sequences == data.sequences
    loader = DataLoader(data, 14, collate_fn=collate, num_workers=1, multiprocessing_context="spawn")
    batches = list(loader)
    assert [tuple(b["events"].shape) for b in batches] == [(4, 14, 2, 16, 16)] * 2
    assert torch.cat([b["labels"] for b in batches]).tolist() == data.labels


def test_a_folder_tells_which_dataset_it_is(see_root):
    data = open_dataset(see_root, "all", steps=3, stride=2, size=(10, 10), window_us=33_333)
    assert isinstance(data, SEE)
    assert (data.steps, data.stride, data.input_size) == (3, 2, (10, 10))
