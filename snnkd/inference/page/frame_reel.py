"""The frames of a recording as small JPEG images, in as many bytes as a page can hold."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from snnkd.inference.page.packing import size_as_text, text_of

WIDEST = 320
"""The longer side of the images at first"""
SMALLEST = 120
"""The longer side below which frames are left out rather than made smaller"""
SLOWEST_US = 100_000
"""Time from frame to frame beyond which they are made smaller rather than left out"""
QUALITY = 80


@dataclass(frozen=True)
class _Frame:
    time_us: int
    image: bytes


class FrameReel:
    """Takes frames in the order of time; :meth:`content` is what the page holds.

    When the reel outgrows its budget, every second frame is left out, up to ten a second; then all are made half as
    large; then more are left out.

    Args:
        origin_us: what times are told from.
        budget: characters that all images may take.
    """

    def __init__(self, origin_us: int, budget: int) -> None:
        self.every = 1
        self.size = (0, 0)
        self.seen = 0
        self._origin = origin_us
        self._budget = budget
        self._side = WIDEST
        self._frames: list[_Frame] = []
        self._used = 0
        self._histogram = np.zeros(256, np.int64)

    def add(self, time_us: int, image: NDArray[np.uint8]) -> None:
        """Add a frame (H, W)."""
        self.seen += 1
        if (self.seen - 1) % self.every:
            return
        image = _within(image, self._side)
        self.size = image.shape[1], image.shape[0]
        self._histogram += np.bincount(image.reshape(-1), minlength=256)
        self._keep(_Frame(time_us - self._origin, _jpeg(image)))
        while self._used > self._budget and len(self._frames) > 1:
            self._coarsen()

    def content(self) -> dict[str, object]:
        """Return sizes, times in µs, images, and the grey levels that 1% of all pixels lie below and above."""
        total = np.cumsum(self._histogram)
        low, high = (int(np.searchsorted(total, share * total[-1])) for share in (0.01, 0.99))
        return {
            "width": self.size[0],
            "height": self.size[1],
            "every": self.every,
            "low": low,
            "high": max(high, low + 1),
            "times": [frame.time_us for frame in self._frames],
            "images": [text_of(frame.image) for frame in self._frames],
        }

    def _keep(self, frame: _Frame) -> None:
        self._frames.append(frame)
        self._used += size_as_text(len(frame.image))

    def _coarsen(self) -> None:
        frames = self._frames
        between = (frames[-1].time_us - frames[0].time_us) / (len(frames) - 1)
        self._frames, self._used = [], 0
        self._side = min(self._side, max(self.size))
        if between < SLOWEST_US or self._side <= SMALLEST:
            self.every *= 2
            for frame in frames[::2]:
                self._keep(frame)
            return
        self._side //= 2
        for frame in frames:
            smaller = _within(_image(frame.image), self._side)
            self.size = smaller.shape[1], smaller.shape[0]
            self._keep(_Frame(frame.time_us, _jpeg(smaller)))


def _within(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = image.shape
    scale = side / max(width, height)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _image(jpeg: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError("a JPEG cannot be decoded")
    return np.asarray(image, np.uint8)


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"an image of {image.shape} cannot be encoded as JPEG")
    return data.tobytes()
