"""Transforms in a row, ours and others', over arrays and pairs; and the usual row."""

import numpy as np
import pytest
import torch

from snnkd.events import BackgroundActivityFilter, RefractoryFilter, ToBins, ToWindows, empty_events
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


def test_seeds_given_with_the_call_are_shared_by_the_row(events):
    row = Compose([HorizontalFlip(SENSOR), Compose([TimeScale(SENSOR), Noise(SENSOR)])])
    np.testing.assert_array_equal(row(events, [1, 2, 3]), row(events, [1, 2, 3]))
    results = [row(events, [1, 2, i]) for i in range(8)]
    assert len({len(result) for result in results}) > 1
    with pytest.raises(TypeError, match="generator must be"):
        row(events, 0.5)


class Row:
    """Another library's row, with the name that theirs have."""

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, data):
        for transform in self.transforms:
            data = transform(data)
        return data


Row.__name__ = "Compose"


class OneOf(Row):
    """Not a row: taken apart it would do something else."""


@pytest.mark.parametrize("depth", [1, 2])
def test_augmentations_in_anothers_row_see_the_pair_and_the_generator(events, frames, depth):
    inner = [HorizontalFlip(SENSOR, 0, 1.0), every_second]
    for _ in range(depth):
        inner = [Row(inner)]
    result, (images, _) = Compose(inner)((events, frames))
    np.testing.assert_array_equal(result, HorizontalFlip(SENSOR, 0, 1.0)(events)[::2])
    np.testing.assert_array_equal(images, frames[0][:, :, ::-1])
    row = Compose([Row([Noise(SENSOR, 0)]), every_second])
    np.testing.assert_array_equal(row(events, 3), row(events, 3))


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (lambda flip: lambda events: flip(events), "<lambda>"),
        (lambda flip: OneOf([flip]), "OneOf"),
        (lambda flip: lambda events: Row([Compose([flip])])(events), "<lambda>"),
    ],
)
def test_an_augmentation_that_would_not_see_the_frames_is_told(events, frames, wrap, name):
    row = Compose([wrap(HorizontalFlip(SENSOR, 0, 1.0))])
    with pytest.raises(ValueError, match=f"HorizontalFlip inside {name} would change the events of a pair"):
        row((events, frames))
    # Nothing is left behind by the error, and without frames there is nothing to lose.
    flipped = HorizontalFlip(SENSOR, 0, 1.0)(events)
    np.testing.assert_array_equal(row(events), flipped)
    np.testing.assert_array_equal(row((events, None))[0], flipped)
    dropped = Compose(row.transforms, frames="drop")((events, frames))
    np.testing.assert_array_equal(dropped[0], flipped)
    assert dropped[1] is None
    kept = Compose(row.transforms, frames="keep")((events, frames))
    np.testing.assert_array_equal(kept[1][0], frames[0])


def test_filters_and_binnings_do_not_drop_the_frames(events, frames):
    row = Compose([RefractoryFilter(SENSOR), HorizontalFlip(SENSOR, 0), ToBins(SENSOR, 3)], frames="drop")
    assert row((events, frames))[1] is not None


def test_a_tensor_goes_on_to_further_transforms(events, frames):
    row = Compose([ToWindows(SENSOR, 100_000, 5), torch.from_numpy, torch.log1p])
    bins, (images, _) = row((events, frames))
    torch.testing.assert_close(bins, row(events))
    assert bins.shape == (5, 2, 36, 48)
    assert len(images) == len(frames[0])


def test_an_unknown_policy_is_told():
    with pytest.raises(ValueError, match="frames must be one of check, keep, drop"):
        Compose([], frames="lose")


def test_what_cannot_be_called_is_told():
    with pytest.raises(ValueError, match="callables"):
        Compose((RandomAffine(SENSOR, 0), 3))
