"""What a confusion matrix tells: WAR, UAR and recalls. Light enough to be worked out after every epoch.

With :math:`c_{ij}` sequences of emotion *i* told to be *j*,

.. math::

    \\mathrm{WAR} = \\frac{\\sum_i c_{ii}}{\\sum_{ij} c_{ij}}, \\qquad
    r_i = \\frac{c_{ii}}{\\sum_j c_{ij}}, \\qquad
    \\mathrm{UAR} = \\operatorname{mean}_{i \\text{ that occur}} r_i .
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Evaluation:
    """Scores over all sequences of a set.

    ``confusion[i, j]`` counts sequences of emotion *i* told to be *j*. WAR is the share of the right ones; UAR the
    mean over emotions that occur of :math:`c_{ii} / \\sum_j c_{ij}`.
    """

    confusion: Tensor

    @property
    def war(self) -> float:
        """Weighted average recall: accuracy over all sequences."""
        return float(self.confusion.diagonal().sum() / self.confusion.sum())

    @property
    def recalls(self) -> list[float | None]:
        """Recall per emotion, ``None`` for one that does not occur."""
        totals = self.confusion.sum(1)
        return [
            float(hit / total) if total else None for hit, total in zip(self.confusion.diagonal(), totals, strict=True)
        ]

    @property
    def uar(self) -> float:
        """Unweighted average recall."""
        present = [recall for recall in self.recalls if recall is not None]
        return sum(present) / len(present)
