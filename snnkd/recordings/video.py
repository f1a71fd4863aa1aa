"""Videos, as recordings of frames only: MP4 or QuickTime, AVI, Matroska or WebM.

They are told by content, and no other is opened, for FFmpeg would follow a playlist to other files. Times are the
container's. Where one of them does not grow they count on by the frame rate, with a warning; so they do from the
beginning where the caller states the rate. Frames that the container promises and that cannot be decoded are told.
"""

import math
from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings._column_names import LATEST
from snnkd.recordings.images import DEFAULT_RATE, Frame, FrameRecording
from snnkd.recordings.registry import register_format

LARGEST = 1 << 26
"""Pixels of a frame; a larger size is damage."""

MATROSKA = b"\x1aE\xdf\xa3"


class VideoRecording(FrameRecording):
    """A video file, decoded by FFmpeg through OpenCV."""

    format = "video"

    def __init__(self, path: str | PathLike[str], *, fps: float | None = None) -> None:
        super().__init__(path, fps)
        import cv2

        with self.path.open("rb") as file:
            self._head = file.read(16)
        if not _is_video(self._head):
            raise self._error("is by its content no video in MP4, QuickTime, AVI, Matroska or WebM")
        capture = self._open()
        self._sensor_size = tuple(int(capture.get(n)) for n in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        rate, self._promised = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        capture.release()
        width, height = self._sensor_size
        if not (width >= 1 and height >= 1 and width * height <= LARGEST):
            raise self._error(f"is cut or damaged: its frames are {width}×{height}")
        self._known_rate = self._said_rate or (rate if 0.01 <= rate <= 1e5 else None)
        self.metadata["frame_rate"] = self._known_rate or DEFAULT_RATE
        self.metadata["timestamps_from"] = "frame rate" if self._said_rate else "container"

    @property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the frames, (W, H)."""
        return self._sensor_size[0], self._sensor_size[1]

    def _open(self) -> Any:
        import cv2

        bounds = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 20_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 20_000]
        capture = cv2.VideoCapture(str(self.path.resolve()), cv2.CAP_FFMPEG, bounds)
        if not capture.isOpened():
            raise self._error("is cut or damaged: FFmpeg cannot open the video")
        return capture

    def iter_frames(self) -> Iterator[Frame]:
        """Yield each frame as its time in µs and its image (H, W), decoding one at a time."""
        import cv2

        width, height = self.sensor_size
        period = 1e6 / self.metadata["frame_rate"]
        by_rate = self._said_rate is not None
        count, begin, first, last = 0, 0, 0, -math.inf
        capture = self._open()
        try:
            while (image := self._decode(capture, count)) is not None:
                if image.shape != (height, width):
                    raise self._error(f"frame {count} is {image.shape[1]}×{image.shape[0]}, expected {width}×{height}")
                stamp = capture.get(cv2.CAP_PROP_POS_MSEC) * 1e3
                if not by_rate and not (math.isfinite(stamp) and last < round(stamp) < LATEST):
                    by_rate, first, begin = True, count, 0 if count == 0 else round(last + period)
                    self._warn_of_time(count)
                last = round(begin + (count - first) * period) if by_rate else round(stamp)
                yield int(last), image
                count += 1
        finally:
            capture.release()
        self._check_count(count)

    def _decode(self, capture: Any, count: int) -> NDArray[np.uint8] | None:
        import cv2

        try:
            whole, image = capture.read()
            if not whole:
                return None
            return np.asarray(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        except cv2.error as error:
            raise self._error(f"frame {count} is damaged: {' '.join(str(error).split())}") from error

    def _warn_of_time(self, count: int) -> None:
        rate = f"{self.metadata['frame_rate']:g} frames a second"
        assumed = "" if self._known_rate else ", which are assumed"
        self.metadata["timestamps_from"] = "frame rate"
        self._warn(f"the time of frame {count} is not after the one before; from there on by {rate}{assumed}")

    def _check_count(self, count: int) -> None:
        if count == 0:
            raise self._error("is cut or damaged: no frame could be decoded")
        # Matroska holds no number of frames; FFmpeg reckons it from the duration.
        lacking = self._promised - count if self._promised < 2**31 else 0
        if lacking > (1 if self._head.startswith(MATROSKA) else 0):
            self._warn(f"{lacking:.0f} of {self._promised:.0f} frames could not be decoded and were left out")


def _is_video(head: bytes) -> bool:
    iso = head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide")
    return iso or head.startswith(MATROSKA) or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")


register_format(
    "video",
    VideoRecording,
    recognises=lambda path, head: _is_video(head),
    extensions=(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"),
)
