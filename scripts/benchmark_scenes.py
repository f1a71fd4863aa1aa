"""What the benchmarks of recordings are fed: a stream of events, and a film of an eye. No recording of anyone."""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from snnkd.events import Events, make_events


def edges(count: int, sensor_size: tuple[int, int], seed: int = 0) -> Events:
    """About ``count`` events as edges make them: short runs of neighbours in a row, at one time."""
    rng = np.random.default_rng(seed)
    runs = rng.integers(1, 12, count // 4)
    runs = runs[: np.searchsorted(np.cumsum(runs), count)]
    offset = np.arange(runs.sum()) - np.repeat(np.cumsum(runs) - runs, runs)
    x = np.repeat(rng.integers(0, sensor_size[0] - 12, len(runs)), runs) + offset
    y, p = (np.repeat(rng.integers(0, n, len(runs)), runs) for n in (sensor_size[1], 2))
    t = np.repeat(np.cumsum(rng.integers(0, 8, len(runs))), runs)
    return make_events(x, y, t, p)


def near_eye(count: int, rate_hz: float, sensor_size: tuple[int, int], seed: int = 0) -> NDArray[np.float32]:
    """Frames of an eye, (count, H, W) in 0..255 DN, at ``rate_hz`` a second; ``sensor_size`` is (W, H).

    Skin, lids, iris and white have texture, and all of it moves: the gaze wanders, and jumps twice a second; the head
    sways by a pixel or two.
    """
    (width, height), margin, side = sensor_size, 40, 240
    rng = np.random.default_rng(seed)

    def texture(shape: tuple[int, int], grain: float, contrast: float) -> NDArray[np.float32]:
        noise = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), grain)
        return noise / noise.std() * contrast

    around = (height + 2 * margin, width + 2 * margin)
    skin = 150 + texture(around, 2, 14) + texture(around, 12, 18)
    y, x = np.indices((side, side), np.float32) - side / 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    iris = 80 + 12 * np.sin(23 * angle + 0.15 * radius) + texture((side, side), 1.5, 8)
    white = 205 + texture((side, side), 3, 5)
    pupil = 1 / (1 + np.exp(np.minimum(radius - 26, 60) / 1.2))
    ball = 18 * pupil + np.where(radius < 62, iris, white) * (1 - pupil)
    y, x = np.indices((height, width), np.float32)
    opening = ((x - width / 2) / 130) ** 2 + ((y - height / 2) / 70) ** 2
    lids = 1 / (1 + np.exp(12 * (1 - opening)))
    frames = np.empty((count, height, width), np.float32)
    for frame, t in zip(frames, 2 * np.pi * np.arange(count) / rate_hz, strict=True):
        head = np.array([1.5 * np.sin(0.7 * t), 1.2 * np.sin(0.9 * t + 1)]) - margin
        gaze = np.array([34 * np.tanh(6 * np.sin(1.1 * t)), 14 * np.sin(0.8 * t)]) + (np.array(sensor_size) - side) / 2
        shown = [
            cv2.warpAffine(image.astype(np.float32), np.column_stack([np.eye(2), by]), sensor_size, borderValue=205)
            for image, by in ((skin, head), (ball, gaze))
        ]
        frame[:] = np.clip(shown[0] * lids + shown[1] * (1 - lids), 0, 255)
    return frames
