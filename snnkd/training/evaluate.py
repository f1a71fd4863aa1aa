"""Scoring a network over a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchmetrics.functional.classification import multiclass_confusion_matrix

from snnkd.datasets import EyeDataset, collate
from snnkd.errors import DatasetError
from snnkd.models import EyeNetwork, predict
from snnkd.terminal import as_text, plain_table


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

    def table(self, emotions: Sequence[str], width: int = 110) -> str:
        """Return scores and confusion for the terminal: a row per true emotion, a column per told one."""
        table = plain_table(f"WAR {self.war:.1%}, UAR {self.uar:.1%} over {int(self.confusion.sum())} clips")
        table.add_column("true \\ told")
        for emotion in emotions:
            table.add_column(emotion, justify="right")
        table.add_column("recall", justify="right")
        for emotion, row, recall in zip(emotions, self.confusion.tolist(), self.recalls, strict=True):
            table.add_row(emotion, *(str(n) if n else "·" for n in row), "–" if recall is None else f"{recall:.0%}")
        return as_text(table, width=width)


def refuse_known_persons(trained: dict[str, Any], dataset: EyeDataset, said: str, remedy: str) -> None:
    """Raise :class:`~snnkd.errors.DatasetError` where a network would be scored on persons that trained it.

    ``trained`` is the ``input`` of a model's ``config.json``. Nothing is known, and nothing refused, of a model trained
    on another population. SEE's official split shares persons by design: there the split itself must be the same.
    """
    if trained.get("population") != dataset.population:
        return
    if dataset.split_config.get("split") == "official":
        if trained.get("split") != dataset.split_config:
            raise DatasetError(f"{said} another split than the official one and may know its test set: choose {remedy}")
        return
    known = sorted(set(trained.get("training_persons", ())) & set(dataset.persons))
    if known:
        raise DatasetError(f"{said} {len(known)} of the persons in this subset ({known[0]}, …): choose {remedy}")


def evaluate(network: EyeNetwork, dataset: Dataset, batch_size: int = 32) -> Evaluation:
    """Run ``network`` over every clip of ``dataset`` once and score it."""
    training = network.training
    network.eval()
    predicted, labels = [], []
    try:
        with torch.inference_mode():
            for batch in DataLoader(dataset, batch_size, collate_fn=collate):
                predicted.append(predict(network(batch[network.modality])).argmax(-1))
                labels.append(batch["labels"])
    finally:
        network.train(training)
    if not labels:
        raise ValueError("the dataset is empty: nothing to score")
    return Evaluation(multiclass_confusion_matrix(torch.cat(predicted), torch.cat(labels), network.classes))
