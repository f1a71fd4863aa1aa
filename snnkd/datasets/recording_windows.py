r"""Windows of sequences that are cut out of recordings of any format.

Window ``n`` of a sequence that begins at ``b`` is :math:`[b + n·w, b + (n+1)·w)` µs; its events are counted by
:func:`snnkd.events.bin_events`, and its frame is the latest at or before its end, mapped by
:func:`~snnkd.datasets.image_windows.shrink`. Formats are streams: up to the last window that is asked for the file is
read from its begin, one chunk at a time, so a cache pays.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.image_windows import shrink
from snnkd.datasets.sample import import_cv2
from snnkd.errors import DatasetError
from snnkd.events import bin_events, centre_square
from snnkd.events.array import Events
from snnkd.recordings import Recording

STALE_US = 1_000_000
"""A window whose latest frame is older than this has none: the camera had stopped sending frames."""


def count_windows(
    chunks: Iterator[Events],
    sensor_size: tuple[int, int],
    begin_us: int,
    window_us: int,
    windows: NDArray[np.int64],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Counts ``(N, 2, H, W)``, clipped at 255, of the ``windows`` (N,), in any order, of a stream in order of time."""
    out = np.zeros((len(windows), 2, size[1], size[0]), np.uint8)
    first, last = int(windows.min()), int(windows.max())
    low, high = begin_us + first * window_us, begin_us + (last + 1) * window_us
    crop = centre_square(sensor_size)
    for chunk in chunks:
        times = chunk["t"]
        if times[0] >= high:
            break
        a, b = (int(i) for i in np.searchsorted(times, (low, high)))
        if a == b:
            continue
        n, m = (int((times[i] - begin_us) // window_us) for i in (a, b - 1))
        places = np.flatnonzero((windows >= n) & (windows <= m))
        if len(places):
            edge = begin_us + n * window_us
            bins = bin_events(chunk[a:b], sensor_size, edge, window_us, m - n + 1, size=size, crop=crop)
            out[places] = np.minimum(bins[windows[places] - n] + out[places].astype(np.int64), 255)
    return out


def frame_places(
    times: NDArray[np.int64], begin_us: int, window_us: int, windows: NDArray[np.int64], where: str
) -> NDArray[np.int64]:
    """Index of the frame of each window; :class:`DatasetError` where one has none, ``where`` naming the recording."""
    ends = begin_us + (windows + 1) * window_us
    places = np.searchsorted(times, ends, side="right") - 1
    fresh = (places >= 0) & (ends - times[np.maximum(places, 0)] <= STALE_US)
    if not fresh.all():
        end = int(ends[~fresh][0])
        told = f"its frames are from {times[0]} to {times[-1]} µs" if len(times) else "it has no frames"
        raise DatasetError(
            f"{where}: no frame in the second before {end} µs ({told}); cut the sequence to where there are frames"
        )
    return places


def take_frames(recording: Recording, places: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Frames ``(N, H, W)`` of a recording by their indices ``places`` (N,), read one at a time."""
    import_cv2()
    out = np.empty((len(places), size[1], size[0]), np.uint8)
    wanted = set(places.tolist())
    last = max(wanted)
    for i, (_, image) in enumerate(recording.iter_frames()):
        if i in wanted:
            out[places == i] = shrink(image, size)
        if i == last:
            break
    return out
