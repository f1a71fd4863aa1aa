"""Reading the sequences that a clip cache lacks, in processes of their own."""

import copy
import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from snnkd.datasets.cache_blob import encode_windows
from snnkd.datasets.cache_keys import Signature, content_key, sign
from snnkd.datasets.sample import EyeDataset
from snnkd.errors import DatasetError, SnnkdError


class Read(NamedTuple):
    """What became of one sequence; ``blob`` is None where the cache has its content already."""

    sequence: int
    signature: Signature
    key: str
    blob: bytes | None
    windows: int
    images: int
    warnings: list[str]


class Reader(Dataset["Read | SnnkdError"]):
    """Reads and encodes the sequences ``missing``, in a worker of torch's."""

    def __init__(self, dataset: EyeDataset, missing: list[int], reading: str, known: frozenset[str]) -> None:
        self.dataset = copy.copy(dataset)  # by __getstate__: without what a dataset keeps in memory of files
        self.missing, self.reading, self.known = missing, reading, known

    def __len__(self) -> int:
        return len(self.missing)

    def __getitem__(self, position: int) -> "Read | SnnkdError":
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                read = self._read(self.missing[position])
            except SnnkdError as error:  # torch would wrap it into a traceback of many lines
                return error
            except OSError as error:
                return DatasetError(f"{error.filename or self.dataset.root}: cannot be read: {error.strerror or error}")
        return read._replace(warnings=[str(warning.message) for warning in caught])

    def _read(self, index: int) -> Read:
        sequence = self.dataset.sequences[index]
        for _ in range(3):
            before = sign(self.dataset, index, self.reading)
            key = content_key(self.dataset, index, self.reading)
            blob, images = None, 0
            if key not in self.known:
                blob, images = encode_windows(self.dataset.read(index, np.arange(sequence.length)))
            if sign(self.dataset, index, self.reading).digest == before.digest:
                return Read(index, before, key, blob, sequence.length, images, [])
        raise DatasetError(
            f"{self.dataset.sources(index)[0]}: changes while it is read; wait until it is written, then start again"
        )


def read_all(reader: Reader, workers: int, lock: int) -> Iterator[Any]:
    """What ``reader`` gives for each of its sequences, in order."""
    if workers <= 1:
        yield from (reader[position] for position in range(len(reader)))
        return
    forks = sys.platform.startswith("linux") and "fork" in multiprocessing.get_all_start_methods()
    yield from DataLoader(
        reader,
        batch_size=None,
        num_workers=workers,
        # Of its own: a loader draws a seed for its workers, and a cold cache must not move what a training draws next.
        generator=torch.Generator(),
        multiprocessing_context="fork" if forks else "spawn",
        # The lock ends with this process, also where a child outlives it for a moment.
        worker_init_fn=partial(_close, lock) if forks else None,
    )


def _close(handle: int, _: int) -> None:
    os.close(handle)
