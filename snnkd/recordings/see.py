"""Sequences of the SEE dataset (Zhang et al., SIGGRAPH 2023) in its published layout, as recordings.

::

    event/<emotion>/<sequence>/00000.jpg ...     events accumulated over 33 ms, one image per frame
    frame/<emotion>/<sequence>/00000.jpg ...     intensity frames at 30 a second

A recording is one sequence, opened by either of its two folders. A folder is taken for one when it lies two below
``event`` or ``frame``, and has a name of SEE's form or the dataset's ``emotion.json`` above it.

**Its events are made of images.** The dataset has no event stream. Each pixel that the rule of
:mod:`snnkd.recordings.see_images` marks is one event, so a pixel has at most one an image, and its events cannot be
counted. Image ``n`` covers the time ``[n, n + 1) · 33,333 µs``, and as nothing tells when in it an event came, all of
them have the time at which it begins; frame ``n`` has that time too (whether the dataset's frames come at the begin or
the end of their images is not published). ``metadata["events_from"]`` says ``"event images"``, with ``"event_time"``
and ``"event_rule"``. Rates and what depends on order within 33 ms mean nothing here.

Windows of 33,333 µs that start at 0, ``windows(start_us=0)``, are the images, empty ones too. One image is read at a
time. Images that are absent from the series, and a folder that is, are told in a warning; an image that is damaged or
of another size is refused where it is read.
"""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.recordings._image_file import decode_grey, read_bytes
from snnkd.recordings.images import Frame, listed
from snnkd.recordings.recording import Frames, Recording
from snnkd.recordings.registry import register_format
from snnkd.recordings.see_images import ANNOTATIONS, LARGEST, MARGIN, NAME, WINDOW_US, event_pixels, margin_of

KINDS = ("event", "frame")
IMAGE = re.compile(r"(\d{5})\.jpg", re.IGNORECASE)


