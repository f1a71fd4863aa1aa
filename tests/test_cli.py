"""The command line, as a user meets it: output, one-line errors, exit status."""

import csv
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from snnkd.cli import main
from snnkd.datasets import EMOTIONS, EyeSim
from snnkd.datasets.eyesim import simulate_session
from snnkd.demo import Settings, run
from snnkd.models import EventStudent, FrameTeacher, save_model
from snnkd.recordings import write_hdf5

SAMPLES = Path(__file__).parents[2] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real recordings are not beside the checkout")
INPUT = {"dataset": "EyeSim", "window_us": 33_333, "steps": 6}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for network in (EventStudent((32, 32), (4, 8)), FrameTeacher((32, 32), (4, 8))):
        save_model(network, folder / type(network).__name__, emotions=EMOTIONS, input=INPUT)
    return folder


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    path = tmp_path_factory.mktemp("recordings") / "session.h5"
    made = simulate_session(0, 0, ["surprise", "anger"], size=(48, 40), seconds_each=0.6, rest_s=0.2)
    write_hdf5(path, made.events, (48, 40), made.frames, made.metadata)
    return path, made


def test_help_answers_without_importing_anything_heavy():
    result = subprocess.run([sys.executable, "-m", "snnkd.cli", "--help"], capture_output=True, text=True, check=True)
    for command in ("demo", "info", "data", "train", "evaluate", "energy", "infer"):
        assert f"    {command} " in result.stdout


