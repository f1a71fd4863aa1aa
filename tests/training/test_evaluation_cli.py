"""``snnkd evaluate`` from end to end, on a SEE tree and a network of no skill."""

import json
import warnings

import numpy as np
import pytest
import torch

from snnkd.cli import main
from snnkd.datasets import EMOTIONS, SEE
from snnkd.models import EventStudent, FrameTeacher, save_model

DISJOINT = {"split": "person-disjoint", "fold": 0, "folds": 3, "seed": 0, "val_share": 0.2}
OFFICIAL = {"split": "official", "fold": 0, "folds": 5, "seed": 0, "val_share": 0.0}
PICTURES = {"confusion.png", "recalls.png", "reliability.png", "anytime.png"}


@pytest.fixture
def see(make_see):
    return make_see(persons=6).root


@pytest.fixture
def make_model(see, tmp_path):
    def make(split, kind=EventStudent, **more):
        train = SEE(see, subset="train", steps=3, stride=2, size=(16, 16), **split)
        facts = {
            "dataset": "SEE",
            "window_us": train.window_us,
            "steps": 3,
            "stride": 2,
            "split": train.split_config,
            "population": train.population,
            "training_persons": train.persons,
        }
        torch.manual_seed(0)
        return str(save_model(kind((16, 16), (4, 8)), tmp_path / "m", emotions=EMOTIONS, input=facts | more))

    return make


