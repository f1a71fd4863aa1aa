"""Predictions to scores: every score with its 95% interval, and what they are scores of."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets import EMOTIONS, LIGHTINGS
from snnkd.training.evaluation.bootstrap import (
    CONFIDENCE,
    FEW_PERSONS,
    REPLICATES,
    Estimate,
    estimate,
    person_weights,
)
from snnkd.training.evaluation.predictions import MISSING, Predictions
from snnkd.training.evaluation.statistics import BINS, PersonStatistics, Sums

HEADLINES = ("war", "uar", "macro_f1", "ece", "nll")


@dataclass(frozen=True, eq=False)
class Scores:
    """All that is known of a set of predictions."""

    facts: dict[str, Any]
    """What was scored: model or files, data, subset, split, protocol, number of persons, sequences and runs, ..."""
    headline: dict[str, Estimate]
    """``war``, ``uar``, ``macro_f1``, ``ece``, ``nll``"""
    recalls: dict[str, Estimate]
    """By emotion; without a value for one that does not occur"""
    lightings: dict[str, Estimate]
    """Accuracy, for those that occur"""
    lighting_sequences: dict[str, int]
    confusion: NDArray[np.int64]
    """``(K, K)`` counts, summed over the runs: row the true emotion, column the told one"""
    missing: NDArray[np.int64]
    """``(K,)`` sequences of each true emotion without an answer, summed over the runs"""
    steps: list[dict[str, Any]]
    """By time step: ``step``, ``war`` and ``uar`` when the prediction is read from steps 1 to it"""
    reliability: list[dict[str, float]]
    """Bins of confidence that hold an answer: ``low``, ``high``, ``answers``, ``confidence``, ``accuracy``"""
    runs: list[dict[str, float | None]]
    """Headline scores of each run"""
    ece_bias: float | None = None
    """By how much the calibration error is too large, as the bootstrap has it: the replicates' mean less the score"""
    notes: list[str] = field(default_factory=list)
    """What a reader of the scores must know"""

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON can hold it: estimates as ``value``, ``low``, ``high``, null for none."""
        many = len(self.runs) > 1
        return {
            "format": "snnkd-scores",
            "version": 1,
            **self.facts,
            **{name: value._asdict() for name, value in self.headline.items()},
            "ece_bias": self.ece_bias,
            "recalls": {name: value._asdict() for name, value in self.recalls.items()},
            "lightings": {
                name: {**value._asdict(), "sequences": self.lighting_sequences[name]}
                for name, value in self.lightings.items()
            },
            "emotions": list(EMOTIONS),
            "confusion": self.confusion.tolist(),
            "confusion_missing": self.missing.tolist(),
            "steps": [{**step, "war": step["war"]._asdict(), "uar": step["uar"]._asdict()} for step in self.steps],
            "reliability": self.reliability,
            "runs_spread": {name: self.spread(name) for name in HEADLINES} if many else None,
            "runs_scores": self.runs,
            "notes": self.notes,
        }

    def json_bytes(self) -> bytes:
        """Return the file ``scores.json``."""
        return (json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n").encode()

    def spread(self, name: str) -> float | None:
        """Standard deviation (of a sample, n − 1) of a headline score over the runs; ``None`` for one run."""
        values = [run[name] for run in self.runs]
        known = [value for value in values if value is not None]
        return float(np.std(known, ddof=1)) if len(known) == len(values) > 1 else None


def score(
    predictions: Predictions,
    facts: Mapping[str, Any] | None = None,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    times_us: Sequence[int] | None = None,
    notes: tuple[str, ...] = (),
) -> Scores:
    """Score predictions; see :mod:`snnkd.training.evaluation.statistics` and ``bootstrap``.

    Args:
        predictions: of one run or several; of one sequence at least.
        facts: what is known of where they are from; kept as they are.
        replicates, seed: of the bootstrap over persons.
        times_us: time from a clip's start to the end of each step's window, for the anytime curve.
        notes: more that a reader must know.
    """
    truth = predictions.truth
    if not len(truth) or not predictions.runs:
        raise ValueError("there are no predictions to score")
    sums = PersonStatistics.of(predictions)
    persons = len(sums.persons)
    point = sums.scores()
    weights = person_weights(persons, replicates, seed) if persons > 1 else np.ones((1, 1))
    draws = sums.scores(weights)

    def put(name: str, column: int | None = None) -> Estimate:
        value, drawn = getattr(point, name), getattr(draws, name)
        if column is None:  # (B, R): the mean over runs
            return estimate(value.mean(), drawn.mean(1), basic=name == "ece")
        return estimate(value[0, column], drawn[:, column])

    by_emotion = (sums.confusion[:, 0].sum(-1) > 0).sum(0)
    order = sorted(range(len(sums.lightings)), key=lambda i: _rank(sums.lightings[i]))
    number = sums.lighting[:, 0, :, 1].sum(0)
    confusion = sums.confusion.sum((0, 1)).astype(np.int64)
    answered = predictions.told != MISSING
    lacking = int((~answered).sum())
    absent = float(((weights @ sums.confusion[:, 0].sum(-1)) == 0)[:, by_emotion > 0].any(1).mean())
    bias = float(draws.ece.mean() - point.ece.mean()) if persons > 1 else math.nan
    scores = Scores(
        facts={
            **(facts or {}),
            "persons": persons,
            "sequences": len(truth),
            "runs": predictions.runs,
            "answers": int(answered.sum()),
            "missing": lacking,
            "ties": predictions.ties,
            "bootstrap": {
                "over": "persons",
                "replicates": replicates if persons > 1 else 0,
                "seed": seed,
                "confidence": CONFIDENCE,
                "replicates_without_some_emotion": absent,
            },
        },
        headline={name: put(name) for name in HEADLINES},
        recalls={name: put("recalls", k) for k, name in enumerate(EMOTIONS)},
        lightings={sums.lightings[i]: put("lightings", i) for i in order},
        lighting_sequences={sums.lightings[i]: int(number[i]) for i in order},
        confusion=confusion[:, :-1],
        missing=confusion[:, -1],
        steps=[
            {
                "step": t + 1,
                **({} if times_us is None else {"time_us": int(times_us[t])}),
                "war": put("steps_war", t),
                "uar": put("steps_uar", t),
            }
            for t in range(sums.steps.shape[1])
        ],
        reliability=_reliability(sums),
        runs=[{name: _plain(getattr(point, name)[0, r]) for name in HEADLINES} for r in range(predictions.runs)],
        ece_bias=_plain(bias),
        notes=[*notes, *_remarks(sums, by_emotion, point, lacking, predictions), *_excess(bias)],
    )
    everything = (*scores.headline.values(), *scores.recalls.values(), *scores.lightings.values())
    if persons > 1 and any(e.value is not None and e.low is None for e in everything):
        scores.notes.append("No interval where all persons score alike or one alone has any: nothing can be resampled.")
    return scores


def _rank(lighting: str) -> tuple[int, str]:
    return (LIGHTINGS.index(lighting) if lighting in LIGHTINGS else len(LIGHTINGS), lighting)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _excess(bias: float) -> list[str]:
    if not bias > 0.001:  # NaN too
        return []
    return [f"ECE is too large where answers are few, here by about {bias:.1%}; its interval allows for that."]


def _reliability(sums: PersonStatistics) -> list[dict[str, float]]:
    bins = sums.bins.sum((0, 1))
    return [
        {
            "low": m / BINS,
            "high": (m + 1) / BINS,
            "answers": int(count),
            "confidence": float(confidence / count),
            "accuracy": float(right / count),
        }
        for m, (count, right, confidence) in enumerate(bins)
        if count
    ]


def _remarks(
    sums: PersonStatistics, by_emotion: NDArray[np.int64], point: Sums, lacking: int, predictions: Predictions
) -> list[str]:
    """What limits the scores, as sentences."""
    persons = len(sums.persons)
    notes = []
    if persons < 2:
        notes.append("One person: there is no interval over persons.")
    elif persons < FEW_PERSONS:
        notes.append(f"{persons} persons: intervals from fewer than {FEW_PERSONS} are too narrow.")
    never = [name for name, n in zip(EMOTIONS, by_emotion, strict=True) if n == 0]
    if never:
        notes.append(f"Not in the data, and in no mean over emotions: {', '.join(never)}.")
    if lacking:
        notes.append(f"{lacking:,} answers are missing and count as wrong; ECE and NLL leave them out.")
    if predictions.ties:
        notes.append(f"{predictions.ties:,} answers are ties; the first of the highest counts.")
    if np.isnan(point.nll).all():
        notes.append("No NLL: the predictions do not give all seven probabilities.")
    return notes
