"""Which part of the sensor a network sees."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ConfigError
from snnkd.events import centre_square

Crop = tuple[int, int, int, int]
Region = Literal["centre", "auto"] | Crop
"""The sensor's centred square, the square around where events are, or ``(x0, y0, w, h)``"""

SHARE = 0.98
"""Of events, in each direction, that lie inside what is found"""
MARGIN = 0.05
"""Of its side, on each side"""
SMALLEST = 16


def place_region(region: Region, sensor_size: tuple[int, int], counts: NDArray[np.int64] | None = None) -> Crop:
    """Return ``(x0, y0, w, h)`` on the sensor.

    ``auto`` takes, in each direction, what holds 98 % of the events of ``counts (H, W)``, hot pixels left out of it,
    and makes a square of the longer side and a margin, moved to lie inside the sensor. Where the sensor sees nothing
    but the eye this is close to the centred square, on which the models of this library are trained.

    Raises:
        ConfigError: a region that is not inside the sensor, or ``auto`` without any event.
    """
    width, height = sensor_size
    if region == "centre":
        return centre_square(sensor_size)
    if region == "auto":
        if counts is None or not counts.any():
            raise ConfigError("region: auto looks at where events are, and there are none")
        spans = [_span(counts.sum(axis)) for axis in (0, 1)]
        longest = max(high - low for low, high in spans)
        side = min(max(round(longest * (1 + 2 * MARGIN)), SMALLEST), width, height)
        x, y = (
            min(max((low + high - side) // 2, 0), whole - side)
            for (low, high), whole in zip(spans, sensor_size, strict=True)
        )
        return x, y, side, side
    if not isinstance(region, tuple) or len(region) != 4 or not all(isinstance(v, int) for v in region):
        raise ConfigError(f"region: must be centre, auto or x0,y0,w,h, got {region!r}")
    x, y, w, h = region
    if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
        raise ConfigError(f"region: {x},{y},{w},{h} (x0,y0,w,h) must lie inside the sensor of {width}×{height}")
    return region


def parse_region(text: str) -> Region:
    """Read ``centre``, ``auto`` or ``x0,y0,w,h``."""
    if text == "centre":
        return "centre"
    if text == "auto":
        return "auto"
    try:
        x, y, w, h = (int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"region: must be centre, auto or x0,y0,w,h, got {text!r}") from None
    return x, y, w, h


def _span(sums: NDArray[np.int64]) -> tuple[int, int]:
    """What holds :data:`SHARE` of the sums, the same left out on both sides."""
    gathered = np.cumsum(sums)
    out = (1 - SHARE) / 2 * gathered[-1]
    return int(np.searchsorted(gathered, out, side="right")), int(np.searchsorted(gathered, gathered[-1] - out)) + 1
