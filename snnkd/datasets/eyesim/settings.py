"""How synthetic recordings are made: size, length, rates, sensor."""

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.eyesim.lighting import HEADROOM
from snnkd.errors import DatasetError
from snnkd.recordings import SensorModel

VERSION = 4
"""Version of the simulator: a change that alters recordings raises it, so that old and new are not mixed."""

SIDES = (16, 4096)
RANGES: dict[str, tuple[float, float]] = {
    "duration_s": (0.1, 3600.0),
    "frame_rate": (1.0, 10_000.0),
    "substeps": (1, 1000),
    "frame_noise": (0.0, 255.0),
}
"""Least and most that a setting may be, both allowed."""


def _sensor() -> SensorModel:
    """A DAVIS346 whose knee is that of :class:`SensorModel` on a scene drawn ``HEADROOM`` times darker."""
    return SensorModel.davis346(linear_below=20.0 / HEADROOM, cutoff_hz=800.0)


@dataclass(frozen=True)
class Settings:
    """How recordings are made.

    Attributes:
        size: image and sensor size (W, H) in pixels, each in 16..4096.
        duration_s: length of a recording in seconds, at most 3600.
        frame_rate: frames per second, at most 10,000; the period is rounded to whole µs, 33,333 µs at 30.
        substeps: images rendered per frame for the sensor model, 1..1000.
        sensor: the sensor model; its seed is replaced by one of the take's own, and the lighting raises its shot noise.
        frame_noise: standard deviation of the camera's read noise in DN; photon noise of ``0.2·sqrt(DN)``
            joins it, and the lighting's gain raises both.

    Raises :class:`DatasetError` naming the setting that is out of range.
    """

    size: tuple[int, int] = (64, 64)
    duration_s: float = 1.5
    frame_rate: float = 30.0
    substeps: int = 8
    sensor: SensorModel = field(default_factory=_sensor)
    frame_noise: float = 1.5

    def __post_init__(self) -> None:
        pair = isinstance(self.size, tuple | list) and len(self.size) == 2
        if not pair or not all(_is_within(side, SIDES, Integral) for side in self.size):
            raise DatasetError(f"size is {self.size!r}; it must be (W, H) of {SIDES[0]} to {SIDES[1]} pixels each")
        for name, limits in RANGES.items():
            if not _is_within(getattr(self, name), limits, Integral if name == "substeps" else Real):
                least, most = limits
                raise DatasetError(f"{name} is {getattr(self, name)!r}; it must be at least {least} and at most {most}")

    @property
    def frame_period_us(self) -> int:
        """Time between two frames in µs."""
        return round(1e6 / self.frame_rate)

    @property
    def length_us(self) -> int:
        """Time from the first frame of a recording to its last in µs."""
        return self._frames(self.duration_s) * self.frame_period_us

    def subframe_times(self, duration_s: float) -> NDArray[np.int64]:
        """Times in µs of all images to render, ``(n·substeps + 1,)``; every ``substeps``-th is a frame."""
        step = np.arange(self._frames(duration_s) * self.substeps + 1, dtype=np.int64)
        return step * self.frame_period_us // self.substeps

    def _frames(self, duration_s: float) -> int:
        return max(round(duration_s * self.frame_rate), 1)


def _is_within(value: Any, limits: tuple[float, float], kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and limits[0] <= value <= limits[1]
