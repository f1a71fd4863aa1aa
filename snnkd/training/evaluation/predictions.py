"""What was told of which sequences: the one form that is scored, whether a network or a file said it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets import EMOTIONS, EyeDataset
from snnkd.datasets.see_layout import SequenceName
from snnkd.errors import DatasetError

MISSING = -1
"""In :attr:`Predictions.told`: nothing was told of the sequence."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of the sequences: ``names`` each once, and of each its person, label and lighting."""

    names: tuple[str, ...]
    persons: tuple[str, ...]
    labels: NDArray[np.int64]
    """``(N,)`` indices into :data:`snnkd.datasets.EMOTIONS`"""
    lightings: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            name = next(name for name in self.names if self.names.count(name) > 1)
            raise DatasetError(f"two sequences are named {name!r}: their answers could not be told apart; rename one")

    @classmethod
    def of(cls, dataset: EyeDataset) -> "Truth":
        """Read it off a dataset. Raises :class:`~snnkd.errors.DatasetError` for recordings without a label."""
        sequences = dataset.sequences
        unlabelled = [s.name for s in sequences if s.label < 0]
        if unlabelled:
            raise DatasetError(
                f"{dataset.root}: {len(unlabelled)} of {len(sequences)} sequences have no label ({unlabelled[0]}, …): "
                "only labelled ones can be scored"
            )
        return cls(
            tuple(s.name for s in sequences),
            tuple(s.person for s in sequences),
            np.array([s.label for s in sequences], np.int64),
            tuple(s.lighting for s in sequences),
        )

    @classmethod
    def from_names(cls, names: Iterable[str]) -> "Truth":
        """Read it off names of SEE's form, in their order. Raises as
        :meth:`snnkd.datasets.see_layout.SequenceName.parse` does, for an unknown emotion or lighting too.
        """
        parsed = {name: SequenceName.parse(name) for name in names}
        return cls(
            tuple(parsed),
            tuple(part.person for part in parsed.values()),
            np.array([EMOTIONS.index(part.emotion) for part in parsed.values()], np.int64),
            tuple(part.lighting for part in parsed.values()),
        )

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Predictions:
    """*R* runs over *N* sequences, *K* emotions."""

    truth: Truth
    told: NDArray[np.int64]
    """``(R, N)``: the emotion told, :data:`MISSING` where none was"""
    probabilities: NDArray[np.float64]
    """``(R, N, K)``: NaN where not known, as beside a file's first answer"""
    ties: int = 0
    """Answers in which two emotions shared the highest score"""
    steps: NDArray[np.float32] | None = None
    """``(R, T, N, K)``: the logits that the prediction is read from after time steps 1..t; ``None`` from a file"""

    @property
    def runs(self) -> int:
        """How many times the sequences were gone through."""
        return len(self.told)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """``(R, N)`` the probability of what was told, NaN where nothing was."""
        told = np.where(self.told == MISSING, 0, self.told)
        given = np.take_along_axis(self.probabilities, told[..., None], -1)[..., 0]
        return np.where(self.told == MISSING, np.nan, given)

    @classmethod
    def from_steps(cls, truth: Truth, steps: NDArray[np.float32]) -> "Predictions":
        """Read the answers off logits ``(R, T, N, K)``: the largest after the last step, the first of equal ones."""
        last = steps[:, -1].astype(np.float64)
        shifted = last - last.max(-1, keepdims=True)
        probabilities = np.exp(shifted)
        probabilities /= probabilities.sum(-1, keepdims=True)
        ties = int(((shifted == 0).sum(-1) > 1).sum())
        return cls(truth, last.argmax(-1), probabilities, ties, steps)
