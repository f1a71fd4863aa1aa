"""A timeline and the files it leaves."""

import csv
import json
import os

import numpy as np
import pytest

from snnkd.inference.files import output_names
from snnkd.inference.timeline import Timeline, write_whole

EMOTIONS = ("happiness", "sadness", "anger", "disgust", "surprise", "fear", "neutral")


def make(winners, events=None):
    logits = np.zeros((len(winners), 7), np.float32)
    logits[np.arange(len(winners)), winners] = np.log(4)  # probability 4 / 10
    return Timeline(
        EMOTIONS,
        1000,
        np.arange(len(winners), dtype=np.int64) * 1000 + 5_000_000,
        np.asarray([3] * len(winners) if events is None else events, np.int64),
        logits,
        {"path": "a.h5", "sensor_size": [8, 6], "events": 12, "duration_us": 4000, "start_us": 5_000_000},
    )


def test_probabilities_labels_segments_and_shares():
    timeline = make([0, 0, 4, 4, 4, 0], events=[3, 0, 3, 3, 3, 3])
    np.testing.assert_allclose(timeline.probabilities.sum(1), 1)
    np.testing.assert_allclose(timeline.confidence, 0.4, rtol=1e-6)
    assert timeline.labels == ["happiness"] * 2 + ["surprise"] * 3 + ["happiness"]
    assert [(s.start_us, s.end_us, s.label) for s in timeline.segments()] == [
        (5_000_000, 5_002_000, "happiness"),
        (5_002_000, 5_005_000, "surprise"),
        (5_005_000, 5_006_000, "happiness"),
    ]
    assert timeline.valid.tolist() == [True, False, True, True, True, True]
    assert timeline.shares()["surprise"] == 3 / 5  # of the valid windows


def test_probabilities_of_large_logits():
    timeline = Timeline(
        EMOTIONS, 1, np.zeros(1, np.int64), np.ones(1, np.int64), np.array([[1e4, *[0] * 6]], np.float32)
    )
    np.testing.assert_allclose(timeline.probabilities, [[1, 0, 0, 0, 0, 0, 0]])


def test_csv_and_json_say_the_same(tmp_path):
    timeline = make([0, 4])
    timeline.to_csv(tmp_path / "t.csv")
    timeline.to_json(tmp_path / "t.json")
    with open(tmp_path / "t.csv") as file:
        rows = list(csv.DictReader(file))
    data = json.loads((tmp_path / "t.json").read_text())
    assert [row["label"] for row in rows] == ["happiness", "surprise"]
    assert [(row["start_s"], row["end_s"]) for row in rows] == [("0.0", "0.001"), ("0.001", "0.002")]
    assert float(rows[0]["p_happiness"]) == pytest.approx(0.4)
    assert {name: [str(v) for v in column] for name, column in data["windows"].items()} == {
        name: [row[name] for row in rows] for name in rows[0]
    }
    assert data["format"] == "snnkd-timeline"
    assert data["recording"]["events"] == 12
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv", "t.json"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_whole(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_the_picture_shows_events_emotions_and_the_recordings_name():
    figure = make([0, 0, 4, 4]).plot()
    rate, probabilities, strip = figure.axes
    assert rate.get_ylabel() == "thousand\nevents/s"
    assert [t.get_text() for t in probabilities.get_yticklabels()] == list(EMOTIONS)
    assert [t.get_text() for t in strip.texts] == ["happiness", "surprise"]
    assert figure.get_suptitle() == "a.h5: 12 events over 0.00 s at 8×6"


def test_output_names_never_collide(tmp_path):
    paths = [tmp_path / "a" / "x.h5", tmp_path / "b" / "x.h5", tmp_path / "y.raw", tmp_path / "c" / "a-x.h5"]
    names = output_names(paths)
    assert names[2] == "y"
    assert len(set(names)) == 4
    assert output_names([tmp_path / "y.raw", tmp_path / "y.raw"])[1].endswith("-2")
