"""Data modules open what they are told, and refuse what cannot be trained on, before anything is trained."""

import csv

import lightning.pytorch as pl
import numpy as np
import pytest

from snnkd.datasets import EMOTIONS, Recordings
from snnkd.errors import DatasetError
from snnkd.events import make_events
from snnkd.models import EventStudent, FrameTeacher
from snnkd.recordings import Frames, write_hdf5
from snnkd.training import Classification, EyeSimData, FolderData, SEEData

SIZE = (16, 16)


@pytest.fixture
def own(tmp_path):
    """Recordings of three persons in a list; the first may be without frames, or of another label."""

    def make(frames=True, label=None):
        folder = tmp_path / "own"
        folder.mkdir()
        rows = []
        for i in range(9):
            rng = np.random.default_rng(i)
            times = np.sort(rng.integers(0, 500_000, 400))
            events = make_events(rng.integers(0, 16, 400), rng.integers(0, 16, 400), times, rng.random(400) < 0.5)
            seen = frames or i > 0
            images = Frames(np.full((16, 16, 16), 10 * i, np.uint8), np.arange(16) * 33_333) if seen else None
            write_hdf5(folder / f"{i}.h5", events, SIZE, images)
            told = label if label is not None and i == 0 else EMOTIONS[i % 7]
            rows.append([f"{i}.h5", told, f"p{i % 3}", "", "", "", "yes" if seen else "no"])
        with open(folder / "recordings.csv", "w", newline="") as file:
            csv.writer(file).writerows([["path", "label", "person", "lighting", "start", "end", "frames"], *rows])
        return folder

    return make


def fit(data, network=None):
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Classification(network or EventStudent(SIZE, (4, 8)))
    trainer.fit(module, data)
    return trainer


@pytest.mark.parametrize("kind", [EventStudent, FrameTeacher])
def test_recordings_of_ones_own_are_trained_on(own, tmp_path, kind):
    data = FolderData(str(own()), steps=3, window_us=50_000, folds=3, val_share=0.3, cache=str(tmp_path / "cache"))
    trainer = fit(data, kind(SIZE, (4, 8)))
    assert "val/uar" in trainer.callback_metrics
    config = data.input_config
    assert (config["dataset"], config["steps"], config["window_us"]) == ("Recordings", 3, 50_000)
    assert config["split"]["folds"] == 3
    assert len(config["training_persons"]) == 1
    assert data._subsets["train"].start == "random"


def test_what_a_folder_holds_is_told(eyesim_root, see_root, tmp_path):
    for root, name, steps in ((eyesim_root, "EyeSim", 4), (see_root, "SEE", 3)):
        data = FolderData(str(root), steps=steps, stride=1, cache=None)
        assert type(data.make("train", SIZE)).__name__ == name


def test_without_a_validation_set_all_other_persons_train(eyesim_root, tmp_path):
    trained = {}
    for share in (0.1, 0.0):
        data = EyeSimData(str(eyesim_root), steps=4, window_us=33_333, val_share=share, cache=str(tmp_path / "cache"))
        trainer = fit(data)
        trained[share] = len(data.input_config["training_persons"])
        assert ("val/uar" in trainer.callback_metrics) == (share > 0)
    assert (trained[0.1], trained[0.0]) == (3, 4)


@pytest.mark.parametrize("kind", [EyeSimData, SEEData])
def test_every_split_can_be_trained_on(kind, eyesim_root, see_root):
    root = {"EyeSimData": eyesim_root, "SEEData": see_root}[kind.__name__]
    options = {"split": "leave-one-lighting-out", "fold": 1, "folds": 2, "person_fold": 1, "val_share": 0.0}
    made = kind(str(root), steps=3, stride=1, cache=None, **options).make("train", SIZE)
    assert made.split_config == options | {"seed": 0}
    assert "overexposed" not in {s.lighting for s in made.sequences}


def fold_that_trains_on(folder, person):
    """A fold whose training set has this person."""
    for fold in range(3):
        if person in Recordings(folder, "train", steps=3, window_us=50_000, folds=3, fold=fold, val_share=0.0).persons:
            return fold
    raise AssertionError("nobody trains on them")


def test_a_network_that_sees_frames_is_not_trained_on_recordings_without(own):
    folder = own(frames=False)
    fold = fold_that_trains_on(folder, "p0")
    data = FolderData(str(folder), steps=3, window_us=50_000, folds=3, fold=fold, val_share=0.0, cache=None)
    with pytest.raises(DatasetError, match="no frames"):
        fit(data, FrameTeacher(SIZE, (4, 8)))
    fit(data, EventStudent(SIZE, (4, 8)))


def test_recordings_without_a_label_are_not_trained_on(own):
    folder = own(label="")
    fold = fold_that_trains_on(folder, "p0")
    data = FolderData(str(folder), steps=3, window_us=50_000, folds=3, fold=fold, val_share=0.0, cache=None)
    with pytest.raises(DatasetError, match=r"1 of 6 sequences have no label"):
        fit(data)
