"""Intervals by a cluster bootstrap over persons (Davison and Hinkley, Bootstrap Methods and their Application, 1997).

Sequences of one person are no independent draws: who is read badly once is read badly again. What is resampled is
therefore persons: a replicate draws as many as there are, with replacement, and takes all sequences of each as often as
the person was drawn. A replicate is a vector of *weights*, how often each person was drawn, so every score that can be
worked out from sums over persons needs one matrix product for all replicates.

The limits are the 2.5 and 97.5 % quantiles over the replicates in which the score exists. They tell of other persons
from the same population, not of other trainings, and with few persons they are too narrow. Simulated (3,000 sets of
persons with 7 emotions, 2 takes each, who differ by 0.8 in the logit of being read right), the interval of the UAR held
the true one in 84 % of the sets of 5 persons, 90 % of 10, 93 % of 20 and 94 % of 60. A bootstrap over sequences, as if
they were independent, held the WAR in 78 to 80 %, however many persons there were.

A score that grows where there is less data, as the calibration error does (noise in a bin is a gap), is larger still in
a resample, and its quantiles miss the truth: of a true 6.2 % in 99 % of the sets of 10 persons, 73 % of 20, 17 % of 60.
For it the limits are those of the basic bootstrap, :math:`2 c - q_{97.5}` and :math:`2 c - q_{2.5}` of a score *c*, no
less than 0. They held it in 88 %, 89 % and 87 % of the sets, and may lie wholly below the score itself.
"""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REPLICATES = 2_000
CONFIDENCE = 0.95
FEW_PERSONS = 20
"""Below so many, intervals are noticeably too narrow"""


class Estimate(NamedTuple):
    """A score and its interval; ``None`` where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


def person_weights(persons: int, replicates: int = REPLICATES, seed: int = 0) -> NDArray[np.float64]:
    """How often each person was drawn in each replicate, ``(replicates, persons)``; rows sum to ``persons``."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(persons, np.full(persons, 1 / persons), size=replicates).astype(np.float64)


def estimate(value: float, replicates: NDArray[np.float64], *, basic: bool = False) -> Estimate:
    """Put a score and its replicates ``(B,)`` together: NaN marks where it does not exist.

    There is no interval where all replicates are alike, as where a score rests on one person, or everybody was read
    right: one without width would say that nobody else can differ.
    ``basic`` takes the basic bootstrap's limits in place of the quantiles.
    """
    if np.isnan(value):
        return Estimate(None)
    if not np.nanmax(replicates, initial=-np.inf) - np.nanmin(replicates, initial=np.inf) > 1e-12:
        return Estimate(float(value))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(replicates, [tail, 100 - tail])
    if basic:
        low, high = max(0.0, 2 * value - high), max(0.0, 2 * value - low)
    return Estimate(float(value), float(low), float(high))


def mean_of_present(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Mean over ``axis`` of what is not NaN; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "mean of empty slice": NaN is what is wanted
        mean: NDArray[np.float64] = np.nanmean(values, axis)
    return mean
