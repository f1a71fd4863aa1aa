"""Clips on their way to a network: in which order, cut where, and as bytes until they are on the device.

A batch of bytes has the keys and axes of :mod:`snnkd.datasets.sample`, with uint8 ``events`` (T, B, 2, H, W), counts up
to 255, and uint8 ``frames`` (T, B, 1, H, W), 0 to 255: a quarter of what workers would have to hand over and a bus to
carry. Clips that were drawn come with their ``seeds`` (B,), too. :func:`as_floats` makes of it the batch that networks
take.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from snnkd.datasets import EyeDataset
from snnkd.training._clip_work import uniforms
from snnkd.training.augmentation import Augmentation

Batch = dict[str, Tensor]


class EpochShuffle(Sampler[tuple[int, int]]):
    """A random order, and a seed for each clip, out of the run's seed and the epoch alone.

    Yields ``(index, seed)`` for :class:`ByteClips`: a resumed training repeats what the uninterrupted one draws,
    whichever process reads the clip. Lightning calls ``set_epoch`` before each epoch.

    With ``views`` each clip has that many seeds, of which an epoch draws one; else it has another one in every epoch.
    """

    def __init__(self, length: int, epoch: int = 0, views: int | None = None) -> None:
        self.length = length
        self.views = views
        self.seed = torch.initial_seed()
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) % 2**63)
        order = torch.randperm(self.length, generator=generator).tolist()
        seeds = torch.randint(2**62, (self.length,), generator=generator)
        if self.views is not None:
            # The clips' own seeds, one row a view, are the same in every epoch; the epoch draws the view.
            own = torch.Generator().manual_seed(self.seed)
            each = torch.randint(2**62, (self.views, self.length), generator=own)
            seeds = each[seeds % self.views, torch.arange(self.length)][order]
        return iter(zip(order, seeds.tolist(), strict=True))

    def __len__(self) -> int:
        return self.length


class ByteClips(Dataset[Batch]):
    """A dataset whose batches are read in one piece, as bytes; give :func:`whole` to its loader as ``collate_fn``.

    An index is asked for as it is, or as ``(index, seed)``, of which the clip's start and augmentation are drawn.
    """

    def __init__(self, dataset: EyeDataset, augmentation: Augmentation | None = None) -> None:
        self.dataset = dataset
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Batch:
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[Any]) -> Batch:
        """Read the clips of a batch, all of them with seeds or none."""
        sequences = self.dataset.sequences
        seeds: list[int] | None = None
        if isinstance(keys[0], tuple):
            indices, seeds = [index for index, _ in keys], [seed for _, seed in keys]
            events, frames = self._drawn(indices, np.array(seeds, np.uint64))
        else:
            indices = list(keys)
            windows = np.stack([self.dataset.clip_windows(sequences[i].length) for i in indices])
            events, frames = self.dataset.clips(indices, windows)
        return {
            "events": torch.from_numpy(events),
            "frames": torch.from_numpy(frames).unsqueeze(2),
            "labels": torch.tensor([sequences[i].label for i in indices]),
            "index": torch.tensor(indices),
            **({} if seeds is None else {"seeds": torch.tensor(seeds)}),
        }

    def _drawn(self, indices: list[int], seeds: Any) -> tuple[Any, Any]:
        dataset, augmentation = self.dataset, self.augmentation
        places = uniforms(seeds, "start", 1)[:, 0]
        if augmentation is not None and augmentation.time_scale is not None and dataset.start == "random":
            read = augmentation.time_scale.read(dataset, indices, places, seeds)
        else:
            lengths = [dataset.sequences[i].length for i in indices]
            windows = [dataset.clip_windows(length, float(x)) for length, x in zip(lengths, places, strict=True)]
            read = dataset.clips(indices, np.stack(windows))
        if augmentation is None:
            return read
        return augmentation.apply(*read, seeds, dataset.window_us, dataset.stride)


def whole(batch: Any) -> Any:
    """The batch as it is: there is nothing left to collate."""
    return batch


def as_floats(batch: Batch) -> Batch:
    """The batch with float32 counts, and frames in ``[0, 1]``; one that has them already is left as it is."""
    if batch["events"].dtype != torch.uint8:
        return batch
    return {**batch, "events": _divided(batch["events"], 1), "frames": _divided(batch["frames"], 255)}


def _divided(values: Tensor, by: int) -> Tensor:
    if values.device.type != "cpu":
        return values.float().div_(by)
    # One thread: it is at the memory's speed, and torch's would wait for each other while workers have the cores.
    from snnkd.training._augmentation_kernel import divide

    floats = torch.empty(values.shape)
    divide(values.contiguous().view(-1).numpy(), by, floats.view(-1).numpy())
    return floats
