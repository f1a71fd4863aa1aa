"""Running a network over a dataset's sequences."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from snnkd.datasets import EyeDataset, collate
from snnkd.errors import ModelError, NotFiniteError
from snnkd.models import EyeNetwork, predict
from snnkd.training.evaluation.clips import STARTS, clip_starts
from snnkd.training.evaluation.confusion import Evaluation
from snnkd.training.evaluation.predictions import Predictions, Truth

Progress = Callable[[int, int | None], None]


def evaluate(network: EyeNetwork, dataset: EyeDataset, batch_size: int = 32) -> Evaluation:
    """Run ``network`` over every clip of ``dataset`` once, each as the dataset cuts it, and score it."""
    dataset.check_modality(network.modality)
    predicted, labels = [], []
    with _inference(network):
        for batch in DataLoader(dataset, batch_size, collate_fn=collate):
            predicted.append(predict(network(network.take(batch))).argmax(-1))
            labels.append(batch["labels"])
    if not labels:
        raise ValueError("the dataset is empty: nothing to score")
    place = torch.cat(labels) * network.classes + torch.cat(predicted).cpu()
    return Evaluation(torch.bincount(place, minlength=network.classes**2).unflatten(0, (network.classes, -1)))


def run(
    network: EyeNetwork,
    dataset: EyeDataset,
    protocol: str = "whole",
    *,
    starts: int = STARTS,
    seed: int = 0,
    batch_size: int = 32,
    workers: int = 0,
    progress: Progress | None = None,
) -> Predictions:
    """Run ``network`` over the clips of every sequence by ``protocol`` (:mod:`snnkd.training.evaluation.clips`).

    After each step *t* the prediction is read from the clip's logits of steps 1..t by :func:`snnkd.models.predict`;
    that of a sequence is the mean over its clips. ``progress`` is called with the sequences done and their number.

    Raises :class:`~snnkd.errors.ModelError` for a network that gives NaN or infinite logits, and
    :class:`~snnkd.errors.DatasetError` for recordings without a label, without the frames that the network sees, or
    that cannot be read.
    """
    dataset.check_modality(network.modality)
    truth = Truth.of(dataset)
    plan = [
        clip_starts(protocol, s.name, s.length, dataset.steps, dataset.stride, runs=starts, seed=seed)
        for s in dataset.sequences
    ]
    clips = _Clips(dataset, plan, network.take)
    loader = DataLoader(clips, batch_size=None, num_workers=workers)
    parts: list[list[Tensor]] = [[] for _ in plan]
    waiting: list[tuple[int, Tensor]] = []
    device = next(network.parameters()).device

    def flush() -> None:
        x = torch.stack([clip for _, clip in waiting], dim=1).to(device)  # (T, B, C, H, W)
        try:
            logits = network(x).float()
            finite = bool(logits.isfinite().all())
        except NotFiniteError:
            finite = False
        if not finite:
            names = sorted({truth.names[index] for index, _ in waiting})
            where = names[0] if len(names) == 1 else f"one of {names[0]} to {names[-1]}"
            raise ModelError(f"the network gives NaN or infinite logits, for {where}: train it again")
        read = torch.stack([predict(logits[: t + 1]) for t in range(len(logits))]).cpu()
        for column, (index, _) in enumerate(waiting):
            parts[index].append(read[:, column])
        waiting.clear()

    with _inference(network):
        for index, (x, positions) in enumerate(loader):
            for position in positions:
                waiting.append((index, x[position]))
                if len(waiting) == batch_size:
                    flush()
            if progress is not None:
                progress(index + 1, len(plan))
        if waiting:
            flush()
    # (R·C, T, K) of a sequence, the mean over its C clips
    steps = [torch.stack(part).unflatten(0, begin.shape).mean(1) for part, begin in zip(parts, plan, strict=True)]
    logits: NDArray[np.float32] = torch.stack(steps, dim=2).numpy()  # (R, T, N, K)
    return Predictions.from_steps(truth, logits)


class _Clips(Dataset[tuple[Tensor, NDArray[np.int64]]]):
    """Each sequence's windows, read once, and which of them are the steps of each of its clips."""

    def __init__(self, dataset: EyeDataset, plan: list[NDArray[np.int64]], take: Callable[[Any], Tensor]) -> None:
        self.dataset, self.plan, self.take = dataset, plan, take

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> tuple[Tensor, NDArray[np.int64]]:
        steps = self.dataset.stride * np.arange(self.dataset.steps)
        windows = self.plan[index].reshape(-1, 1) + steps
        needed, positions = np.unique(windows, return_inverse=True)
        return self.take(self.dataset.clip(index, needed)), positions.reshape(windows.shape)


@contextmanager
def _inference(network: EyeNetwork) -> Iterator[None]:
    """Evaluation mode without gradients; the network is left in the mode it was in."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(training)
