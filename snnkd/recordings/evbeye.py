"""EVBEYE: near-eye recordings of a DAVIS346 (Angelopoulos et al., arXiv 2004.03577).

A recording is a folder with ``events.aerdat`` and ``frames/``. The events are records of 9 bytes without a
header, little-endian and packed:

========  ======  ==========================
bytes     type    meaning
========  ======  ==========================
0         uint8   polarity, 0 OFF or 1 ON
1..2      uint16  row
3..4      uint16  column
5..8      uint32  time in µs
========  ======  ==========================

(The data set's README gives another order; the files are as above.) A frame is a greyscale image named
``Index_Row_Col_Stimulus_TimestampUs.png``, where row and column say where the stimulus stood and ``Stimulus``
what it was. ``metadata["stimulus"]`` is a list of ``(row, column, kind)``, one a frame.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.recordings._file_parts import read_array, read_blocks
from snnkd.recordings._image_file import read_grey
from snnkd.recordings.recording import Frames, Recording
from snnkd.recordings.registry import register_format

SENSOR_SIZE = (346, 260)
RECORD = np.dtype([("p", "u1"), ("y", "<u2"), ("x", "<u2"), ("t", "<u4")])
AT_ONCE = 1 << 15
"""Records that are read at once: with their events they stay in a core's cache."""

FRAME_NAME = re.compile(r"(\d+)_(-?\d+)_(-?\d+)_(.+)_(\d+)\.png", re.IGNORECASE)


class EvbeyeRecording(Recording):
    """An EVBEYE recording; ``path`` is the folder or the event file in it."""

    format = "EVBEYE"
    sensor_size = SENSOR_SIZE

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = self.path / "events.aerdat" if self.path.is_dir() else self.path
        self._count, rest = divmod(self._file.stat().st_size, RECORD.itemsize)
        if not self._count:
            raise self._error(f"holds no whole record of {RECORD.itemsize} bytes")
        self._decode(0, self._records(0, min(self._count, 1000)))  # a file of something else is told at once
        self._warn_of_rest(rest, "a cut record")
        self._images = self._list_frames()
        if self._images:
            self.metadata["stimulus"] = [stimulus for _, _, stimulus, _ in self._images]

    def _records(self, begin: int, count: int) -> NDArray[np.void]:
        return read_array(self, self._file, RECORD, begin * RECORD.itemsize, count)

    @cached_property
    def _extent(self) -> tuple[int, int, int]:
        first, last = (int(self._records(i, 1)["t"][0]) for i in (0, self._count - 1))
        return self._count, first, last

    def _read_chunks(self) -> Iterator[Events]:
        size = RECORD.itemsize
        for begin, block in read_blocks(self, self._file, 0, self._count * size, AT_ONCE * size):
            yield self._decode(begin // size, block.view(RECORD))

    def _decode(self, begin: int, records: NDArray[np.void]) -> Events:
        polarity = records["p"]
        if polarity.max() > 1:
            i = int((polarity > 1).argmax())
            raise self._error(f"{self._place(begin + i)} has polarity {polarity[i]}, expected 0 or 1")
        return self._pack(records["x"], records["y"], records["t"], polarity, begin)

    def _place(self, index: int) -> str:
        return f"event {index} (byte {index * RECORD.itemsize})"

    def _list_frames(self) -> list[tuple[int, int, tuple[int, int, str], Path]]:
        """Time, index, stimulus and path of each frame, in the order of time."""
        folder = self._file.parent / "frames"
        if not folder.is_dir():
            return []
        found, others = [], 0
        for path in folder.iterdir():
            match = FRAME_NAME.fullmatch(path.name)
            if match:
                index, row, column, kind, time = match.groups()
                found.append((int(time), int(index), (int(row), int(column), kind), path))
            elif path.suffix.lower() == ".png":
                others += 1
        if others:
            self._warn(f"{others} images in frames/ without a time in their name were left out")
        return sorted(found)

    @cached_property
    def frame_times_us(self) -> NDArray[np.int64]:
        """Times of the frames (M,) in µs, as their names have them."""
        return np.array([time for time, _, _, _ in self._images], np.int64)

    def iter_frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each frame as its time in µs and its image (H, W), reading one at a time."""
        width, height = SENSOR_SIZE
        for time, _, _, path in self._images:
            try:
                image = read_grey(path)
            except ValueError as error:
                raise self._error(f"frame {path.name} {error}") from error
            if image.shape != (height, width):
                size = f"{image.shape[1]}×{image.shape[0]}"
                raise self._error(f"frame {path.name} is {size}, expected {width}×{height}")
            yield time, image

    def _read_frames(self) -> Frames | None:
        return self._stacked(SENSOR_SIZE[::-1]) if self._images else None


register_format(
    "EVBEYE",
    EvbeyeRecording,
    recognises=lambda path, head: (path / "events.aerdat").is_file(),
    extensions=(".aerdat",),
)
