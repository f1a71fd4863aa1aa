"""Recordings of frames only, and the first kind of them: a folder of images. Events come of them by simulation.

Its PNG, JPEG, TIFF and BMP images count, sorted as people do (``2`` before ``10``). Their times are, in turn,

1. from the frame rate that the caller states;
2. from ``timestamps.txt`` in the folder, one time a line, whole µs or seconds with decimals;
3. from their names, where each ends with a number after ``_`` or is one, and the numbers make sense as times: 500 µs
   to 10 s from one frame to the next. With 3 to 9 decimals they are seconds (``1605537493.700000.png``); whole ones
   are µs, from 10^17 on ns. Smaller steps are numbers of frames, not times. Below 10^7 they may be numbers of frames
   of which only some were kept (``001000.png``, ``002000.png``): a warning tells that they were taken for times;
4. from 30 frames a second, with a warning. Frames that are absent from a numbered series are named, and leave a gap.

Grey levels are as :mod:`snnkd.recordings._image_file` has them. ``iter_frames`` reads one frame at a time; ``frames``
holds all.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.recordings._column_names import LATEST, infer_unit
from snnkd.recordings._image_file import read_grey
from snnkd.recordings.recording import Frames, Recording
from snnkd.recordings.registry import register_format

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
OTHERS = ("events.aerdat", "eyesim.json", "emotion.json")
"""What marks a folder of images as something more: an EVBEYE recording or a data set."""

DEFAULT_RATE = 30.0
SHORTEST_US, LONGEST_US = 500, 10_000_000
"""Steps between numbers in names that are taken for times."""

SURE = 10**7
"""Numbers in names from here on are no numbers of frames."""

FPS_REMEDY = "fps=30 in Python, --fps 30 on the command line"

Frame = tuple[int, NDArray[np.uint8]]


class FrameRecording(Recording):
    """A recording without events; a subclass gives ``iter_frames``.

    ``fps`` in frames a second, where the caller knows better; ``ValueError`` for a rate that is none.
    """

    def __init__(self, path: str | PathLike[str], fps: float | None = None) -> None:
        super().__init__(path)
        if fps is not None and not 0 < fps < 1e6:
            raise ValueError(f"fps must be a number above 0 and below a million, got {fps!r}")
        self._said_rate = fps

    @cached_property
    def _extent(self) -> tuple[int, int, int]:
        return 0, 0, 0

    def _read_chunks(self) -> Iterator[Events]:
        yield from ()

    def _read_frames(self) -> Frames | None:
        width, height = self.sensor_size
        times, images = [], []
        for time, image in self.iter_frames():
            times.append(time)
            images.append(image)
        return Frames(np.array(images, np.uint8).reshape(-1, height, width), np.array(times, np.int64))


class ImageFolderRecording(FrameRecording):
    """A folder of images."""

    format = "images"

    def __init__(self, path: str | PathLike[str], *, fps: float | None = None) -> None:
        super().__init__(path, fps)
        self._files = sorted(images_in(self.path), key=_natural)
        if not self._files:
            raise self._error(f"holds no image ({', '.join(SUFFIXES)})")
        self._times = self._settle_times()
        self.metadata["frames"] = len(self._files)

    @cached_property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the images, (W, H)."""
        height, width = self._read(self._files[0]).shape
        return width, height

    def _size_at_hand(self) -> tuple[int, int] | None:
        return self.__dict__.get("sensor_size")

    def iter_frames(self) -> Iterator[Frame]:
        """Yield each frame as its time in µs and its image (H, W), reading one at a time."""
        width, height = self.sensor_size
        for time, path in zip(self._times, self._files, strict=True):
            image = self._read(path)
            if image.shape != (height, width):
                raise self._error(f"frame {path.name} is {image.shape[1]}×{image.shape[0]}, expected {width}×{height}")
            yield time, image

    def _read(self, path: Path) -> NDArray[np.uint8]:
        try:
            return read_grey(path)
        except ValueError as error:
            raise self._error(f"frame {path.name} {error}") from error

    def _settle_times(self) -> list[int]:
        listed = self.path / "timestamps.txt"
        if self._said_rate is None and listed.is_file():
            self.metadata["timestamps_from"] = listed.name
            return self._read_times(listed)
        numbers = [_number(path.stem) for path in self._files]
        in_seconds = _seconds([path.stem for path in self._files])
        times = in_seconds or _as_times(numbers)
        if self._said_rate is None and times is not None:
            self.metadata["timestamps_from"] = "file names"
            order = sorted(range(len(times)), key=times.__getitem__)
            self._files = [self._files[i] for i in order]
            times = [times[i] for i in order]
            if all(number is not None and number < SURE for number in numbers) and not in_seconds:
                self._warn(
                    f"the numbers in the frames' names, {times[0]} to {times[-1]}, were taken for times in µs; "
                    f"if they count frames, say how many come a second ({FPS_REMEDY})"
                )
            return times
        rate = self._said_rate or DEFAULT_RATE
        self.metadata |= {"timestamps_from": "frame rate", "frame_rate": rate}
        if self._said_rate is None:
            self._warn(f"nothing tells the frames' times; {rate:g} frames a second are assumed ({FPS_REMEDY})")
        return [round(i * 1e6 / rate) for i in self._places(numbers)]

    def _read_times(self, path: Path) -> list[int]:
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
        if len(lines) != len(self._files):
            raise self._error(f"{path.name} has {len(lines)} times for {len(self._files)} images")
        values = []
        for i, line in enumerate(lines):
            try:
                values.append(float(line))
                if not abs(values[-1]) < LATEST:
                    raise ValueError
            except ValueError:
                raise self._error(
                    f"{path.name}: line {i + 1} is no time: {line[:40].decode('ascii', 'replace')!r}"
                ) from None
        whole = all(value.is_integer() for value in values)
        decimals = max(len(line.strip().partition(b".")[2].rstrip(b"0")) for line in lines)
        try:
            # Frames may well be listed in s with three decimals; as ms they would come a thousandth as often.
            unit = infer_unit(whole, max(decimals, 4), np.array(values[:1]))
        except ValueError as error:
            raise self._error(f"{path.name}: {error}") from error
        times = [round(value * (1e6 if unit == "s" else 1)) for value in values]
        steps = [b - a for a, b in pairwise(times)]
        if steps and not (min(steps) >= 0 and SHORTEST_US <= sorted(steps)[len(steps) // 2] <= LONGEST_US):
            raise self._error(f"{path.name}: its times, as {unit}, are no frames' times; give whole µs or seconds")
        return times

    def _places(self, numbers: list[int | None]) -> list[int]:
        """The place of each image in its series: its number, where the files are numbered with few gaps."""
        plain = list(range(len(numbers)))
        if None in numbers or len(numbers) < 2:
            return plain
        known = [number for number in numbers if number is not None]
        steps = {b - a for a, b in pairwise(known)}
        missing = known[-1] - known[0] + 1 - len(known)
        if min(steps) < 1 or len(steps) == 1 or missing > len(known):
            return plain
        absent = sorted(set(range(known[0], known[-1])) - set(known))
        self._warn(f"{missing} frames of the series are absent: {listed(absent)}")
        return [number - known[0] for number in known]


def listed(numbers: list[int]) -> str:
    """The first ten numbers in words."""
    return f"number {', '.join(map(str, numbers[:10]))}{', ...' if len(numbers) > 10 else ''}"


def _is_image_folder(path: Path) -> bool:
    if not path.is_dir() or any((path / name).exists() for name in OTHERS):
        return False
    return next(images_in(path), None) is not None


def images_in(folder: Path) -> Iterator[Path]:
    """The folder's images by their names; those that begin with a dot are notes of macOS, not images."""
    return (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(part), part) if i % 2 else (0, part) for i, part in enumerate(parts)]


def _number(stem: str) -> int | None:
    match = re.search(r"(?:^|[^0-9])([0-9]{1,19})$", stem)
    return int(match.group(1)) if match else None


def _seconds(stems: list[str]) -> list[int] | None:
    """The seconds with decimals at the ends of names as µs, where all have such and they can be times of frames."""
    found = [re.search(r"(?:^|[^0-9.])([0-9]{1,11}\.[0-9]{3,9})$", stem) for stem in stems]
    times = [round(Decimal(match.group(1)) * 10**6) for match in found if match]
    return times if len(times) == len(stems) and _can_be_times(times) else None


def _as_times(numbers: list[int | None]) -> list[int] | None:
    """The numbers at the ends of names as times in µs, where they can be such."""
    known = [number for number in numbers if number is not None]
    if len(known) < max(2, len(numbers)):
        return None
    scale = 1000 if min(known) >= LATEST else 1
    times = [(number + scale // 2) // scale for number in known]
    return times if _can_be_times(times) else None


def _can_be_times(times: list[int]) -> bool:
    steps = sorted(b - a for a, b in pairwise(sorted(times)))
    return bool(steps) and steps[0] >= SHORTEST_US and steps[len(steps) // 2] <= LONGEST_US


register_format("images", ImageFolderRecording, recognises=lambda path, head: _is_image_folder(path))