def test_a_reader_that_leaves_early_is_no_error(session):
    command = f"{shlex.quote(sys.executable)} -m snnkd.cli info {shlex.quote(str(session[0]))} --json | true"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_infer_writes_a_timeline_that_reconciles_with_the_recording(models, session, tmp_path, capsys):
    path, made = session
    assert main(["infer", str(models / "EventStudent"), str(path), "-o", str(tmp_path / "out")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["session.csv", "session.json", "session.png"]
    data = json.loads((tmp_path / "out" / "session.json").read_text())
    with open(tmp_path / "out" / "session.csv") as file:
        rows = list(csv.DictReader(file))
    # The centred 40x40 of 48x40: columns 4 to 43; hot pixels are left out and counted.
    inside = (made.events["x"] >= 4) & (made.events["x"] < 44)
    assert data["recording"]["crop"] == [4, 0, 40, 40]
    assert data["recording"]["hot_pixels"] == 0
    assert sum(int(row["events"]) for row in rows) == int(inside.sum())
    assert data["recording"]["events"] == len(made.events)
    starts = np.array([int(row["start_us"]) for row in rows])
    assert starts[0] == made.events["t"][0]
    assert (np.diff(starts) == 33_333).all()
    assert int(rows[-1]["end_us"]) > made.events["t"][-1] >= starts[-1]
    for row in rows:
        assert sum(float(row[f"p_{name}"]) for name in EMOTIONS) == pytest.approx(1, abs=1e-5)
    printed = capsys.readouterr().out
    assert f"{len(made.events):,}" in printed
    assert "trained on synthetic eyes" in printed


def test_a_bad_recording_is_named_and_does_not_stop_the_others(models, session, tmp_path, capsys):
    bad = tmp_path / "[bold]cut.h5"
    bad.write_bytes(session[0].read_bytes()[:5000])
    out = tmp_path / "out"
    arguments = ["infer", str(models / "EventStudent"), str(bad), str(session[0]), str(tmp_path / "none.h5")]
    assert main([*arguments, "-o", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("snnkd: error: ") == 2
    assert str(bad) in error
    assert f"{tmp_path / 'none.h5'}: " in error
    assert sorted(p.name for p in out.iterdir()) == ["session.csv", "session.json", "session.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["infer", "{models}/FrameTeacher", "{session}", "-o", "{out}"], "reads frames"),
        (["infer", "{models}/none", "{session}", "-o", "{out}"], "{models}/none: no such model folder"),
        (["evaluate", "{models}/EventStudent", "--data", "{out}"], "{out}"),
        (["infer", "{models}/EventStudent", "x.h5", "-o", "out", "--hardware", "abacus"], "hardware 'abacus'"),
        (["energy", "{models}/EventStudent", "--data", "{eyesim}", "--hardware", "abacus"], "hardware 'abacus'"),
        (["info", "{out}"], "{out}"),
        (["info", "{models}/EventStudent/model.safetensors"], "model.safetensors"),
        (["train", "--config", "{out}.yaml"], "{out}.yaml"),
    ],
)
def test_what_is_wrong_is_one_line_with_status_2(arguments, message, models, session, eyesim_root, tmp_path, capsys):
    names = {"models": models, "session": session[0], "eyesim": eyesim_root, "out": tmp_path / "nothing"}
    assert main([a.format(**names) for a in arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("snnkd: error: ")
    assert message.format(**names) in error
    assert "\n" not in error
    assert not (tmp_path / "nothing").exists()


def test_an_output_that_is_a_file_is_refused_and_kept(models, session, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert main(["infer", str(models / "EventStudent"), str(session[0]), "-o", str(tmp_path / "out")]) == 2
    assert (
        capsys.readouterr().err.strip() == f"snnkd: error: {tmp_path / 'out'}: is a file: give a folder for the results"
    )
    assert (tmp_path / "out").read_text() == "mine"


def test_info_as_table_and_json(session, capsys):
    path, made = session
    assert main(["info", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["events"] == len(made.events)
    assert facts["sensor_size"] == [48, 40]
    assert facts["frames"] == len(made.frames)
    assert facts["on"] == pytest.approx(made.events["p"].mean())
    assert main(["info", str(path)]) == 0
    assert f"{len(made.events):,}" in capsys.readouterr().out


def test_energy_on_several_chips_beside_another_model_and_into_files(models, eyesim_root, tmp_path, capsys):
    student, teacher, out = str(models / "EventStudent"), str(models / "FrameTeacher"), tmp_path / "energy"
    command = ["energy", student, "--data", str(eyesim_root), "--hardware", "45nm-fp32,loihi", "--against", teacher]
    assert main([*command, "-o", str(out), "--measure"]) == 0
    text = capsys.readouterr().out
    for part in (
        "Measured here",
        "7 clips of",
        "dense ANN, int8, once a clip",
        "FrameTeacher, 45nm-fp32",
        "on Loihi",
        "Memory, event",
    ):
        assert part in text
    each = {f"{name}.{ending}" for name in ("45nm-fp32", "loihi") for ending in ("csv", "json", "png")}
    assert {path.name for path in out.iterdir()} == {*each, "45nm-fp32-beside.png"}
    assert json.loads((out / "loihi.json").read_text())["hardware"] == "Loihi"
    # Batches make no difference, and neither does a dataset's order.
    one, all_ = (
        json.loads((main([*command[:4], "--json", "--batch-size", n]), capsys.readouterr().out)[1]) for n in ("1", "7")
    )
    assert one["per_sample"] == pytest.approx(all_["per_sample"])
    assert main(["energy", "--list-hardware"]) == 0
    assert "SENECA" in capsys.readouterr().out


def test_evaluate_and_energy_on_a_dataset(models, eyesim_root, capsys):
    assert main(["evaluate", str(models / "EventStudent"), "--data", str(eyesim_root), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    confusion = np.array(scores["confusion"])
    assert confusion.sum() == scores["sequences"] == 7  # one person, seven emotions
    assert scores["war"]["value"] == pytest.approx(confusion.trace() / 7)
    assert main(["energy", str(models / "FrameTeacher"), "--data", str(eyesim_root), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["samples"] == 7
    each = report["per_sample"]
    prices = {"macs": 4.6, "additions": 0.9, "multiplications": 3.7, "comparisons": 0.9}
    assert each["joules"] == pytest.approx(sum(each[name] * price * 1e-12 for name, price in prices.items()))


@pytest.mark.parametrize(("population", "fold", "refused"), [(0, 0, False), (0, 1, True), (1, 1, False)])
def test_a_model_is_not_scored_on_persons_that_trained_it(eyesim_root, tmp_path, capsys, population, fold, refused):
    # The persons that another split's training would have held: those of fold 0 are the test set of fold 0 only.
    split = {"fold": 0, "folds": 5, "seed": 0}
    trained = EyeSim(eyesim_root, "train", steps=6, **{**split, "fold": fold}).persons
    extra = {"stride": 1, "population": f"EyeSim seed {population}", "split": split, "training_persons": trained}
    save_model(EventStudent((32, 32), (4, 8)), tmp_path / "m", emotions=EMOTIONS, input={**INPUT, **extra})
    status = main(["evaluate", str(tmp_path / "m"), "--data", str(eyesim_root)])
    error = capsys.readouterr().err
    assert status == (2 if refused else 0)
    assert ("was trained on 1 of the persons in this subset" in error) == refused


@pytest.mark.parametrize("key", ["split", "training_persons"])
def test_a_model_that_does_not_say_who_trained_it_is_not_scored(eyesim_root, tmp_path, capsys, key):
    known = {"population": "EyeSim seed 0", "split": {"fold": 0}, "training_persons": [], key: 5}
    save_model(EventStudent((32, 32), (4, 8)), tmp_path / "m", emotions=EMOTIONS, input={**INPUT, **known})
    assert main(["evaluate", str(tmp_path / "m"), "--data", str(eyesim_root)]) == 2
    assert f"config.json: input.{key} is missing or no " in capsys.readouterr().err


def test_the_demo_leaves_what_it_says(tmp_path, capsys):
    rows = run(tmp_path / "demo", Settings(persons=5, takes=1, epochs=1, seed=0, workers=1))
    assert [row.name for row in rows] == ["teacher", "student, labels", "student, distilled"]
    assert rows[0].joules > rows[1].joules > 0
    saved = json.loads((tmp_path / "demo" / "demo.json").read_text())
    assert [row["uar"] for row in saved["rows"]] == [row.uar for row in rows]
    for name in ("models/teacher", "models/student-labels", "models/student-distilled"):
        assert (tmp_path / "demo" / name / "model.safetensors").is_file()
    assert {p.name for p in (tmp_path / "demo" / "timeline").iterdir()} == {
        "session.csv",
        "session.json",
        "session.png",
    }
    printed = capsys.readouterr().out
    for line in ("data", "models", "logs", "session.h5", "timeline", "demo.json"):
        assert str(tmp_path / "demo" / line) in printed


@needs_samples
@pytest.mark.filterwarnings("always::snnkd.errors.SnnkdWarning")
def test_the_real_near_eye_recording_from_file_to_timeline(models, tmp_path, capsys):
    recording = SAMPLES / "evbeye_user9" / "0" / "events.aerdat"
    assert main(["infer", str(models / "EventStudent"), str(recording), "-o", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "416,087" in captured.out
    assert "5.43 s" in captured.out
    assert "346×260" in captured.out
    assert "the last 8 bytes are a cut record and were left out" in captured.err
    facts = json.loads((tmp_path / "events.json").read_text())["recording"]
    assert (facts["events"], facts["duration_us"], facts["sensor_size"]) == (416_087, 5_426_153, [346, 260])
    assert (facts["hot_pixels"], facts["hot_events"]) == (4, 73_426 + 26_313 + 13_695 + 444)
    assert "4 hot pixels with 113,878 events left out" in captured.out


@needs_samples
def test_the_real_aedat4_recording_from_file_to_timeline(models, tmp_path):
    recording = SAMPLES / "aedat4" / "tonic_sample.aedat4"
    assert main(["infer", str(models / "EventStudent"), str(recording), "-o", str(tmp_path)]) == 0
    facts = json.loads((tmp_path / "tonic_sample.json").read_text())["recording"]
    assert (facts["events"], facts["sensor_size"]) == (111_954, [320, 240])