def evaluate(capsys, *arguments):
    status = main(["evaluate", *map(str, arguments)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_model_is_scored_and_all_is_written(see, make_model, tmp_path, capsys):
    model, out = make_model(DISJOINT), tmp_path / "out"
    status, text, _ = evaluate(capsys, model, "--data", see, "-o", out)
    assert status == 0
    assert {p.name for p in out.iterdir()} == {"predictions.json", "scores.json", *PICTURES}
    scores = json.loads((out / "scores.json").read_text())
    test = SEE(see, subset="test", steps=3, stride=2, **DISJOINT)
    assert (scores["subset"], scores["split"], scores["model"]) == ("test", test.split_config, model)
    assert (scores["persons"], scores["sequences"], scores["runs"]) == (len(test.persons), len(test), 1)
    assert scores["protocol"] == {"name": "whole", "steps": 3, "stride": 2, "window_us": 33_333}
    assert scores["persons_seen_in_training"] == 0
    assert set(scores["files"]) == {p.name for p in out.iterdir()}
    assert [step["time_us"] for step in scores["steps"]] == [33_333, 99_999, 166_665]
    confusion = np.array(scores["confusion"])
    assert confusion.sum() == len(test)
    assert scores["war"]["value"] == pytest.approx(confusion.trace() / len(test))
    assert f"WAR                      {100 * scores['war']['value']:.1f}%" in text
    assert "person-disjoint, fold 0" in text
    assert "2 persons: intervals from fewer than 20 are too narrow." in text
    assert evaluate(capsys, model, "--data", see, "--json")[1] == _without(scores, "files")


def _without(scores, key):
    return json.dumps({k: v for k, v in scores.items() if k != key}, indent=1) + "\n"


def test_early_exit_is_chosen_on_validation_and_told_of_the_test(see, make_model, tmp_path, capsys):
    model, out = make_model(DISJOINT), tmp_path / "out"
    status, text, _ = evaluate(capsys, model, "--data", see, "--early-exit", "0.5", "-o", out)
    assert status == 0
    assert "Early exit" in text
    assert (out / "early_exit.png").is_file()
    told = json.loads((out / "scores.json").read_text())["early_exit"]
    val = SEE(see, subset="val", steps=3, stride=2, **DISJOINT)
    assert told["calibrated_on"] == {"sequences": len(val), "persons": len(val.persons)}
    assert told["tolerance"] == 0.5
    assert 1 <= told["steps"]["value"] <= told["of_steps"] == 3
    status, _, error = evaluate(capsys, model, "--data", see, "--early-exit", "--subset", "val")
    assert status == 2
    assert "--early-exit: its threshold is chosen on val" in error
    status, _, error = evaluate(capsys, "--predictions", out / "predictions.json", "--early-exit")
    assert status == 2
    assert "--early-exit" in error


def test_written_predictions_are_scored_alike_with_and_without_the_data(see, make_model, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--data", see, "--protocol", "random-starts", "--starts", "12", "--seed", "3"]
    assert evaluate(capsys, make_model(DISJOINT, FrameTeacher), *arguments, "-o", out)[0] == 0
    mine = json.loads((out / "scores.json").read_text())
    assert mine["protocol"]["starts"] == 12
    files = sorted(out.glob("predictions_*.json"))
    assert [f.name for f in files] == [f"predictions_{run:02d}.json" for run in range(1, 13)]
    theirs = json.loads(evaluate(capsys, "--predictions", *files, "--seed", "3", "--json")[1])
    split = ["--split", "person-disjoint", "--folds", "3"]
    text = evaluate(capsys, "--predictions", *files, "--data", see, *split, "--seed", "3", "--json")[1]
    for other in (theirs, json.loads(text)):
        for key in (
            "war",
            "uar",
            "macro_f1",
            "ece",
            "nll",
            "recalls",
            "lightings",
            "confusion",
            "persons",
            "runs_scores",
        ):
            assert other[key] == mine[key], key
        assert other["steps"] == []
    assert json.loads(text)["persons_shared_with_training"] == 0


def test_results_are_not_replaced_by_accident_and_none_stays_behind(see, make_model, tmp_path, capsys):
    model, out = make_model(DISJOINT), tmp_path / "out"
    base = [model, "--data", see, "-o", out]
    assert evaluate(capsys, *base, "--protocol", "random-starts", "--starts", "3")[0] == 0
    (out / "mine.txt").write_text("mine")
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    status, _, error = evaluate(capsys, *base)
    assert (status, "give --overwrite" in error) == (2, True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert evaluate(capsys, *base, "--overwrite")[0] == 0
    assert {p.name for p in out.iterdir()} == {"predictions.json", "scores.json", "mine.txt", *PICTURES}
    status, _, error = evaluate(capsys, "--predictions", out / "predictions.json", "-o", out, "--overwrite")
    assert (status, "holds the prediction files" in error) == (2, True)
    assert (out / "predictions.json").is_file()


def test_training_persons_are_scored_loudly_or_not_at_all(see, make_model, capsys):
    model = make_model(DISJOINT)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        status, text, error = evaluate(capsys, model, "--data", see, "--subset", "train")
    known = len(SEE(see, subset="train", steps=3, stride=2, **DISJOINT).persons)
    said = f"{known} of these {known} persons trained the model"
    assert f"snnkd: warning: {said}: what it scores on them is no result; give --subset test\n" in error
    assert f"{said}: this is no result." in text
    assert status == 0
    for asked in (["--fold", "1"], ["--subset", "all"], ["--split", "official"], ["--split-seed", "5"]):
        status, _, error = evaluate(capsys, model, "--data", see, *asked)
        assert status == 2, asked
        assert error.startswith(f"snnkd: error: {model}: was trained on "), error
    status, text, _ = evaluate(capsys, model, "--data", see, "--subset", "val")
    assert status == 0
    assert "to choose a model by, not to report" in text


def test_the_official_split_says_how_many_persons_it_shares(see, make_model, capsys):
    model = make_model(OFFICIAL)
    status, text, _ = evaluate(capsys, model, "--data", see)
    assert status == 0
    assert "The official split shares persons: 3 of these 3 have training sequences too." in text
    assert evaluate(capsys, model, "--data", see, "--subset", "all")[0] == 2
    status, text, _ = evaluate(capsys, model, "--data", see, "--json")
    assert json.loads(text)["persons_seen_in_training"] == 3


def test_a_model_of_other_people_or_that_says_nothing(see, make_model, capsys):
    model = make_model(DISJOINT, population="EyeSim seed 0")
    status, text, _ = evaluate(capsys, model, "--data", see, "--subset", "all")
    assert status == 0
    assert "The model was trained on other people (EyeSim seed 0)." in text
    assert "42 sequences of 6 persons" in text


def test_a_model_of_longer_windows(see, make_model, capsys):
    status, text, _ = evaluate(capsys, make_model(DISJOINT, window_us=99_999), "--data", see, "--json")
    assert status == 0
    scores = json.loads(text)
    assert scores["protocol"] == {"name": "whole", "steps": 3, "stride": 2, "window_us": 99_999}
    assert [step["time_us"] for step in scores["steps"]] == [99_999, 299_997, 499_995]
    status, _, error = evaluate(capsys, make_model(DISJOINT, window_us=50_000), "--data", see)
    assert (status, error.count("\n")) == (2, 1)
    assert "a window can have 33333, 66666, 99999 µs and so on, not window_us 50000" in error


def test_prediction_files_of_other_data_or_with_gaps(see, tmp_path, capsys):
    test = SEE(see, subset="test", steps=1, stride=1, **OFFICIAL)
    names = [s.name for s in test.sequences]
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"results": {n: [{"label": "fear", "score": 0.5}] for n in names[1:]}}))
    status, _, error = evaluate(capsys, "--predictions", path, "--data", see)
    assert (status, f"1 of {len(names)} sequences of the data are missing" in error) == (2, True)
    status, text, _ = evaluate(capsys, "--predictions", path, "--data", see, "--allow-missing", "--json")
    scores = json.loads(text)
    assert (scores["missing"], scores["war"]["value"]) == (1, pytest.approx(1 - 1 / len(names)))  # all of them are fear
    assert scores["persons_shared_with_training"] == 3
    status, _, error = evaluate(capsys, "--predictions", path, "--data", see, "--subset", "train")
    assert (status, "are not in this subset of the data" in error) == (2, True)
    assert "Whether these persons trained what made the predictions is not known." in scores["notes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either MODEL with --data DIR, or --predictions FILES"),
        (["m", "--predictions", "p"], "give either MODEL"),
        (["m"], "m: needs data to be evaluated on: give --data DIR"),
        (["--predictions", "p", "--protocol", "whole"], "--protocol: is for a MODEL"),
        (["--predictions", "p", "--batch-size", "2"], "--batch-size: is for a MODEL"),
        (["--predictions", "p", "--fold", "2"], "--fold: is for --data DIR"),
        (["--predictions", "p", "--subset", "val"], "--subset: is for --data DIR"),
        (["m", "--data", "d", "--starts", "3"], "--starts: is for --protocol random-starts"),
        (["m", "--data", "d", "--allow-missing"], "--allow-missing is for --predictions"),
        (["m", "--data", "d", "--overwrite"], "--overwrite: is for -o DIR"),
        (["m", "--data", "d", "--protocol", "half"], "invalid choice: 'half'"),
        (["m", "--data", "d", "--starts", "0"], "must be a whole number above 0"),
        (["m", "--data", "d", "--fold", "-1"], "--fold"),
        (["--predictions", "none.json"], "none.json: no such file"),
        (["m", "--data", "d", "-o", __file__], "is a file: give a folder"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, message, capsys):
    status, out, error = evaluate(capsys, *arguments)
    assert (status, out) == (2, "")
    assert error.startswith("snnkd: error: ")
    assert message in error
    assert error.count("\n") == 1
