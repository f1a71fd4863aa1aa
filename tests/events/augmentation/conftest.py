import numpy as np
import pytest

from snnkd.events import make_events

SENSOR = (48, 36)


@pytest.fixture
def events():
    """Two thousand over a second of epoch time, in order, anywhere on the sensor."""
    rng = np.random.default_rng(0)
    n = 2000
    t = 1_605_537_493_000_000 + np.sort(rng.integers(0, 1_000_000, n))
    made = make_events(rng.integers(0, SENSOR[0], n), rng.integers(0, SENSOR[1], n), t, rng.integers(0, 2, n))
    made.flags.writeable = False
    return made


@pytest.fixture
def frames(events):
    """Images and their times, as a tuple."""
    images = np.random.default_rng(1).integers(0, 256, (7, SENSOR[1], SENSOR[0]), np.uint8)
    times = events["t"][0] + 150_000 * np.arange(7)
    images.flags.writeable = times.flags.writeable = False
    return images, times
