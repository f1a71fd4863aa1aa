"""``snnkd info`` of a model folder."""

import json

import pytest

from snnkd.cli import main
from snnkd.datasets import EMOTIONS
from snnkd.models import ARCHITECTURES, EventStudent, load_model, save_model
from snnkd.models.summary import describe, table

NETWORKS = [name for name in ARCHITECTURES if name != "TimmTeacher"]  # which is an extra


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_tells_its_features_and_size(tmp_path, name):
    folder = save_model(ARCHITECTURES[name]((32, 32)), tmp_path / "m", emotions=EMOTIONS, input={})
    facts = describe(folder)
    network = load_model(folder)[0]
    assert facts["parameters"] == sum(p.numel() for p in network.parameters())
    assert {key: tuple(shape) for key, shape in facts["features"].items()} == network.feature_shapes
    text = table(facts)
    assert all(key in text for key in (name, "32×32", *network.feature_shapes, *EMOTIONS))


def test_what_it_was_trained_on_is_told_by_the_command(tmp_path, capsys):
    source = {
        "dataset": "EyeSim", "window_us": 33_333, "steps": 6, "stride": 4, "label_share": 0.1,
        "training_persons": ["p1", "p2"], "split": {"split": "person-disjoint", "fold": 3},
    }  # fmt: skip
    training = {"module": "Distillation", "epochs": 1, "val_uar": 0.5, "temperature": 1.5, "teacher": "runs/teacher"}
    folder = save_model(EventStudent((32, 32)), tmp_path / "m", emotions=EMOTIONS, input=source, training=training)
    assert main(["info", str(folder)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for told in (
        "windows of 33.3 ms, trained on clips of 6 steps, every 4th window",
        "EyeSim, 2 persons in training; split person-disjoint (fold 3); 10% of the labels",
        "Distillation, 1 epoch, UAR 50.0% on validation, temperature 1.50",
        "teacher runs/teacher",
    ):
        assert told in text
    assert main(["info", "--json", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out) == describe(folder)


def test_a_broken_folder_and_options_of_recordings_are_refused_in_a_line(tmp_path, capsys):
    folder = save_model(EventStudent((32, 32)), tmp_path / "m", emotions=EMOTIONS, input={})
    assert main(["info", str(folder), "--fps", "3"]) == 2
    assert "is a model, which takes no --fps" in capsys.readouterr().err
    (folder / "model.safetensors").unlink()
    assert main(["info", str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
