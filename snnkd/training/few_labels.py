"""Trainings with few labels."""

from dataclasses import dataclass, replace

import torch

from snnkd.datasets import EMOTIONS, EyeDataset


@dataclass(frozen=True)
class LabelShare:
    """A share of a dataset's labels, the same of every emotion, drawn from a seed.

    Of *n* sequences of an emotion, the rounded share keeps its label, but no fewer than one. A smaller share is a
    part of every larger one of the same seed.
    """

    share: float
    seed: int

    def labelled(self, dataset: EyeDataset) -> set[int]:
        """Return the places of the sequences whose labels may be used."""
        generator = torch.Generator().manual_seed(self.seed)
        kept: set[int] = set()
        for label in range(len(EMOTIONS)):
            places = [i for i, sequence in enumerate(dataset.sequences) if sequence.label == label]
            order = torch.randperm(len(places), generator=generator).tolist()
            number = max(1, round(self.share * len(places))) if places else 0
            kept |= {places[i] for i in order[:number]}
        return kept

    def apply(self, dataset: EyeDataset, keep: bool) -> None:
        """Take the other labels off a dataset that was just opened; ``keep`` keeps their sequences, else they go."""
        known = self.labelled(dataset)
        dataset.sequences = [
            sequence if i in known else replace(sequence, emotion=None)
            for i, sequence in enumerate(dataset.sequences)
            if keep or i in known
        ]