class SeeRecording(Recording):
    """A sequence of SEE; its events are made of its event images, as this module's docstring says.

    Args:
        path: the sequence's folder below ``event`` or below ``frame``.
        margin: grey levels from the background that make an event at least, 0..126.

    Raises ``ValueError`` for another margin, :class:`RecordingError` for the folder.
    """

    format = "SEE sequence"

    def __init__(self, path: str | PathLike[str], *, margin: int = MARGIN) -> None:
        super().__init__(path)
        if not 0 <= margin < 127:
            raise ValueError(f"margin must be in 0..126 grey levels, got {margin}")
        if (self.path / ANNOTATIONS).is_file():
            raise self._error("holds the whole data set; name one sequence's folder, event/<emotion>/<sequence>")
        here = Path(os.path.abspath(self.path))
        if here.parent.parent.name not in KINDS:
            raise self._error("is no sequence of SEE, whose folders are event/<emotion>/<sequence> and frame/...")
        self._root, self._margin = here.parents[2], margin
        self._events_at, self._frames_at = (self._list_images(here, kind) for kind in KINDS)
        if not (self._events_at or self._frames_at):
            raise self._error("holds no image with a name such as 00000.jpg, nor does its other folder")
        self._tell_absent()
        name = NAME.fullmatch(here.name)
        said = {key: value for key, value in name.groupdict().items() if key != "length"} if name else {}
        self.metadata |= {"dataset": "SEE", "sequence": here.name, **said}
        self.metadata |= {"timestamps_from": "frame rate", "frame_rate": 30.0}
        if self._events_at:
            self.metadata |= {
                "events_from": "event images",
                "event_time": f"begin of the image's {WINDOW_US} µs",
                "event_rule": f"one a pixel of each image that is more than {margin} grey levels from mid-grey, "
                "more where JPEG's quantisation is coarse",
                "margin": margin,
            }

    @cached_property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the event images, or of the frames where there are none, (W, H)."""
        height, width = self._read(next(iter((self._events_at or self._frames_at).values())))[0].shape
        return width, height

    def _size_at_hand(self) -> tuple[int, int] | None:
        return self.__dict__.get("sensor_size")

    def iter_frames(self) -> Iterator[Frame]:
        """Yield each frame as its time in µs and its image (H, W), reading one at a time."""
        for number, image, _ in self._images(self._frames_at):
            yield number * WINDOW_US, image

    def _read_chunks(self) -> Iterator[Events]:
        crowded = 0
        for number, image, data in self._images(self._events_at):
            events = event_pixels(image, margin_of(data, image, self._margin), number * WINDOW_US)
            crowded += 2 * len(events) > image.size
            yield events
        if crowded:
            self._warn(
                f"in {crowded} of {len(self._events_at)} event images most pixels are marked; "
                "if their background is not mid-grey, these are no events"
            )

    def _read_frames(self) -> Frames | None:
        if not self._frames_at:
            return None
        width, height = self.sensor_size
        images = np.empty((len(self._frames_at), height, width), np.uint8)
        for i, (_, image) in enumerate(self.iter_frames()):
            images[i] = image
        return Frames(images, WINDOW_US * np.array([*self._frames_at], np.int64))

    def _images(self, files: dict[int, Path]) -> Iterator[tuple[int, NDArray[np.uint8], bytes]]:
        """Number, image (H, W) and content of each file."""
        width, height = self.sensor_size
        for number, path in files.items():
            image, data = self._read(path)
            if image.shape != (height, width):
                size = f"{image.shape[1]}×{image.shape[0]}"
                raise self._error(f"{self._short(path)} is {size}, expected {width}×{height}")
            yield number, image, data

    def _read(self, path: Path) -> tuple[NDArray[np.uint8], bytes]:
        try:
            data = read_bytes(path)
            image = decode_grey(data)
        except ValueError as error:
            raise self._error(f"{self._short(path)} {error}") from error
        if max(image.shape) > LARGEST:
            raise self._error(f"{self._short(path)} is {image.shape[1]}×{image.shape[0]}, over {LARGEST} a side")
        return image, data

    def _list_images(self, here: Path, kind: str) -> dict[int, Path]:
        """The images of this sequence below ``event`` or ``frame``, by number; none where that folder is absent."""
        # A copy may write an emotion's two folders differently, as the dataset itself does with neutraL.
        folders = [here] if here.parent.parent.name == kind else _folders(self._root / kind, here.name)
        if len(folders) > 1:
            raise self._error(f"lies in two folders below {kind}: {', '.join(f.parent.name for f in folders)}")
        found: dict[int, Path] = {}
        others = 0
        for path in sorted(folders[0].iterdir()) if folders else []:
            match = IMAGE.fullmatch(path.name)
            if match and int(match[1]) in found:
                raise self._error(f"{self._short(path)} is there twice, as {found[int(match[1])].name} too")
            if match:
                found[int(match[1])] = path
            elif path.suffix.lower() == ".jpg" and not path.name.startswith("."):
                others += 1
        if others:
            self._warn(f"{others} {kind} images without a number of five digits for a name were left out")
        return found

    def _tell_absent(self) -> None:
        """Warn of images that one of the folders, or both, lack of the series."""
        length = max(*self._events_at, *self._frames_at, -1, -1) + 1
        for kind, files in zip(KINDS, (self._events_at, self._frames_at), strict=True):
            absent = [n for n in range(length) if n not in files]
            if len(absent) == length:
                self._warn(f"there are no {kind} images of it in {self._root / kind}")
            elif absent:
                self._warn(f"{len(absent)} of {length} {kind} images are absent: {listed(absent)}")

    def _short(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _folders(top: Path, name: str) -> list[Path]:
    """The folders of a sequence below ``event`` or ``frame``, one where the copy is in order."""
    emotions = sorted(top.iterdir()) if top.is_dir() else []
    return [emotion / name for emotion in emotions if (emotion / name).is_dir()]


def _recognises(path: Path) -> bool:
    if not path.is_dir():
        return False
    if (path / ANNOTATIONS).is_file():
        return all((path / kind).is_dir() for kind in KINDS)
    here = Path(os.path.abspath(path))
    if here.parent.parent.name not in KINDS:
        return False
    return NAME.fullmatch(here.name) is not None or (here.parents[2] / ANNOTATIONS).is_file()


register_format("SEE sequence", SeeRecording, recognises=lambda path, head: _recognises(path))
