"""Scores against references worked out by hand, sequence by sequence, in float64."""

import json
import math

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_f1_score, multiclass_recall

from snnkd.datasets import EMOTIONS, LIGHTINGS
from snnkd.training.evaluation import Evaluation, Predictions, Truth, score
from snnkd.training.evaluation.bootstrap import estimate, person_weights
from snnkd.training.evaluation.drawing import draw_scores
from snnkd.training.evaluation.statistics import BINS, PersonStatistics, bin_index
from snnkd.training.evaluation.table import scores_table


def truth_of(persons, labels, lightings=None):
    names = tuple(f"s{n}" for n in range(len(labels)))
    return Truth(names, tuple(persons), np.array(labels), tuple(lightings or ["normal"] * len(labels)))


def random_predictions(seed=0, persons=9, runs=3, steps=5, labels=None, missing=True):
    """Persons with unequal numbers of sequences; the last runs lack some answers."""
    rng = np.random.default_rng(seed)
    count = int(persons * 8)
    who = [f"p{k}" for k in rng.integers(persons, size=count)]
    labels = rng.integers(7, size=count) if labels is None else labels
    logits = rng.normal(0, 1.5, (runs, steps, count, 7)).astype(np.float32)
    logits[..., np.arange(count), labels] += 1.2
    lightings = [LIGHTINGS[k] for k in rng.integers(4, size=count)]
    whole = Predictions.from_steps(truth_of(who, labels, lightings), logits)
    if not missing:
        return whole
    told, probabilities = whole.told.copy(), whole.probabilities.copy()
    for run in range(1, runs):
        gone = rng.choice(count, 5, replace=False)
        told[run, gone], probabilities[run, gone] = -1, np.nan
    return Predictions(whole.truth, told, probabilities, 0, whole.steps)


def slow_scores(p, sequences):
    """Every score of a list of sequences, which may repeat, by loops over its definition; runs averaged."""
    runs = []
    for run in range(p.runs):
        items = [(int(p.truth.labels[n]), int(p.told[run, n]), p.probabilities[run, n]) for n in sequences]
        out = {"war": sum(y == t for y, t, _ in items) / len(items)}
        recalls, f1 = [], []
        for k in range(7):
            mine = [t for y, t, _ in items if y == k]
            recalls.append(sum(t == k for t in mine) / len(mine) if mine else math.nan)
            if mine:
                wrongly = sum(t == k for y, t, _ in items if y != k)
                hits = sum(t == k for t in mine)
                f1.append(2 * hits / (2 * hits + wrongly + len(mine) - hits))
        out["recalls"] = recalls
        out["uar"] = float(np.nanmean(recalls))
        out["macro_f1"] = sum(f1) / len(f1)
        answered = [(y, t, q) for y, t, q in items if t >= 0]
        ece = 0.0
        for m in range(15):
            inside = [(y == t, q[t]) for y, t, q in answered if m / 15 < q[t] <= (m + 1) / 15 or (m == 0 and q[t] == 0)]
            if inside:
                gap = sum(hit for hit, _ in inside) / len(inside) - sum(c for _, c in inside) / len(inside)
                ece += len(inside) / len(answered) * abs(gap)
        out["ece"] = ece
        out["nll"] = -sum(math.log(q[y]) for y, _, q in answered) / len(answered)
        for light in sorted(set(p.truth.lightings)):
            hits = [p.told[run, n] == p.truth.labels[n] for n in sequences if p.truth.lightings[n] == light]
            out[light] = sum(hits) / len(hits) if hits else math.nan
        for t in range(p.steps.shape[1]):
            right = [int(p.steps[run, t, n].argmax()) == p.truth.labels[n] for n in sequences]
            out[f"step{t}"] = sum(right) / len(right)
        runs.append(out)
    return {key: np.mean([run[key] for run in runs], axis=0) for key in runs[0]}


def test_every_score_is_its_definition():
    p = random_predictions()
    fast, slow = score(p), slow_scores(p, range(len(p.truth)))
    for name in ("war", "uar", "macro_f1", "ece", "nll"):
        assert fast.headline[name].value == pytest.approx(slow[name], abs=1e-12), name
    assert [e.value for e in fast.recalls.values()] == pytest.approx(list(slow["recalls"]))
    assert {k: e.value for k, e in fast.lightings.items()} == pytest.approx({k: slow[k] for k in LIGHTINGS})
    assert [step["war"].value for step in fast.steps] == pytest.approx([slow[f"step{t}"] for t in range(5)])
    assert int(fast.confusion.sum() + fast.missing.sum()) == p.runs * len(p.truth)
    assert fast.missing.sum() == fast.facts["missing"] == 10


