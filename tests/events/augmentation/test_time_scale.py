"""Time scale: one factor for events and frames, from their common begin."""

import numpy as np
import pytest

from snnkd.events import make_events
from snnkd.events.augmentation import TimeScale, scale_times

SENSOR = (48, 36)


def test_times_are_stretched_from_the_origin_with_halves_upwards():
    assert scale_times(np.array([100, 101, 103, 110]), 100, 1.5).tolist() == [100, 102, 105, 115]
    assert scale_times(np.array([100, 101, 103, 110]), 100, 0.5).tolist() == [100, 101, 102, 105]


@pytest.mark.parametrize("offset", [-5000, 0, 5000])
def test_events_and_frames_have_one_origin_the_earlier_of_them(offset):
    t = 1_605_537_493_718_345 + np.array([0, 1000, 70_000])
    events = make_events([1, 2, 3], [1, 2, 3], t, [0, 1, 0])
    frames = (np.zeros((3, 36, 48), np.uint8), t + offset)
    moved, (_, times) = TimeScale(SENSOR, 0, factor=(2, 2))((events, frames))
    origin = t[0] + min(offset, 0)
    assert (moved["t"] - origin).tolist() == (2 * (t - origin)).tolist()
    assert (times - origin).tolist() == (2 * (t + offset - origin)).tolist()
    for name in "xyp":
        assert moved[name].tolist() == events[name].tolist()


def test_slower_is_as_likely_as_faster(events):
    augment = TimeScale(SENSOR, 0, factor=(0.5, 2))
    length = np.ptp(events["t"])
    factors = np.array([np.ptp(augment(events)["t"]) / length for _ in range(400)])
    assert 0.5 <= factors.min() < 0.52
    assert 1.93 < factors.max() <= 2
    assert np.median(factors) == pytest.approx(1, abs=0.1)


def test_a_factor_of_one_changes_nothing(events, frames):
    moved, (images, times) = TimeScale(SENSOR, 0, factor=(1, 1))((events, frames))
    np.testing.assert_array_equal(moved, events)
    np.testing.assert_array_equal(images, frames[0])
    np.testing.assert_array_equal(times, frames[1])


@pytest.mark.parametrize(("first", "last"), [(0, 2**60), (2**63 - 1000, 2**63 - 1), (-(2**63), 2**63 - 1)])
def test_times_that_would_leave_their_type_are_told(first, last):
    with pytest.raises(ValueError, match="too far apart"):
        TimeScale(SENSOR, 0, factor=(2, 2))(make_events([0, 0], [0, 0], [first, last], [0, 0]))


@pytest.mark.parametrize("factor", [0, -1, float("nan")])
def test_the_function_tells_of_a_factor_that_cannot_be(factor):
    with pytest.raises(ValueError, match="factor must be a number"):
        scale_times(np.array([1, 2]), 0, factor)


@pytest.mark.parametrize("factor", [(0, 1), (2, 1), (1, 101), (-1, 1)])
def test_a_factor_out_of_range_is_told(factor):
    with pytest.raises(ValueError, match="factor"):
        TimeScale(SENSOR, 0, factor=factor)
