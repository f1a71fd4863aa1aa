"""One sequence as the clip cache stores it, and batches out of such.

::

    uint32 (N + 1)   where in the tokens those of each window start, and the end of the last
    uint32 (N,)      number of each window's frame among the images: windows shorter than a frame share one
    tokens           of the counts, as of snnkd.datasets._cache_kernel; up to a multiple of 64
    uint8 (F, H, W)  the images

Counts are nearly all zero and become 1 % of their size; images are noise down to the last bit, which lossless codes
make little smaller and much slower: they stay as they are, and are copied straight from the mapped file.
"""

from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.cache_store import ALIGNMENT, Entry
from snnkd.datasets.sample import Windows


def encode_windows(windows: Windows) -> tuple[bytes, int]:
    """Bytes of a sequence and the number of its images. Raises ``ValueError`` for arrays of another type or shape."""
    counts, frames = windows
    number, height, width = frames.shape
    if counts.shape != (number, 2, height, width) or counts.dtype != np.uint8 or frames.dtype != np.uint8:
        raise ValueError(f"windows of {counts.shape} {counts.dtype} and {frames.shape} {frames.dtype} cannot be cached")
    from snnkd.datasets._cache_kernel import encode

    flat = np.ascontiguousarray(counts).reshape(number, -1)
    room = np.empty(3 * flat.shape[1], np.uint8)
    tokens = [room[: encode(window, room)].copy() for window in flat]
    starts = np.zeros(number + 1, np.uint32)
    np.cumsum([len(token) for token in tokens], out=starts[1:])
    fresh = np.ones(number, bool)
    fresh[1:] = (frames[1:] != frames[:-1]).any((1, 2))
    numbers = (np.cumsum(fresh) - 1).astype(np.uint32)
    head = starts.tobytes() + numbers.tobytes() + b"".join(token.tobytes() for token in tokens)
    return head + bytes(-len(head) % ALIGNMENT) + np.ascontiguousarray(frames[fresh]).tobytes(), int(fresh.sum())


def places(entry: Entry, pixels: int) -> tuple[int, int, int, int]:
    """Row of ``places`` as :func:`snnkd.datasets._cache_kernel.gather` takes it."""
    word = entry.at // 4
    return (
        word,
        word + entry.windows + 1,
        entry.at + 4 * (2 * entry.windows + 1),
        entry.at + entry.size - entry.images * pixels,
    )


@cache
def _gather() -> Any:
    from snnkd.datasets._cache_kernel import gather

    return gather


def gather_clips(
    data: NDArray[np.uint8], rows: NDArray[np.int64], windows: NDArray[np.int64], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Clips of the mapped file, time-major: counts ``(T, B, 2, H, W)`` and frames ``(T, B, H, W)``.

    ``rows`` (B, 4) are :func:`places`, ``windows`` is (T, B). Clips are shared out among torch's threads.
    """
    from snnkd.events._threads import run, threads

    steps, clips = windows.shape
    width, height = size
    events = np.empty((steps, clips, 2 * height * width), np.uint8)
    frames = np.empty((steps, clips, height * width), np.uint8)
    words = data[: len(data) // 4 * 4].view(np.uint32)
    count = min(threads(), clips)
    edges = [clips * i // count for i in range(count + 1)]
    work = partial(_gather(), data, words, rows, windows, events, frames)
    run([partial(work, a, b) for a, b in pairwise(edges)], count)
    return events.reshape(steps, clips, 2, height, width), frames.reshape(steps, clips, height, width)