def test_scores_agree_with_torchmetrics():
    p = random_predictions(runs=1, missing=False)
    s = score(p)
    told, labels = torch.tensor(p.told[0]), torch.tensor(p.truth.labels)
    assert s.headline["macro_f1"].value == pytest.approx(
        float(multiclass_f1_score(told, labels, 7, average="macro")), abs=1e-6
    )
    assert s.headline["uar"].value == pytest.approx(
        float(multiclass_recall(told, labels, 7, average="macro")), abs=1e-6
    )
    expected = multiclass_calibration_error(torch.tensor(p.probabilities[0]), labels, 7, n_bins=15, norm="l1")
    assert s.headline["ece"].value == pytest.approx(float(expected), abs=1e-6)
    light = Evaluation(torch.tensor(s.confusion))
    assert (light.war, light.uar) == pytest.approx((s.headline["war"].value, s.headline["uar"].value), abs=1e-6)


def test_replicates_are_scores_of_persons_drawn_with_all_their_sequences():
    p = random_predictions(persons=5, runs=2, steps=3)
    statistics = PersonStatistics.of(p)
    weights = person_weights(5, 40, seed=3)
    assert (weights.sum(1) == 5).all()
    fast = statistics.scores(weights)
    for b, draw in enumerate(weights):
        drawn = [n for k, w in enumerate(draw) for n in _of(p, statistics.persons[k]) for _ in range(int(w))]
        slow = slow_scores(p, drawn)
        for name in ("war", "uar", "macro_f1", "ece", "nll"):
            assert getattr(fast, name)[b].mean() == pytest.approx(slow[name], abs=1e-12), name
        np.testing.assert_allclose(fast.recalls[b], slow["recalls"])
        np.testing.assert_allclose(fast.lightings[b], [slow[light] for light in statistics.lightings])
        np.testing.assert_allclose(fast.steps_war[b], [slow[f"step{t}"] for t in range(3)])
        # The curve ends at the score itself where no answer is missing: here it is what the network told.
        assert fast.steps_war[b, -1] >= fast.war[b].mean() - 1e-12


def _of(p, person):
    return [n for n, name in enumerate(p.truth.persons) if name == person]


def test_an_interval_is_the_percentiles_of_the_replicates_and_the_seed_fixes_it():
    p = random_predictions()
    weights = person_weights(9, 2000, seed=4)
    drawn = PersonStatistics.of(p).scores(weights).uar.mean(1)
    s = score(p, seed=4)
    assert s.headline["uar"][1:] == pytest.approx(np.percentile(drawn, [2.5, 97.5]))
    drawn, ece = PersonStatistics.of(p).scores(weights).ece.mean(1), s.headline["ece"]
    low, high = 2 * ece.value - np.percentile(drawn, [97.5, 2.5])
    assert ece[1:] == pytest.approx((max(0, low), max(0, high)))
    assert s.ece_bias == pytest.approx(drawn.mean() - ece.value)
    assert s.to_json() == score(p, seed=4).to_json()
    assert s.headline["uar"] != score(p, seed=5).headline["uar"]


def test_emotions_that_a_resample_or_the_data_lack_are_in_no_mean_and_it_is_said():
    # Fear of one person alone, neutral of nobody; of every other emotion one a person, read right of a and b.
    persons, labels, told = [], [], []
    for person in "abc":
        for k in range(5):
            persons.append(person), labels.append(k), told.append(k if person in "ab" else 5)
    persons.append("a"), labels.append(5), told.append(0)
    probabilities = np.full((1, 16, 7), np.nan)
    probabilities[0, np.arange(16), told] = 0.5
    p = Predictions(truth_of(persons, labels), np.array([told]), probabilities)
    s = score(p)
    assert s.headline["uar"].value == pytest.approx((5 * 2 / 3 + 0) / 6)
    assert s.recalls["neutral"] == (None, None, None)
    assert s.recalls["fear"] == (0.0, None, None)  # of one person: every replicate would be the same
    assert s.headline["uar"].low == 0.0
    weights = person_weights(3, 2000, seed=0)
    one = PersonStatistics.of(p).scores(np.array([[0.0, 2.0, 1.0]])).uar.item()
    assert one == pytest.approx(2 / 3)  # without a there is no fear, and the mean is over five
    assert s.facts["bootstrap"]["replicates_without_some_emotion"] == pytest.approx((weights[:, 0] == 0).mean())
    notes = " ".join(s.notes)
    assert "No interval where all persons score alike or one alone has any" in notes
    assert "Not in the data, and in no mean over emotions: neutral." in notes
    assert "No NLL" in notes
    assert s.headline["nll"].value is None


