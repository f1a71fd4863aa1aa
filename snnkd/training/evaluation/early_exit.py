r"""Early exit: stop when the running prediction is sure enough.

After step *t* of a clip the prediction is read from steps 1..t. With the confidence
:math:`c_t = \max_k \sigma(z_t)_k` and a threshold :math:`\theta` the network stops at

.. math:: t^* = \min\{t : c_t \ge \theta\}, \qquad t^* = T \text{ where there is none}

and what it says then is its answer. The steps that are left are neither computed nor paid for. The threshold is chosen
on validation, never on what is reported: the one with the fewest steps among those whose UAR there is no lower than
that of all steps, less a tolerance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import DatasetError
from snnkd.training.evaluation.bootstrap import Estimate, estimate, person_weights
from snnkd.training.evaluation.predictions import Predictions
from snnkd.training.evaluation.statistics import PersonStatistics

CANDIDATES = 400
NEVER = 1.01
"""A threshold that no confidence reaches"""


@dataclass(frozen=True, eq=False)
class Exits:
    """Where clips were left, and with which answer."""

    predictions: Predictions
    """As of one time step: that of the exit"""
    used: NDArray[np.int64]
    """``(R, N)``: steps until the exit"""


def logits_of(predictions: Predictions) -> NDArray[np.float32]:
    """The running logits ``(R, T, N, K)``; :class:`DatasetError` for predictions of a file, which have none."""
    if predictions.steps is None:
        raise DatasetError("early exit needs a model: prediction files do not tell the answers after each step")
    return predictions.steps


def confidences(steps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest probability after each step: ``(R, T, N)`` of logits ``(R, T, N, K)``."""
    z = steps.astype(np.float64)
    z -= z.max(-1, keepdims=True)
    likely: NDArray[np.float64] = 1 / np.exp(z).sum(-1)
    return likely


def leave(predictions: Predictions, threshold: float) -> Exits:
    """Stop each clip at the first step whose confidence reaches ``threshold``, else at the last."""
    steps = logits_of(predictions)
    sure = confidences(steps) >= threshold
    sure[:, -1] = True
    place = sure.argmax(1)  # (R, N), the first
    answers = np.take_along_axis(steps, place[:, None, :, None], axis=1)
    return Exits(Predictions.from_steps(predictions.truth, answers), place + 1)


def uar_of(predictions: Predictions) -> float:
    """UAR, the mean over runs."""
    return float(PersonStatistics.of(predictions).scores().uar.mean())


def candidates(steps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Thresholds at which something changes: the confidences before the last step, quantiles of many, and never."""
    seen = np.unique(confidences(steps)[:, :-1])
    if len(seen) > CANDIDATES:
        seen = np.quantile(seen, np.linspace(0, 1, CANDIDATES), method="inverted_cdf")
    return np.unique(np.append(seen, NEVER))


def calibrate(validation: Predictions, tolerance: float = 0.01) -> float:
    """Return the threshold with the fewest mean steps whose UAR is no lower than that of all steps less ``tolerance``.

    Of thresholds with equally many steps it is the highest. :data:`NEVER` is always among them, so there is one.

    Raises:
        ValueError: a tolerance below zero.
    """
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance must be from 0 to below 1, got {tolerance}")
    least = uar_of(leave(validation, NEVER).predictions) - tolerance
    best, fewest = NEVER, np.inf
    for threshold in candidates(logits_of(validation))[::-1]:
        exits = leave(validation, float(threshold))
        mean = float(exits.used.mean())
        if mean < fewest and uar_of(exits.predictions) >= least - 1e-12:
            best, fewest = float(threshold), mean
    return best


def curve(predictions: Predictions, points: int = 25) -> list[dict[str, float]]:
    """WAR, UAR and mean steps over thresholds, from those that leave first to never."""
    thresholds = candidates(logits_of(predictions))
    chosen = thresholds[np.unique(np.linspace(0, len(thresholds) - 1, points).astype(int))]
    rows = []
    for threshold in chosen:
        exits = leave(predictions, float(threshold))
        scores = PersonStatistics.of(exits.predictions).scores()
        rows.append(
            {
                "threshold": float(threshold),
                "steps": float(exits.used.mean()),
                "war": float(scores.war.mean()),
                "uar": float(scores.uar.mean()),
            }
        )
    return rows


def report(validation: Predictions, test: Predictions, tolerance: float, seed: int = 0) -> dict[str, Any]:
    """Calibrate on one set and tell what it does on the other, with 95% intervals over persons."""
    threshold = calibrate(validation, tolerance)
    exits, whole = leave(test, threshold), leave(test, NEVER)
    return {
        "threshold": threshold,
        "tolerance": tolerance,
        "calibrated_on": {"sequences": len(validation.truth), "persons": len(set(validation.truth.persons))},
        "of_steps": logits_of(test).shape[1],
        "steps": mean_over_persons(test, exits.used, seed)._asdict(),
        "uar": uar_over_persons(exits.predictions, seed)._asdict(),
        "uar_of_all_steps": uar_over_persons(whole.predictions, seed)._asdict(),
        "curve": curve(test),
    }


def mean_over_persons(predictions: Predictions, values: NDArray[Any], seed: int) -> Estimate:
    """Mean of ``(R, N)`` over all sequences, with an interval by the bootstrap over persons."""
    names, person = np.unique(np.array(predictions.truth.persons, object), return_inverse=True)
    sums, counts = np.zeros((2, len(names)))
    np.add.at(sums, person, values.mean(0))
    np.add.at(counts, person, 1.0)
    weights = person_weights(len(names), seed=seed)
    return estimate(float(sums.sum() / counts.sum()), (weights @ sums) / (weights @ counts))


def uar_over_persons(predictions: Predictions, seed: int) -> Estimate:
    """UAR with an interval by the bootstrap over persons."""
    sums = PersonStatistics.of(predictions)
    weights = person_weights(len(sums.persons), seed=seed)
    return estimate(float(sums.scores().uar.mean()), sums.scores(weights).uar.mean(1))
