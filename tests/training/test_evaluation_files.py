"""Prediction files in the form of SEE's authors: a table worked out by hand, and all that can be wrong with them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.datasets import EMOTIONS
from snnkd.errors import DatasetError, SnnkdWarning
from snnkd.training.evaluation import Predictions, Truth, predictions_json, read_predictions, score


def name(number, person, lighting, emotion):
    return f"{number}_{person}_man_24_Master_{lighting}_{emotion}_45_take000"


# Sequence, and the answers that both runs give; the second lacks the one of neutral.
ANSWERS = {
    name(1, "001", "normal", "angry"): [("angry", 0.9)],
    name(2, "001", "normal", "angry"): [("disgust", 0.6), ("angry", 0.4)],
    name(3, "002", "normal", "happiness"): [("happiness", 0.8)],
    name(4, "002", "Overexposed", "happiness"): [("happiness", 0.4), ("fear", 0.4), ("sadness", 0.2)],  # a tie, right
    name(5, "002", "Overexposed", "fear"): [("surprise", 0.4), ("fear", 0.4)],  # a tie, wrong
    name(6, "003", "Low", "fear"): [("fear", 0.7)],
    name(7, "003", "Low", "surprise"): [("surprise", 1.0)],
    name(8, "003", "Low", "neutral"): [("neutral", 0.5)],
    name(9, "004", "HDR", "disgust"): [("angry", 0.55)],
    name(10, "004", "HDR", "sadness"): [("sadness", 0.99)],
}
NEUTRAL = name(8, "003", "Low", "neutral")


@pytest.fixture
def write(tmp_path):
    def make(answers, file="run1.json"):
        results = {n: [{"label": k, "score": s} for k, s in listed] for n, listed in answers.items()}
        (tmp_path / file).write_text(json.dumps({"results": results}))
        return tmp_path / file

    return make


@pytest.fixture
def two_runs(write):
    return [write(ANSWERS), write({n: a for n, a in ANSWERS.items() if n != NEUTRAL}, "run2.json")]


def test_the_table_worked_out_by_hand(two_runs):
    p = read_predictions(two_runs, allow_missing=True)
    s = score(p)
    # Right in the first run: all but 2, 5 and 9. In the second neutral is missing, and wrong.
    assert s.headline["war"].value == pytest.approx((0.7 + 0.6) / 2)
    assert s.headline["uar"].value == pytest.approx((5 / 7 + 4 / 7) / 2)
    recalls = {
        "happiness": 1,
        "sadness": 1,
        "anger": 1 / 2,
        "disgust": 0,
        "surprise": 1,
        "fear": 1 / 2,
        "neutral": 1 / 2,
    }
    assert {k: e.value for k, e in s.recalls.items()} == pytest.approx(recalls)
    light = {"normal": 2 / 3, "overexposed": 1 / 2, "low-light": (1 + 2 / 3) / 2, "HDR": 1 / 2}
    assert {k: e.value for k, e in s.lightings.items()} == pytest.approx(light)
    assert list(s.lightings) == list(light)
    assert s.lighting_sequences == {"normal": 3, "overexposed": 2, "low-light": 3, "HDR": 2}
    # 2·hits / (true + told): happiness 4/4, sadness 2/2, anger 2/4, disgust 0, surprise 2/3, fear 2/3, neutral 2/2, 0/1
    assert s.headline["macro_f1"].value == pytest.approx((1 + 1 + 1 / 2 + 0 + 2 / 3 + 2 / 3 + 1 / 2) / 7)
    confusion = np.zeros((7, 7), int)
    for true, told, runs in [
        ("anger", "anger", 2), ("anger", "disgust", 2), ("happiness", "happiness", 4), ("fear", "surprise", 2),
        ("fear", "fear", 2), ("surprise", "surprise", 2), ("neutral", "neutral", 1), ("disgust", "anger", 2),
        ("sadness", "sadness", 2),
    ]:  # fmt: skip
        confusion[EMOTIONS.index(true), EMOTIONS.index(told)] = runs
    assert s.confusion.tolist() == confusion.tolist()
    assert s.missing.tolist() == [0, 0, 0, 0, 0, 0, 1]
    # Bins of 1/15 with the confidences; the second run has no (7/15, 8/15] = 0.5.
    gaps = [1 - 0.9, 0.6, 1 - 0.8, 0.5 * abs(1 - 0.8) * 2, 1 - 0.7, 0, 1 - 0.5, 0.55, 1 - 0.99]
    assert s.headline["ece"].value == pytest.approx(_ece_by_hand(gaps), abs=1e-9)
    facts = s.facts
    assert (facts["persons"], facts["sequences"], facts["runs"]) == (4, 10, 2)
    assert (facts["ties"], facts["missing"], facts["answers"]) == (4, 1, 19)
    assert [run["war"] for run in s.runs] == pytest.approx([0.7, 0.6])
    assert s.spread("war") == pytest.approx(np.std([0.7, 0.6], ddof=1))
    assert s.headline["nll"].value is None
    assert s.steps == []


def _ece_by_hand(gaps):
    # 0.4 twice in one bin, right once: |1 − 0.8|; 0.6 and 0.55 are both in (8/15, 9/15]: two wrong, 1.15 of confidence.
    first = (gaps[0] + 1.15 + gaps[2] + 0.2 + gaps[4] + gaps[5] + gaps[6] + gaps[8]) / 10
    second = (gaps[0] + 1.15 + gaps[2] + 0.2 + gaps[4] + gaps[5] + gaps[8]) / 9
    return (first + second) / 2


def test_missing_sequences_are_refused_unless_allowed(two_runs, write):
    with pytest.raises(DatasetError) as caught:
        read_predictions(two_runs)
    assert "run2.json: 1 of 10 sequences of the other files are missing" in str(caught.value)
    assert NEUTRAL in str(caught.value)
    assert "--allow-missing" in str(caught.value)
    truth = Truth.from_names(ANSWERS)
    with pytest.raises(DatasetError, match=r"run2\.json: 1 of 10 sequences of the data are missing"):
        read_predictions(two_runs[1:], truth)
    assert (read_predictions(two_runs[1:], truth, allow_missing=True).told == -1).sum() == 1


def test_sequences_that_the_data_do_not_have_are_refused(two_runs):
    truth = Truth.from_names([n for n in ANSWERS if n != NEUTRAL])
    with pytest.raises(DatasetError, match=r"run1\.json: 1 of 10 sequences are not in this subset of the data \(8_003"):
        read_predictions(two_runs[:1], truth, allow_missing=True)


def test_of_a_tie_the_label_listed_first_counts(write):
    sequence = name(1, "001", "normal", "fear")
    for first, second in (("fear", "surprise"), ("surprise", "fear")):
        p = read_predictions([write({sequence: [(first, 0.5), (second, 0.5)]}, f"{first}.json")])
        assert EMOTIONS[p.told[0, 0]] == first
        assert p.ties == 1


def test_a_file_of_all_seven_has_a_likelihood_and_one_list_without_leaves_none(write):
    labels = ["happiness", "sadness", "angry", "disgust", "surprise", "fear", "neutraL"]
    full = [(label, p) for label, p in zip(labels, [0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05], strict=True)]
    answers = {name(1, "001", "normal", "sadness"): full, name(2, "002", "Low", "happiness"): full}
    s = score(read_predictions([write(answers)]))
    assert s.headline["nll"].value == pytest.approx(-(np.log(0.2) + np.log(0.4)) / 2)
    for part in (full[:1], full[:6], [*full[:6], ("neutral", 0.35)]):  # the last sums to more than 1
        answers[name(2, "002", "Low", "happiness")] = part
        s = score(read_predictions([write(answers)]))
        assert s.headline["nll"].value is None
        assert s.headline["war"].value == 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_files_that_are_written_read_back_with_the_same_answers(tmp_path_factory, seed, runs):
    rng = np.random.default_rng(seed)
    labels = rng.integers(7, size=12)
    spelt = ["happiness", "sadness", "angry", "disgust", "surprise", "fear", "neutral"]
    truth = Truth.from_names(name(n, f"{n % 4:03d}", "HDR", spelt[label]) for n, label in enumerate(labels))
    logits = np.round(rng.normal(0, 2, (runs, 1, 12, 7))).astype(np.float32)  # rounded, so that there are ties
    p = Predictions.from_steps(truth, logits)
    folder = tmp_path_factory.mktemp("runs")
    paths = [folder / f"{run}.json" for run in range(runs)]
    for run, path in enumerate(paths):
        path.write_bytes(predictions_json(p, run))
    back = read_predictions(paths)
    assert back.told.tolist() == p.told.tolist()
    assert back.ties == p.ties
    np.testing.assert_array_equal(back.probabilities, p.probabilities)
    mine, theirs = score(p), score(back)
    assert mine.headline == theirs.headline
    entry = json.loads(paths[0].read_text())["results"][truth.names[0]]
    assert [e["score"] for e in entry] == sorted((e["score"] for e in entry), reverse=True)
    assert {e["label"] for e in entry} == set(spelt)  # the spelling of SEE's folders and scripts


FEAR = name(1, "001", "normal", "fear")


def results(listed):
    return json.dumps({"results": {FEAR: listed}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not a prediction file"),
        ('{"results": []}', "not a prediction file"),
        ('{"results": {}}', "holds no prediction"),
        ("[" * 100_000, "cannot be read as JSON"),
        (results([]), "must hold a list of labels with scores, got []"),
        (results({"label": "fear"}), "must hold a list of labels"),
        (results(["fear"]), "'fear' is no label with a score"),
        (results([{"label": "fear"}]), "is no label with a score"),
        (results([{"label": "fear", "score": "0.5"}]), "is no label with a score"),
        (results([{"label": "fear", "score": True}]), "is no label with a score"),
        (results([{"label": 3, "score": 0.5}]), "is no label with a score"),
        (results([{"segment": [0, 9], "result": []}]), "holds results per segment"),
        (results([{"label": "bored", "score": 0.5}]), "unknown emotion 'bored'"),
        (results([{"label": "fear", "score": 3.5}]), "score 3.5 of 'fear' is no probability"),
        (results([{"label": "fear", "score": -0.1}]), "is no probability"),
        (results([{"label": "fear", "score": float("nan")}]), "a score is NaN"),
        (results([{"label": "fear", "score": 0.5}, {"label": "Fear", "score": 0.1}]), "'Fear' stands there twice"),
        (results([{"label": "anger", "score": 0.5}, {"label": "angry", "score": 0.1}]), "'angry' stands there twice"),
        (results([{"label": "fear", "score": 0.1}, {"label": "anger", "score": 0.9}]), "has not the highest score"),
        (f'{{"results": {{"{FEAR}": [], "{FEAR}": []}}}}', f"'{FEAR}' stands there twice"),
        ('{"results": {}, "results": {}}', "'results' stands there twice"),
        (results([{"label": "fear", "score": 0.5}]).replace("normal", "dusk"), "unknown lighting 'dusk'"),
        (results([{"label": "fear", "score": 0.5}]).replace("_fear_", "_bored_"), "unknown emotion 'bored'"),
        (results([{"label": "fear", "score": 0.5}]).replace("_take000", ""), "not of SEE's form"),
        ('{"results": {"take.h5": [{"label": "fear", "score": 0.5}]}}', "give the data with --data"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_in_one_line(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(DatasetError) as caught:
        read_predictions([path])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text_or_not_there_or_given_twice(tmp_path, write):
    path = write(ANSWERS)
    (tmp_path / "utf16.json").write_bytes(path.read_text().encode("utf-16"))
    with pytest.raises(DatasetError, match=r"utf16\.json: cannot be read as JSON"):
        read_predictions([tmp_path / "utf16.json"])
    with pytest.raises(DatasetError, match=r"none\.json: no such file"):
        read_predictions([tmp_path / "none.json"])
    with pytest.raises(DatasetError, match="is a folder; name its prediction files"):
        read_predictions([tmp_path])
    with pytest.raises(DatasetError, match="is given twice"):
        read_predictions([path, tmp_path / "." / path.name])
    with pytest.raises(DatasetError, match="no prediction file was given"):
        read_predictions([])
    (tmp_path / "copy.json").write_bytes(path.read_bytes())
    with pytest.warns(SnnkdWarning, match=r"copy\.json holds the same as .*run1\.json: they count as two runs"):
        assert read_predictions([path, tmp_path / "copy.json"]).runs == 2