def test_where_everybody_is_read_alike_no_width_is_claimed():
    labels = list(range(7)) * 4
    logits = 5 * np.eye(7, dtype=np.float32)[labels][None, None]
    s = score(Predictions.from_steps(truth_of("aaaaaaabbbbbbbcccccccddddddd", labels), logits))
    assert s.headline["war"] == (1.0, None, None)
    assert all(e == (1.0, None, None) for e in s.recalls.values())
    assert "nothing can be resampled" in " ".join(s.notes)


def test_one_person_has_scores_and_no_interval():
    s = score(random_predictions(persons=1))
    for e in (*s.headline.values(), *s.recalls.values(), *s.lightings.values(), s.steps[0]["war"]):
        assert (e.low, e.high) == (None, None)
    assert s.headline["war"].value is not None
    assert s.facts["bootstrap"]["replicates"] == 0
    assert "One person: there is no interval over persons." in s.notes


def test_confidences_on_the_edges_fall_into_the_lower_bin():
    edges = np.arange(BINS + 1) / BINS
    assert bin_index(edges).tolist() == [0, *range(BINS)]
    assert bin_index(np.nextafter(edges[:-1], 2)).tolist() == list(range(BINS))


def test_a_network_that_is_sure_and_wrong_is_as_badly_calibrated_as_can_be():
    logits = np.zeros((1, 1, 14, 7), np.float32)
    logits[..., 0] = 200
    s = score(Predictions.from_steps(truth_of("ab" * 7, [1] * 14), logits))
    assert s.headline["ece"].value == pytest.approx(1)
    assert s.headline["nll"].value == pytest.approx(-math.log(1e-12))  # bounded, where the probability is 0
    assert s.reliability == [{"low": 14 / 15, "high": 1.0, "answers": 14, "confidence": 1.0, "accuracy": 0.0}]


def test_ties_of_a_network_are_counted_and_the_first_emotion_is_told():
    logits = np.zeros((1, 2, 3, 7), np.float32)
    logits[0, 1, 2, 4] = 1
    p = Predictions.from_steps(truth_of("abc", [0, 1, 4]), logits)
    assert p.told.tolist() == [[0, 0, 4]]
    assert p.ties == 2
    assert "2 answers are ties" in " ".join(score(p).notes)


def simulated(persons, rng):
    """Persons who differ in how well they are read; seven emotions, two takes each."""
    ease = np.array([1.2, 0.0, 0.3, -0.2, 0.8, -0.4, 1.0])
    person, label = np.repeat(np.arange(persons), 14), np.tile(np.repeat(np.arange(7), 2), persons)
    right = rng.random(len(label)) < 1 / (1 + np.exp(-ease[label] - 0.8 * rng.standard_normal(persons)[person]))
    told = np.where(right, label, (label + rng.integers(1, 7, len(label))) % 7)
    probabilities = np.full((1, len(label), 7), np.nan)
    probabilities[0, np.arange(len(label)), told] = 0.5
    return Predictions(truth_of(map(str, person), label), told[None], probabilities)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(11)
    truth = PersonStatistics.of(simulated(20_000, rng)).scores().uar.item()
    held = 0
    for seed in range(300):
        statistics = PersonStatistics.of(simulated(40, rng))
        drawn = statistics.scores(person_weights(40, 500, seed)).uar.mean(1)
        interval = estimate(statistics.scores().uar.item(), drawn)
        held += interval.low <= truth <= interval.high
    assert 0.89 <= held / 300 <= 0.98  # 94 % expected; 300 draws of it stay within 0.90 and 0.975


