"""``ClipCache``: the windows of whole sequences, read once, mapped into memory, and cut into clips from there.

A cache belongs to one dataset (by where it lies) and one ``reading()`` of it, and lies in
``<folder>/<dataset>-<digest>/<kind>-<W>x<H>-<window>us-<digest>/``. Subsets, folds and clips of any length, stride and
start share it. What is promised:

- A clip is the one that the source files give: :mod:`snnkd.datasets.cache_keys` says how a changed file or setting is
  told, at each opening. A sequence whose file changed is read anew, and the others stay.
- An opened cache is whole: the CRC-32 of every sequence that the dataset has is compared at the opening, which also
  brings the file into memory. What was cut or changed is named in a warning, and made anew.
- Any number of processes may open one cache at once. One builds, and the others wait for it and take what it made; if
  it dies, one of them goes on from what is there (:mod:`snnkd.datasets.cache_store`).
- Where it cannot be written, as on a full disk, nothing half is left, and the error says so.

Forked and spawned workers of a data loader share the mapped pages.
"""

import mmap
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets import cache_store
from snnkd.datasets.cache_blob import gather_clips, places
from snnkd.datasets.cache_keys import Signature, folder_name, reading_key, sign
from snnkd.datasets.cache_reading import Reader, read_all
from snnkd.datasets.cache_store import Damaged, Index, Writer, locked, read_index
from snnkd.datasets.checks import check_integers
from snnkd.datasets.sample import EyeDataset, Windows
from snnkd.errors import DatasetError, SnnkdError, warn
from snnkd.events._threads import run, threads

Progress = Callable[[int, int | None], None]


