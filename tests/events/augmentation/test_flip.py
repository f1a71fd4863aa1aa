"""The flip: both or neither, as often as asked, and twice is none."""

import numpy as np
import pytest

from snnkd.events.augmentation import HorizontalFlip

SENSOR = (48, 36)


def test_events_and_frames_are_mirrored_and_twice_is_none(events, frames):
    flip = HorizontalFlip(SENSOR, 0, probability=1.0)
    flipped, (images, times) = flip((events, frames))
    assert (flipped["x"] == 47 - events["x"]).all()
    for name in "ytp":
        np.testing.assert_array_equal(flipped[name], events[name])
    np.testing.assert_array_equal(images, frames[0][:, :, ::-1])
    np.testing.assert_array_equal(times, frames[1])
    back, (images, _) = flip((flipped, (images, times)))
    np.testing.assert_array_equal(back, events)
    np.testing.assert_array_equal(images, frames[0])


def test_it_is_done_as_often_as_asked(events):
    flip = HorizontalFlip(SENSOR, 0, probability=0.3)
    done = [flip(events)["x"][0] != events["x"][0] for _ in range(500)]
    assert np.mean(done) == pytest.approx(0.3, abs=0.07)
    never = HorizontalFlip(SENSOR, 0, probability=0)
    assert all(never(events)["x"][0] == events["x"][0] for _ in range(50))


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_a_probability_out_of_range_is_told(probability):
    with pytest.raises(ValueError, match="probability"):
        HorizontalFlip(SENSOR, 0, probability=probability)