def test_the_interval_of_the_calibration_error_allows_for_its_bias():
    rng = np.random.default_rng(2)

    def population(persons):
        label, person = np.tile(np.repeat(np.arange(7), 2), persons), np.repeat(np.arange(persons), 14)
        logits = rng.normal(0, 1, (1, 1, len(label), 7)).astype(np.float32)
        logits[..., np.arange(len(label)), label] += 1.2
        return Predictions.from_steps(truth_of(map(str, person), label), 1.5 * logits)

    truth = score(population(5000), replicates=2).headline["ece"].value
    found = [score(population(20), replicates=300, seed=seed) for seed in range(100)]
    assert np.mean([s.headline["ece"].value for s in found]) > truth + 0.02
    assert np.mean([s.headline["ece"].value - s.ece_bias for s in found]) == pytest.approx(truth, abs=0.015)
    held = [s.headline["ece"].low <= truth <= s.headline["ece"].high for s in found]
    assert np.mean(held) > 0.75  # quantiles of the replicates would hold it in a quarter
    assert "ECE is too large where answers are few" in " ".join(found[0].notes)


def test_json_has_no_nan_and_the_table_shows_every_score():
    p = random_predictions(runs=3)
    s = score(p, {"model": "m"}, times_us=[(t + 1) * 33_333 for t in range(5)])
    data = json.loads(s.json_bytes())
    assert data["format"] == "snnkd-scores"
    assert data["war"] == dict(zip(("value", "low", "high"), s.headline["war"], strict=True))
    assert data["runs_spread"]["uar"] == pytest.approx(np.std([run["uar"] for run in data["runs_scores"]], ddof=1))
    assert np.mean([run["uar"] for run in data["runs_scores"]]) == pytest.approx(data["uar"]["value"])
    assert data["steps"][-1]["time_us"] == 166_665
    assert np.array(data["confusion"]).shape == (7, 7)
    text = scores_table(s, "m on d: test")
    assert max(map(len, text.split("\n"))) <= 110
    for word in (*EMOTIONS, *LIGHTINGS, "m on d: test", "missing", "9 persons", "3 runs", "spread over runs"):
        assert word in text
    assert f"{100 * s.headline['uar'].value:.1f}%" in text


@pytest.mark.parametrize(("persons", "runs", "steps"), [(9, 3, 5), (9, 1, 24), (1, 1, 1), (60, 20, 4)])
def test_no_words_of_a_picture_leave_it_or_lie_on_each_other(persons, runs, steps):
    p = random_predictions(persons=persons, runs=runs, steps=steps)
    s = score(p, times_us=[(t + 1) * 33_333 for t in range(steps)], replicates=200)
    title = "runs/a/rather/long/path/to/a/model on runs/data/eyesim: test (person-disjoint, fold 0), 20 random starts"
    figures = draw_scores(s, title)
    assert set(figures) == {"confusion", "recalls", "reliability", *(["anytime"] if steps > 1 else [])}
    for name, figure in figures.items():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = [*figure.texts]
        for axes in figure.axes:
            ticks = [t for t in axes.get_xticklabels() if _shown(t.get_position()[0], axes.get_xlim())]
            ticks += [t for t in axes.get_yticklabels() if _shown(t.get_position()[1], axes.get_ylim())]
            texts += [*axes.texts, *[t for t in ticks if t.get_rotation() == 0], axes.xaxis.label, axes.yaxis.label]
        boxes = [(t.get_text(), t.get_window_extent()) for t in texts if t.get_visible() and t.get_text()]
        for i, (text, box) in enumerate(boxes):
            assert figure.bbox.x0 - 1 <= box.x0, (name, text)
            assert box.x1 <= figure.bbox.x1 + 1, (name, text)
            assert figure.bbox.y0 - 1 <= box.y0, (name, text)
            assert box.y1 <= figure.bbox.y1 + 1, (name, text)
            for other, place in boxes[:i]:
                assert not box.overlaps(place), (name, text, other)


def _shown(value, limits):
    return min(limits) - 1e-9 <= value <= max(limits) + 1e-9


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match="no predictions"):
        score(Predictions(truth_of([], []), np.zeros((1, 0), np.int64), np.zeros((1, 0, 7))))
