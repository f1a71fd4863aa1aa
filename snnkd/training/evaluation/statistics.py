"""All scores from sums over persons, for any weighting of them.

Summed per person beforehand are confusions :math:`c_{ij}` (with one more column for sequences without an answer), hits
per lighting and per time step, and per confidence bin *m* the number of answers :math:`n_m`, of right ones :math:`a_m`
and the sum of confidences :math:`b_m`. The sum over persons, each with its weight (1 for the score itself, how often it
was drawn for a bootstrap's replicate), then gives

.. math::

    \\mathrm{WAR} = \\frac{\\sum_i c_{ii}}{\\sum_{ij} c_{ij}}, \\quad
    r_i = \\frac{c_{ii}}{\\sum_j c_{ij}}, \\quad
    \\mathrm{UAR} = \\operatorname{mean}_i r_i, \\quad
    F_i = \\frac{2 c_{ii}}{\\sum_j c_{ij} + \\sum_j c_{ji}}, \\quad
    \\mathrm{ECE} = \\frac{\\sum_m |a_m - b_m|}{\\sum_m n_m}

The expected calibration error is that of Guo et al. (ICML 2017): 15 bins of equal width, :math:`((m-1)/15, m/15]`, and
0 in the first. The negative log likelihood is the mean of :math:`-\\log p_y`, with :math:`p_y` no less than 1e-12.

- Means over emotions (UAR, macro F1) are over those that occur, in a replicate over those that occur in it.
- A sequence without an answer is a miss: it counts in every denominator but those of ECE and likelihood, which have
  nothing to judge of it.
- Of several runs, every score is worked out per run and the mean taken.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets import EMOTIONS
from snnkd.training.evaluation.bootstrap import mean_of_present
from snnkd.training.evaluation.predictions import MISSING, Predictions

BINS = 15
SMALLEST = 1e-12
"""Probability below which the likelihood counts no further"""

Array = NDArray[np.float64]


class Sums(NamedTuple):
    """Scores for *B* weightings of the persons; NaN where one does not exist."""

    war: Array
    uar: Array
    macro_f1: Array
    ece: Array
    nll: Array
    """``(B, R)``, as those before"""
    recalls: Array
    """``(B, K)``"""
    lightings: Array
    """``(B, L)``"""
    steps_war: Array
    steps_uar: Array
    """``(B, T)``; no columns without logits per step"""


@dataclass(frozen=True, eq=False)
class PersonStatistics:
    """Sums per person; *P* persons, *R* runs, *K* emotions, *L* lightings, *T* steps."""

    persons: tuple[str, ...]
    lightings: tuple[str, ...]
    confusion: Array
    """``(P, R, K, K + 1)``: true, told; the last column is without an answer"""
    bins: Array
    """``(P, R, M, 3)``: answers, right ones, sum of confidences"""
    nll: Array
    """``(P, R, 2)``: sum, and how many; none where an answer came without all probabilities"""
    lighting: Array
    """``(P, R, L, 2)``: right, all"""
    steps: Array
    """``(P, T, K)``: right after each step, the runs' mean"""

    @classmethod
    def of(cls, predictions: Predictions) -> "PersonStatistics":
        """Sum predictions per person."""
        truth, told = predictions.truth, predictions.told
        names, person = np.unique(np.array(truth.persons, object), return_inverse=True)
        lights, light = np.unique(np.array(truth.lightings, object), return_inverse=True)
        runs, number = told.shape
        classes, people = len(EMOTIONS), len(names)
        run = np.repeat(np.arange(runs), number)
        who, label = np.tile(person, runs), np.tile(truth.labels, runs)
        answer = told.ravel()
        hit = (answer == label).astype(np.float64)

        confusion = np.zeros((people, runs, classes, classes + 1))
        np.add.at(confusion, (who, run, label, np.where(answer == MISSING, classes, answer)), 1)
        lighting = np.zeros((people, runs, len(lights), 2))
        np.add.at(lighting, (who, run, np.tile(light, runs)), np.stack([hit, np.ones_like(hit)], 1))

        there = answer != MISSING
        confidence = predictions.confidence.ravel()[there]
        bins = np.zeros((people, runs, BINS, 3))
        values = np.stack([np.ones_like(confidence), hit[there], confidence], 1)
        np.add.at(bins, (who[there], run[there], bin_index(confidence)), values)

        likelihood = np.zeros((people, runs, 2))
        if np.isfinite(predictions.probabilities[told != MISSING]).all():
            given = predictions.probabilities.reshape(-1, classes)[there, label[there]]
            values = np.stack([-np.log(np.maximum(given, SMALLEST)), np.ones_like(given)], 1)
            np.add.at(likelihood, (who[there], run[there]), values)

        length = 0 if predictions.steps is None else predictions.steps.shape[1]
        steps = np.zeros((people, length, classes))
        if predictions.steps is not None:
            right = (predictions.steps.argmax(-1) == truth.labels).mean(0)  # (T, N)
            np.add.at(steps.transpose(0, 2, 1), (person, truth.labels), right.T)
        return cls(tuple(names), tuple(lights), confusion, bins, likelihood, lighting, steps)

    def scores(self, weights: Array | None = None) -> Sums:
        """Work out every score for weights ``(B, P)``; for all persons once where left out."""
        if weights is None:
            weights = np.ones((1, len(self.persons)))

        def total(x: Array) -> Array:
            return (weights @ x.reshape(len(x), -1)).reshape(len(weights), *x.shape[1:])

        with np.errstate(invalid="ignore", divide="ignore"):
            confusion = total(self.confusion)  # (B, R, K, K + 1)
            occurring, told = confusion.sum(-1), confusion[..., :-1].sum(-2)
            hits = np.diagonal(confusion, axis1=-2, axis2=-1)
            recalls = hits / occurring
            f1 = np.where(occurring > 0, 2 * hits / (occurring + told), np.nan)
            answers, right, confidence = np.moveaxis(total(self.bins), -1, 0)
            nll, counted = np.moveaxis(total(self.nll), -1, 0)
            lit, all_lit = np.moveaxis(total(self.lighting), -1, 0)
            number = occurring[:, 0]  # (B, K), the same in every run
            steps = total(self.steps)  # (B, T, K)
            return Sums(
                war=hits.sum(-1) / occurring.sum(-1),
                uar=mean_of_present(recalls, -1),
                macro_f1=mean_of_present(f1, -1),
                ece=np.abs(right - confidence).sum(-1) / answers.sum(-1),
                nll=nll / counted,
                recalls=recalls.mean(1),
                lightings=(lit / all_lit).mean(1),
                steps_war=steps.sum(-1) / number.sum(-1, keepdims=True),
                steps_uar=mean_of_present(steps / number[:, None], -1),
            )


def bin_index(confidence: Array) -> NDArray[np.int64]:
    """Bin of each confidence in 0..1: the *m*-th holds those above ``m/15`` up to ``(m + 1)/15``, the first 0 too."""
    edges = np.arange(BINS + 1) / BINS
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
