"""The compiled loop of the binning: one pass over the events, in any order."""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def count_events(events: Any, sensor: Any, crop: Any, start_us: int, window_us: int, saturation: int, out: Any) -> int:
    """Add the events to ``out`` (bins, 2, H, W); return the index of the first outside the sensor, or -1."""
    sensor_width, sensor_height = sensor
    left, top, crop_width, crop_height = crop
    bins, _, height, width = out.shape
    end_us = start_us + bins * window_us
    # A table instead of a division for each event.
    columns = np.arange(crop_width) * width // crop_width
    rows = np.arange(crop_height) * height // crop_height
    for i in range(events.shape[0]):
        event = events[i]
        x, y, t = np.int64(event["x"]), np.int64(event["y"]), event["t"]
        if x < 0 or y < 0 or x >= sensor_width or y >= sensor_height:
            return i
        x -= left
        y -= top
        if 0 <= x < crop_width and 0 <= y < crop_height and start_us <= t < end_us:
            channel = 1 if event["p"] else 0
            bin_index = (t - start_us) // window_us
            if out[bin_index, channel, rows[y], columns[x]] < saturation:
                out[bin_index, channel, rows[y], columns[x]] += 1
    return -1
