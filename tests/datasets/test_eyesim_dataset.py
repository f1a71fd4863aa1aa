from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from snnkd.datasets import EMOTIONS, EyeSim, collate, open_dataset
from snnkd.datasets.eyesim import Settings, generate
from snnkd.errors import DatasetError
from snnkd.events import bin_events, centre_square
from snnkd.recordings import Frames, open_recording, write_hdf5

SETTINGS = Settings(size=(20, 20), duration_s=0.4, substeps=2)  # 12 windows


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("eyesim"), persons=5, takes=1, settings=SETTINGS, workers=1)


def people(data: EyeSim) -> set[str]:
    return {s.person for s in data.sequences}


def test_the_sample_contract(root):
    data = EyeSim(root, "all", steps=6)
    assert len(data) == 35
    assert (data.input_size, data.steps, data.window_us) == ((20, 20), 6, 33_333)
    sample = data[8]
    assert sample["events"].shape == (6, 2, 20, 20)
    assert sample["frames"].shape == (6, 1, 20, 20)
    assert sample["events"].dtype == sample["frames"].dtype == torch.float32
    assert 0.1 < sample["frames"].mean() < 0.9
    assert (sample["label"], sample["index"]) == (data.labels[8], 8)
    assert EMOTIONS[sample["label"]] == data.sequences[8].emotion


