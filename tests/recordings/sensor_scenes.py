"""What the tests of the sensor model share: frames, a sensor with all its noise on, and the gaps between events."""

import numpy as np

from snnkd.recordings import SensorModel

EVERYTHING = SensorModel(
    0.2, 0.22, refractory_us=300, leak_rate_hz=4, leak_jitter=0.2, shot_noise_hz=6, cutoff_hz=60, seed=7
)


def moving_frames(count=12, shape=(9, 13), seed=3):
    """Random smooth frames over the whole range, dark ones included."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 25, (count, *shape)), 0) + rng.uniform(0, 255, shape)
    return np.clip(walk, 0, 255).astype(np.uint8), np.cumsum(rng.integers(900, 40_000, count))


def pixel_order(events):
    """The events pixel by pixel, each pixel's by time, and a key that says which is whose."""
    events = events[np.lexsort((events["t"], events["x"], events["y"]))]
    return events, events["y"].astype(int) * 40_000 + events["x"]


def gaps_of_pixels(events):
    """Times in µs between each event of a pixel and its next, pixel by pixel."""
    events, key = pixel_order(events)
    return np.diff(events["t"])[np.diff(key) == 0]


def first_times(events, shape):
    """The time of each pixel's first event, (H, W) µs; NaN for a pixel without."""
    times = np.full(shape, np.nan)
    events, key = pixel_order(events)
    first = events[np.unique(key, return_index=True)[1]]
    times[first["y"], first["x"]] = first["t"]
    return times
