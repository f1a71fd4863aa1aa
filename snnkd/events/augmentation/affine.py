"""Rotation, scale and shift of events and frames by one transform: a headset never sits twice alike.

About the middle ``c = ((W − 1)/2, (H − 1)/2)`` of the sensor, the point ``u = (x, y)`` goes to

    u' = c + s·R(φ)·(u − c) + (a·W, b·H),      R(φ) = [[cos φ, −sin φ], [sin φ, cos φ]]

With ``y`` downwards, a positive angle turns clockwise. Pixels are points at whole coordinates. An event goes to the
pixel nearest to ``u'``, halves upwards: ``(⌊x' + ½⌋, ⌊y' + ½⌋)``; one that leaves the sensor is dropped. Frames are
sampled bilinearly at the inverse of the same map and repeat their border where the image moves in.

Events are moved and not resampled: their number and times stay, so a larger image has pixels that none reaches, and
a smaller one has more events a pixel.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events._arguments import check_bounds, check_number, check_sensor
from snnkd.events._threads import in_worker
from snnkd.events.array import Events, as_events
from snnkd.events.augmentation.base import Augmentation, Range, draw
from snnkd.events.pair import FrameStack


def affine_matrix(
    sensor_size: tuple[int, int], degrees: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """The map of this module's docstring as (2, 3): ``u' = M[:, :2] @ u + M[:, 2]``; ``shift`` is (a, b)."""
    size = np.array(check_sensor(sensor_size), np.float64)
    centre = (size - 1) / 2
    angle = math.radians(degrees)
    linear = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.column_stack([linear, centre - linear @ centre + size * shift])


def move_events(events: Events, sensor_size: tuple[int, int], matrix: NDArray[np.float64]) -> Events:
    """Events (N,) at their new pixels, without those that leave the sensor (W, H); in the same order."""
    events, sensor_size = as_events(events), check_sensor(sensor_size)
    x, y = events["x"].astype(np.float64), events["y"].astype(np.float64)
    column, row = (np.floor(a * x + b * y + c + 0.5) for a, b, c in matrix)
    kept = (column >= 0) & (row >= 0) & (column < sensor_size[0]) & (row < sensor_size[1])
    moved = events[kept]
    moved["x"], moved["y"] = column[kept], row[kept]
    return moved


def move_images(images: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Images (N, H, W) under the same map."""
    cv2 = _import_cv2()
    moved = np.empty_like(images)
    for image, target in zip(images, moved, strict=True):
        size = (image.shape[1], image.shape[0])
        target[:] = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


@dataclass(frozen=True)
class RandomAffine(Augmentation):
    """Turn, scale and shift events and frames together.

    Args:
        degrees: angle, drawn from ±``degrees``.
        shift: of the width and of the height, each drawn from ±``shift``.
        scale: range of the factor, more than 0.
    """

    degrees: float = 15.0
    shift: float = 0.2
    scale: Range = (0.8, 1.2)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("degrees", self.degrees, 0, 180)
        check_number("shift", self.shift, 0, 1)
        check_bounds("scale", self.scale, 0.01, 100)

    def draw_matrix(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """One transform, (2, 3) as of :func:`affine_matrix`."""
        degrees = draw(generator, (-self.degrees, self.degrees))
        scale = draw(generator, self.scale)
        a, b = (draw(generator, (-self.shift, self.shift)) for _ in range(2))
        return affine_matrix(self.sensor_size, degrees, scale, (a, b))

    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Move both by one transform."""
        matrix = self.draw_matrix(generator)
        if frames is not None:
            frames = FrameStack(move_images(frames.images, matrix), frames.timestamps_us)
        return move_events(events, self.sensor_size, matrix), frames


def _import_cv2() -> Any:
    import cv2

    if in_worker():
        cv2.setNumThreads(0)  # the workers fill the cores
    return cv2