class ClipCache:
    """The cached windows of a dataset's sequences, by their position in ``dataset.sequences``.

    Args:
        folder: where caches lie; see this module's docstring. Made if it is not there.
        dataset: whose windows are wanted. What is missing or damaged is read and added now.
        workers: processes that read; with 0 or 1 this one does.
        progress: called as ``progress(done, total)`` in sequences while something is read.

    Raises :class:`DatasetError` where the cache cannot be written, and what ``dataset.read`` raises.
    """

    def __init__(
        self, folder: str | os.PathLike[str], dataset: EyeDataset, *, workers: int = 2, progress: Progress | None = None
    ) -> None:
        check_integers(0, workers=workers)
        self._reading = reading_key(dataset)
        self.folder = cache_folder(folder, dataset)
        self.input_size = dataset.input_size
        index, keys = self._open(dataset, workers, progress)
        self._path, self._end = self.folder / index.data, index.end
        entries = [index.entries[key] for key in keys]
        pixels = self.input_size[0] * self.input_size[1]
        self._rows = np.array([places(entry, pixels) for entry in entries], np.int64).reshape(-1, 4)
        self._lengths = np.array([entry.windows for entry in entries], np.int64)
        self._data = _map(self._path)

    def gather(self, indices: Iterable[int], windows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Clips of the sequences ``indices`` (B,), one row of ``windows`` (B, T) each, time-major.

        Returns counts ``(T, B, 2, H, W)`` and frames ``(T, B, H, W)``, uint8; ``IndexError`` for a window or sequence
        that is not there.
        """
        chosen = np.fromiter(indices, np.int64)
        wanted = np.ascontiguousarray(windows.T)
        if len(chosen) != wanted.shape[1]:
            raise ValueError(f"{len(chosen)} sequences need as many rows of windows, got {wanted.shape[1]}")
        if wanted.size and ((wanted < 0) | (wanted >= self._lengths[chosen])).any():
            raise IndexError(f"windows reach from {wanted.min()} to {wanted.max()}, beyond their sequences")
        return gather_clips(self._data, self._rows[chosen], wanted, self.input_size)

    def read(self, index: int, windows: NDArray[np.int64]) -> Windows:
        """Windows ``(N,)`` of one sequence, as ``dataset.read`` gives them."""
        events, frames = self.gather([index], np.asarray(windows, np.int64)[None])
        return Windows(events[:, 0], frames[:, 0])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_data": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._data = _map(self._path)

    def _open(self, dataset: EyeDataset, workers: int, progress: Progress | None) -> tuple[Index, list[str]]:
        """The index and the key of each sequence in it, all of them whole."""
        signatures = [sign(dataset, i, self._reading) for i in range(len(dataset))]
        try:
            index = self._load()
            keys = _known(index, signatures)
            whole = _whole(self.folder, index, keys)
            if all(key in whole for key in keys):
                return index, [key for key in keys if key is not None]
            with locked(self.folder, partial(_tell_wait, self.folder)) as lock:
                return self._build(dataset, signatures, lock, workers, progress)
        except OSError as error:
            reason = error.strerror or error
            raise DatasetError(
                f"{self.folder}: cannot write the clip cache: {reason}; free space, give another folder, or none"
            ) from error

    def _load(self) -> Index:
        """The index; a new one where there is none, and with a warning where there is one that is damaged."""
        try:
            return read_index(self.folder) or Index()
        except Damaged as error:
            warn(f"{self.folder / cache_store.INDEX}: {error}; the cache is made anew")
            return Index()

    def _build(
        self, dataset: EyeDataset, signatures: list[Signature], lock: int, workers: int, progress: Progress | None
    ) -> tuple[Index, list[str]]:
        """Add what is not there, or not whole; this process holds the lock."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said when it was read without the lock
            index = self._load()
        cache_store.sweep(self.folder, index.data)
        keys = _known(index, signatures)
        whole = _whole(self.folder, index, keys)
        broken = {key for key in keys if key is not None and key not in whole}
        missing = [i for i, key in enumerate(keys) if key not in whole]
        self._tell_broken(index, broken)
        index.drop(broken)
        cache_store.describe(self.folder, dataset)
        writer = Writer(self.folder, index)
        total, done = len(missing), 0
        try:
            while missing:
                again = []
                reader = Reader(dataset, missing, self._reading, frozenset(index.entries))
                for read in read_all(reader, min(workers, len(missing) // 4), lock):
                    if isinstance(read, SnnkdError):
                        raise read
                    for message in read.warnings:
                        warn(message)
                    if read.blob is not None:
                        name = dataset.sequences[read.sequence].name
                        writer.append(read.key, name, read.blob, read.windows, read.images)
                    elif read.key not in _whole(self.folder, index, [read.key]):
                        self._tell_broken(index, {read.key})
                        index.drop({read.key})
                        again.append(read.sequence)
                        continue
                    if read.signature.firm:
                        writer.see(read.signature.digest, read.key)
                    keys[read.sequence] = read.key
                    done += 1
                    if progress:
                        progress(done, total)
                missing = again
            writer.save()
        except BaseException:
            writer.stop()  # what was read before a damaged file, a full disk or Ctrl-C stays
            raise
        finally:
            writer.close()
        return index, [key for key in keys if key is not None]

    def _tell_broken(self, index: Index, keys: set[str]) -> None:
        if keys:
            names = sorted(index.entries[key].name for key in keys)
            warn(
                f"{self.folder / index.data}: was cut or changed at {len(keys)} of {len(index.entries)} sequences, "
                f"{names[0]!r} first; they are read anew"
            )


def _known(index: Index, signatures: list[Signature]) -> list[str | None]:
    """Key of each signature, None where it is not known or cannot be relied on."""
    keys = [index.seen.get(signature.digest) if signature.firm else None for signature in signatures]
    return [key if key in index.entries else None for key in keys]


def _whole(folder: Path, index: Index, keys: list[str | None]) -> set[str]:
    """Those of ``keys`` whose bytes are there and have their checksum."""
    wanted = sorted({key for key in keys if key is not None}, key=lambda key: index.entries[key].at)
    try:
        data = _map(folder / index.data)
    except (DatasetError, ValueError):  # an empty file cannot be mapped
        return set()

    def check(part: list[str]) -> set[str]:
        found = set()
        for key in part:
            entry = index.entries[key]
            blob = data[entry.at : entry.at + entry.size]
            if len(blob) == entry.size and zlib.crc32(blob.data) == entry.crc:
                found.add(key)
        return found

    size = -(-len(wanted) // 64) or 1
    parts = [wanted[i : i + size] for i in range(0, len(wanted), size)]
    return set().union(*run([partial(check, part) for part in parts], threads()))


def _map(path: Path) -> NDArray[np.uint8]:
    try:
        with open(path, "rb") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except OSError as error:
        raise DatasetError(
            f"{path}: the clip cache was removed, or cannot be read: {error.strerror or error}; start again"
        ) from error


def _tell_wait(folder: Path) -> None:
    print(f"{folder}: another process is building this cache; waiting for it …", file=sys.stderr)


def cache_folder(folder: str | os.PathLike[str], dataset: EyeDataset) -> Path:
    """Where the cache of a dataset and its reading lies below ``folder``."""
    width, height = dataset.input_size
    name = f"{type(dataset).__name__}-{width}x{height}-{dataset.window_us}us-{reading_key(dataset)[:8]}"
    return Path(folder) / folder_name(dataset.root) / name