def test_windows_hold_the_recordings_events_and_its_latest_frames(root):
    data = EyeSim(root, "all", steps=12)
    sample = data[3]
    recording = open_recording(root / data.sequences[3].name)
    events = recording.events[recording.events["t"] < 12 * 33_333]
    assert sample["events"].sum() == len(events)
    assert sample["events"][:, 1].sum() == events["p"].sum()
    np.testing.assert_array_equal(
        sample["events"].sum((1, 2, 3)).numpy(), np.bincount(events["t"] // 33_333, minlength=12)
    )
    # Window i ends at frame i + 1.
    np.testing.assert_allclose(sample["frames"][:, 0] * 255, recording.frames.images[1:], atol=1e-4)


@pytest.mark.parametrize(("start", "first"), [("first", 0), ("centre", 3), ("last", 7)])
def test_a_clip_is_cut_where_it_should(root, start, first):
    whole = EyeSim(root, "all", steps=12)[0]
    clip = EyeSim(root, "all", steps=3, stride=2, start=start)[0]
    torch.testing.assert_close(clip["events"], whole["events"][[first, first + 2, first + 4]])
    torch.testing.assert_close(clip["frames"], whole["frames"][[first, first + 2, first + 4]])


def test_a_window_between_frames_shows_the_frame_before_its_end(root):
    data = EyeSim(root, "all", steps=24, window_us=16_000)
    recording = open_recording(root / data.sequences[0].name)
    expected = [(16_000 * (i + 1)) // 33_333 for i in range(24)]
    np.testing.assert_allclose(data[0]["frames"][:, 0] * 255, recording.frames.images[expected], atol=1e-4)


def test_training_clips_start_at_random_and_others_do_not(root):
    train, val = EyeSim(root, "train", steps=4), EyeSim(root, "val", steps=4)
    assert (train.start, val.start) == ("random", "centre")
    torch.manual_seed(0)
    drawn = [train[0]["events"] for _ in range(8)]
    torch.manual_seed(0)
    assert all(torch.equal(a, train[0]["events"]) for a in drawn)
    assert any(not torch.equal(drawn[0], other) for other in drawn)
    assert torch.equal(val[0]["events"], val[0]["events"])


def test_subsets_share_no_person(root):
    for fold in range(5):
        parts = [EyeSim(root, s, fold=fold, steps=4) for s in ("train", "val", "test")]
        assert [len(people(p)) for p in parts] == [3, 1, 1]
        assert len(set.union(*map(people, parts))) == 5
    again = EyeSim(root, "test", fold=2, steps=4)
    assert again.sequences == EyeSim(root, "test", fold=2, steps=4).sequences


@pytest.mark.parametrize("person_fold", [None, 1])
def test_a_lighting_may_be_left_out(tmp_path, person_fold):
    settings = Settings(size=(16, 16), duration_s=0.2, substeps=1)
    root = generate(tmp_path, persons=2, takes=4, settings=settings, workers=1)
    options = {"split": "leave-one-lighting-out", "fold": 3, "folds": 2, "person_fold": person_fold, "val_share": 0}
    train, test = (EyeSim(root, part, steps=4, **options) for part in ("train", "test"))
    assert {s.lighting for s in test.sequences} == {"HDR"}
    assert {s.lighting for s in train.sequences} == {"normal", "overexposed", "low-light"}
    assert bool(people(train) & people(test)) == (person_fold is None)
    # Of each person every emotion is left equally often: what is missing does not tell what is asked for.
    assert len(set(Counter((s.person, s.emotion) for s in train.sequences).values())) == 1


def test_another_size_keeps_the_events(root):
    data = EyeSim(root, "all", steps=12, size=(12, 10))
    assert data.input_size == (12, 10)
    sample = data[0]
    assert sample["events"].shape == (12, 2, 10, 12)
    assert sample["frames"].shape == (12, 1, 10, 12)
    assert sample["events"].sum() == EyeSim(root, "all", steps=12)[0]["events"].sum()


def test_it_goes_through_spawned_workers(root):
    data = EyeSim(root, "all", steps=4)
    loader = DataLoader(data, 35, collate_fn=collate, num_workers=1, multiprocessing_context="spawn")
    (batch,) = list(loader)
    assert batch["events"].shape == (4, 35, 2, 20, 20)
    assert batch["labels"].tolist() == data.labels
    torch.testing.assert_close(batch["events"][:, 0], data[0]["events"])


def test_a_folder_tells_that_it_is_eyesim(root):
    data = open_dataset(root, "all", size=(12, 10), steps=5, window_us=20_000)
    assert isinstance(data, EyeSim)
    assert (data.steps, data.window_us, data.input_size) == (5, 20_000, (12, 10))


def test_what_is_wrong_is_said_in_one_line(root, tmp_path):
    cases = [
        (lambda: EyeSim(tmp_path), "eyesim.json"),
        (lambda: EyeSim(root), "set steps to 12 or less"),
        (lambda: EyeSim(root, steps=4, folds=9), "5 persons cannot be dealt into 9"),
        (lambda: EyeSim(root, "dev", steps=4), "'dev'"),
    ]
    for call, word in cases:
        with pytest.raises(DatasetError) as caught:
            call()
        assert word in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_missing_recording_is_named(tmp_path):
    root = generate(tmp_path, persons=1, takes=1, settings=SETTINGS, workers=1)
    data = EyeSim(root, "all", steps=4)
    (root / data.sequences[2].name).unlink()
    with pytest.raises(DatasetError, match=r"anger_000_normal\.h5.*generate"):
        data[2]


@pytest.mark.parametrize("size", [None, (8, 8), (10, 6)])
def test_a_wide_sensor_is_mapped_as_inference_does(tmp_path, size):
    root = generate(tmp_path, persons=1, takes=1, settings=Settings(size=(28, 20), duration_s=0.2), workers=1)
    data = EyeSim(root, "all", steps=6, size=size)
    assert data.input_size == (size or (20, 20))
    recording = open_recording(root / data.sequences[0].name)
    crop = centre_square((28, 20))
    expected = bin_events(recording.events, (28, 20), 0, 33_333, 6, size=data.input_size, crop=crop)
    np.testing.assert_array_equal(data[0]["events"].numpy(), expected)
    if size is None:
        np.testing.assert_allclose(data[0]["frames"][:, 0] * 255, recording.frames.images[1:, :, 4:24], atol=1e-4)


def test_the_split_is_told_and_makes_itself_again(root):
    data = EyeSim(root, "test", steps=4, fold=1, folds=3, seed=5)
    assert data.population == "EyeSim seed 0"
    assert data.split_config == {"split": "person-disjoint", "fold": 1, "folds": 3, "seed": 5, "val_share": 0.1}
    assert data.persons == sorted(people(data))
    assert open_dataset(root, "test", steps=4, **data.split_config).sequences == data.sequences
    train = open_dataset(root, "train", steps=4)
    assert train.start == "centre"
    assert isinstance(train.population, str)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"split": "official"}, "no subset of an official split"),
        ({"split": "by weather"}, "unknown split 'by weather'"),
        ({"start": "anywhere"}, "unknown start 'anywhere'"),
        ({"fold": "x"}, "fold is 'x'"),
        ({"folds": 1}, "folds is 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_wrong_split_is_named(root, split, words):
    with pytest.raises(DatasetError, match=words):
        open_dataset(root, "test", steps=4, **split)


@pytest.mark.parametrize(("frames", "words"), [(0, "no frames"), (5, "lasts 133332 µs, less than the 399996")])
def test_a_recording_shorter_than_the_manifest_says_is_named(tmp_path, frames, words):
    root = generate(tmp_path, persons=1, takes=1, settings=SETTINGS, workers=1)
    data = EyeSim(root, "all", steps=4)
    path = root / data.sequences[2].name
    whole = open_recording(path)
    cut = Frames(whole.frames.images[:frames], whole.frames.timestamps_us[:frames])
    write_hdf5(path, whole.events, whole.sensor_size, cut, whole.metadata, overwrite=True)
    with pytest.raises(DatasetError, match=rf"anger_000_normal\.h5: .*{words}"):
        data[2]
