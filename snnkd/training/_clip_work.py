"""Random numbers by clip, and kernels shared out by clip: what the augmentation of batches stands on."""

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events._threads import run, threads

Seeds = NDArray[np.uint64]
GOLDEN = 0x9E3779B97F4A7C15


def streams(seeds: Seeds, name: str) -> Seeds:
    """A stream of random numbers for each clip (B,) and the operation ``name``."""
    return _mix(seeds + np.uint64(zlib.crc32(name.encode()) * GOLDEN % 2**64))


def uniforms(seeds: Seeds, name: str, number: int) -> NDArray[np.float64]:
    """So many draws from [0, 1) for each clip and the operation ``name``: (B, number)."""
    counter = np.arange(1, number + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    return (_mix(streams(seeds, name)[:, None] + counter) >> np.uint64(11)) / 2.0**53


def _mix(z: Seeds) -> Seeds:
    """SplitMix64's hash (Steele, Lea and Flood, OOPSLA 2014); products are meant to wrap."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def as_words(counts: NDArray[np.uint8]) -> NDArray[Any]:
    """Counts ``(T, B, P)`` as uint64 where P allows."""
    return counts.view(np.uint64) if counts.shape[2] % 8 == 0 else counts


def share_out(clips: int, work: Callable[[int, int], None]) -> None:
    """Run a kernel on all clips of a batch, shared out among torch's threads."""
    count = min(threads(), clips)
    edges = [clips * i // count for i in range(count + 1)]
    run([partial(work, edges[i], edges[i + 1]) for i in range(count)], count)
