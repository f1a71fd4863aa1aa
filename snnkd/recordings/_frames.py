"""Intensity frames with their times, as a recording holds them and the writers take them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Frames:
    """Intensity frames: ``images`` (N, H, W) uint8 and ``timestamps_us`` (N,) int64, never decreasing.

    Raises ``ValueError`` when the two do not fit together.
    """

    images: NDArray[np.uint8]
    timestamps_us: NDArray[np.int64]

    def __post_init__(self) -> None:
        images, times = self.images, self.timestamps_us
        if images.ndim != 3 or images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 (N, H, W), got {images.dtype} {images.shape}")
        if times.shape != images.shape[:1] or times.dtype != np.int64:
            raise ValueError(
                f"timestamps_us must be int64 ({len(images)},) for {len(images)} images, "
                f"got {times.dtype} {times.shape}"
            )
        if (times[1:] < times[:-1]).any():
            i = int((times[1:] < times[:-1]).argmax()) + 1
            raise ValueError(f"time runs backwards: frame {i} is at {times[i]} µs after {times[i - 1]} µs")

    def __len__(self) -> int:
        return len(self.timestamps_us)
