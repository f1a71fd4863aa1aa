r"""From windows to segments: a label that stays until another is clearly more probable, and lasts for a while.

With probabilities :math:`p_k[t]` and the label :math:`y[t-1]` that was told before,

.. math::

    y[t] = \begin{cases}
        \arg\max_k p_k[t] & \max_k p_k[t] \ge p_{y[t-1]}[t] + m \\
        y[t-1] & \text{otherwise}
    \end{cases}

(hysteresis with margin *m*). Then segments shorter than a minimum are given to the neighbour that finds them more
probable, the shortest first. Where no label is at least as probable as ``abstain`` asks, none is told.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ConfigError

UNSURE = "unsure"
"""What is told where nothing is probable enough"""


@dataclass(frozen=True)
class Smoothing:
    """How windows become segments; the default tells the most probable emotion of each window as it is.

    Args:
        margin: by how much another label must be more probable to be told instead, 0 to 1.
        minimum_us: no segment is shorter; 0 for any length.
        abstain: least probability of what is told, 0 to 1.
    """

    margin: float = 0.0
    minimum_us: int = 0
    abstain: float = 0.0

    def __post_init__(self) -> None:
        for name in ("margin", "abstain"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"smoothing: {name} must be from 0 to 1, got {getattr(self, name)}")
        if self.minimum_us < 0:
            raise ConfigError(f"smoothing: minimum_us must be zero or above, got {self.minimum_us}")

    def told(self, probabilities: NDArray[np.float64], step_us: int) -> NDArray[np.int64]:
        """Return the place of the label of each window ``(N,)``, -1 where none is told.

        Args:
            probabilities: ``(N, K)``.
            step_us: from one window to the next.
        """
        labels = self._held(probabilities)
        if self.minimum_us > step_us and len(labels):
            labels = _without_short(labels, probabilities, -(-self.minimum_us // step_us))
        if self.abstain > 0 and len(labels):
            chosen = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
            labels = np.where(chosen < self.abstain, -1, labels)
        return labels

    def _held(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        best = probabilities.argmax(1)
        if self.margin == 0:
            return best
        held = best.copy()
        for t in range(1, len(best)):
            before = held[t - 1]
            if probabilities[t, best[t]] < probabilities[t, before] + self.margin:
                held[t] = before
        return held


def _without_short(labels: NDArray[np.int64], probabilities: NDArray[np.float64], minimum: int) -> NDArray[np.int64]:
    """Give runs of fewer than ``minimum`` windows to a neighbour, the shortest first, until none is left."""
    sums = np.vstack([np.zeros(probabilities.shape[1]), probabilities.cumsum(0)])
    starts = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1])
    runs = labels[starts]
    while len(starts) > 1:
        ends = np.append(starts[1:], len(labels))
        place = int((ends - starts).argmin())
        if ends[place] - starts[place] >= minimum:
            break
        weight = sums[ends[place]] - sums[starts[place]]
        neighbours = [n for n in (place - 1, place + 1) if 0 <= n < len(starts)]
        runs[place] = runs[max(neighbours, key=lambda n: weight[runs[n]])]
        kept = np.concatenate([[True], runs[1:] != runs[:-1]])
        starts, runs = starts[kept], runs[kept]
    return np.repeat(runs, np.diff(np.append(starts, len(labels))))
