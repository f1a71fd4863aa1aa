"""Transforms in a row, ours and others', over arrays and pairs; and the usual row."""

import numpy as np
import pytest

from snnkd.events import BackgroundActivityFilter, RefractoryFilter, ToBins, empty_events
from snnkd.events.augmentation import (
    Compose,
    EventDrop,
    HorizontalFlip,
    HotPixels,
    Noise,
    RandomAffine,
    TimeScale,
    standard_augmentation,
)

SENSOR = (48, 36)


def every_second(events):
    """A transform that knows nothing of pairs."""
    assert isinstance(events, np.ndarray)
    return events[::2]


def test_they_are_applied_in_order_and_others_see_the_events_alone(events, frames):
    row = Compose((HorizontalFlip(SENSOR, 0, 1.0), every_second, RefractoryFilter(SENSOR, 10)))
    flipped = HorizontalFlip(SENSOR, 0, 1.0)
    expected = RefractoryFilter(SENSOR, 10)(flipped(events)[::2])
    np.testing.assert_array_equal(row(events), expected)
    result, (images, times) = row((events, frames))
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(images, frames[0][:, :, ::-1])
    np.testing.assert_array_equal(times, frames[1])


def test_rows_nest_and_the_last_may_make_a_tensor(events, frames):
    row = Compose([Compose([RandomAffine(SENSOR, 0), every_second]), Noise(SENSOR, 0), ToBins(SENSOR, 10)])
    bins, (images, _) = row((events, frames))
    assert bins.shape == (10, 2, 36, 48)
    assert images.shape == frames[0].shape
    assert row(empty_events()).shape == (10, 2, 36, 48)


def test_filters_take_pairs_and_events_in_disorder(events, frames):
    shuffled = events[np.random.default_rng(0).permutation(len(events))]
    for filter_ in (RefractoryFilter(SENSOR, 300_000), BackgroundActivityFilter(SENSOR, 20_000, 2)):
        kept, same_frames = filter_((shuffled, frames))
        assert 0 < len(kept) < len(events)
        assert (np.diff(kept["t"]) >= 0).all()
        assert same_frames is not None
        np.testing.assert_array_equal(same_frames[0], frames[0])


def kinds(row):
    return [type(transform) for transform in row.transforms]


def test_the_usual_row_flips_only_when_asked_and_draws_from_one_generator(events, frames):
    usual = [TimeScale, RandomAffine, EventDrop, Noise, HotPixels]
    assert kinds(standard_augmentation(SENSOR, 0)) == usual
    row = standard_augmentation(SENSOR, 0, flip=True)
    assert kinds(row) == [HorizontalFlip, *usual]
    assert len({id(transform.generator) for transform in row.transforms}) == 1
    one, two = (standard_augmentation(SENSOR, 3)((events, frames)) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1][0], two[1][0])


def test_a_generator_given_with_the_call_repeats_a_sample(events, frames):
    row = Compose([standard_augmentation(SENSOR, 0), every_second])
    one = row((events, frames), np.random.default_rng([1, 2, 3]))
    row(events)
    two = row((events, frames), np.random.default_rng([1, 2, 3]))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1][0], two[1][0])
    np.testing.assert_array_equal(one[1][1], two[1][1])
    assert len(row((events, frames), np.random.default_rng([1, 2, 4]))[0]) != len(one[0])


def test_what_cannot_be_called_is_told():
    with pytest.raises(ValueError, match="callables"):
        Compose((RandomAffine(SENSOR, 0), 3))
