"""When which kind of teaching counts: weights that change with the progress of the training."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from snnkd.errors import ConfigError

Kind = Literal["features", "logits", "labels"]
KINDS: tuple[Kind, ...] = ("features", "logits", "labels")
Points = Sequence[Sequence[float]]


def _synergistic() -> dict[str, list[list[float]]]:
    return {
        "features": [[0.0, 1.0], [0.6, 1.0], [0.8, 0.0]],
        "logits": [[0.0, 0.0], [0.1, 1.0], [0.8, 1.0], [1.0, 0.25]],
        "labels": [[0.0, 0.0], [0.1, 0.25], [0.6, 0.5], [0.8, 1.0]],
    }


@dataclass(frozen=True)
class Curriculum:
    r"""Factors on the weights of the features', the logits' and the labels' terms.

    Each is a piecewise linear function of the progress :math:`p \in [0, 1]`, given as points ``[progress, factor]`` in
    order; before the first point and after the last one it is constant. Left out, a kind counts fully all the time.
    The default imitates features first, then features together with logits, then practises on labels.

    Args:
        features, logits, labels: points of each kind.

    Raises:
        ConfigError: points out of order or out of range, or a moment at which nothing counts at all.
    """

    features: list[list[float]] = field(default_factory=lambda: _synergistic()["features"])
    logits: list[list[float]] = field(default_factory=lambda: _synergistic()["logits"])
    labels: list[list[float]] = field(default_factory=lambda: _synergistic()["labels"])

    def __post_init__(self) -> None:
        for kind in KINDS:
            points = getattr(self, kind)
            if any(len(point) != 2 for point in points):
                raise ConfigError(f"curriculum.{kind}: each point is [progress, factor], got {points}")
            places = [float(place) for place, _ in points]
            if places != sorted(set(places)) or not all(0 <= place <= 1 for place in places):
                raise ConfigError(f"curriculum.{kind}: progress must rise from 0 to 1 at most, got {places}")
            if not all(0 <= factor < math.inf for _, factor in points):
                raise ConfigError(f"curriculum.{kind}: factors must be zero or above, got {points}")
        # Sums of piecewise linear functions are zero somewhere only where they are at one of the points.
        for place in sorted({0.0, 1.0, *(float(p) for kind in KINDS for p, _ in getattr(self, kind))}):
            if not any(self.factor(kind, place) for kind in KINDS):
                raise ConfigError(f"curriculum: nothing counts at progress {place:g}: all three factors are zero there")

    def factor(self, kind: Kind, progress: float) -> float:
        """Return the factor of a kind of term after a share ``progress`` of the training."""
        points: Points = getattr(self, kind)
        if not points:
            return 1.0
        if progress <= points[0][0]:
            return float(points[0][1])
        for (left, below), (right, above) in itertools.pairwise(points):
            if progress < right:
                return float(below + (above - below) * (progress - left) / (right - left))
        return float(points[-1][1])
