"""What every augmentation promises."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from snnkd.events import EVENT_DTYPE, empty_events, make_events
from snnkd.events.augmentation import (
    EventDrop,
    HorizontalFlip,
    HotPixels,
    Noise,
    RandomAffine,
    TimeScale,
    standard_augmentation,
)
from snnkd.events.pair import FrameStack
from snnkd.recordings.recording import Frames

SENSOR = (48, 36)
KINDS = [RandomAffine, EventDrop, Noise, HotPixels, TimeScale, HorizontalFlip]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def same(a, b):
    return a.dtype == b.dtype and np.array_equal(a, b)


@every_kind
def test_results_are_events_in_order_inside_the_sensor_for_many_draws(kind, events, frames):
    augment = kind(SENSOR, 0)
    for _ in range(40):
        result, (images, times) = augment((events, frames))
        assert result.dtype == EVENT_DTYPE
        assert (np.diff(result["t"]) >= 0).all()
        assert ((result["x"] >= 0) & (result["x"] < SENSOR[0]) & (result["y"] >= 0) & (result["y"] < SENSOR[1])).all()
        assert (images.dtype, times.dtype) == (np.uint8, np.int64)
        assert images.shape == frames[0].shape
        assert (np.diff(times) >= 0).all()
        assert result.flags.writeable  # a new array: what was given is read-only


@every_kind
def test_the_same_generator_gives_the_same_and_another_something_else(kind, events, frames):
    one, two, other = (kind(SENSOR, seed)((events, frames)) for seed in (5, 5, 6))
    assert same(one[0], two[0])
    assert same(one[1][0], two[1][0])
    assert same(one[1][1], two[1][1])
    series = [kind(SENSOR, seed) for seed in (5, np.random.default_rng(5), 6)]
    first, again, different = ([augment(events) for _ in range(12)] for augment in series)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not all(same(a, b) for a, b in zip(first, different, strict=True))
    assert other[0].dtype == EVENT_DTYPE


@every_kind
def test_events_alone_change_as_they_do_in_a_pair(kind, events, frames):
    # The frames lie within the events' time here, so that they do not lengthen the span that noise falls into.
    inside = (frames[0], np.minimum(frames[1], events["t"][-1]))
    alone, (paired, _) = kind(SENSOR, 3)(events), kind(SENSOR, 3)((events, inside))
    assert same(alone, paired)


@every_kind
def test_a_generator_given_with_the_call_is_used_and_not_the_own(kind, events):
    augment = kind(SENSOR, 0)
    state = augment.generator.bit_generator.state
    one, two = (augment(events, np.random.default_rng(9)) for _ in range(2))
    assert same(one, two)
    assert augment.generator.bit_generator.state == state


@every_kind
def test_frames_come_back_as_what_they_came_in(kind, events, frames):
    results = [kind(SENSOR, 2)((events, given))[1] for given in (frames, FrameStack(*frames), Frames(*frames))]
    assert [type(result) for result in results] == [tuple, FrameStack, Frames]
    for images, times in (results[1], (results[2].images, results[2].timestamps_us)):
        assert same(images, results[0][0])
        assert same(times, results[0][1])
    assert kind(SENSOR, 2)((events, None))[1] is None


@every_kind
def test_neither_events_nor_frames_nor_both_are_needed(kind, frames):
    for data in (empty_events(), (empty_events(), None), (empty_events(), (frames[0][:0], frames[1][:0]))):
        result = kind(SENSOR, 0)(data)
        assert len(result if isinstance(result, np.ndarray) else result[0]) == 0
    result, (images, _) = kind(SENSOR, 0)((empty_events(), frames))
    assert result.dtype == EVENT_DTYPE
    assert len(images) == len(frames[0])


@every_kind
def test_events_in_disorder_come_out_in_order(kind, events):
    shuffled = events[np.random.default_rng(0).permutation(len(events))]
    assert (np.diff(kind(SENSOR, 1)(shuffled)["t"]) >= 0).all()


@every_kind
def test_it_is_a_frozen_dataclass_that_can_be_pickled(kind, events):
    augment = kind(SENSOR, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        augment.sensor_size = (1, 1)
    assert same(pickle.loads(pickle.dumps(augment))(events), kind(SENSOR, 4)(events))


@every_kind
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make_events([48], [0], [0], [0]), "event 0 lies at"),
        (np.zeros((3, 4)), "EVENT_DTYPE"),
        ([1, 2], "pair"),
        ((empty_events(), 7), "frames must have images"),
        ((empty_events(), (np.zeros((2, 36, 48)), np.zeros(2, np.int64))), "uint8"),
        ((empty_events(), (np.zeros((2, 36, 48), np.uint8), np.zeros(3, np.int64))), "timestamps_us"),
        ((empty_events(), (np.zeros((2, 48, 36), np.uint8), np.zeros(2, np.int64))), r"sensor's size \(48, 36\)"),
    ],
)
def test_what_is_no_data_is_told(kind, data, message):
    with pytest.raises(ValueError, match=message):
        kind(SENSOR, 0)(data)


@every_kind
def test_a_generator_must_be_given(kind):
    with pytest.raises(TypeError):
        kind(SENSOR, None)
    with pytest.raises(ValueError, match="sensor_size"):
        kind((0, 3), 0)


class Noisy(Dataset):
    """What two augmentations with one generator draw; the same recording at every index."""

    def __init__(self, seed):
        self.augment = standard_augmentation(SENSOR, seed)

    def __getitem__(self, index):
        own = self.augment.transforms[0].generator
        assert all(transform.generator is own for transform in self.augment.transforms)
        result = self.augment(
            make_events(np.arange(40), np.arange(36).repeat(2)[:40], np.arange(40) * 1000, np.ones(40))
        )
        return int(result["t"].sum()), int(result["x"].sum()), len(result)

    def __len__(self):
        return 12


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_draw_differently_and_repeatably(method):
    def read(torch_seed):
        generator = torch.Generator().manual_seed(torch_seed)
        loader = DataLoader(
            Noisy(0), None, num_workers=2, generator=generator, multiprocessing_context=method, persistent_workers=True
        )
        return [[tuple(numbers) for numbers in loader] for _ in range(2)]

    first, second = read(0)
    assert len(set(first + second)) == 24  # no worker repeats the other, nor an epoch the one before
    if method == "fork":
        assert read(0) == [first, second]
        assert read(1) != [first, second]


def test_the_one_transform_is_that_of_events_and_frames():
    # A bright pixel and an event at its place stay together under all that moves them.
    images = np.zeros((3, 36, 48), np.uint8)
    images[:, 15:22, 20:27] = 255
    events = make_events([23] * 3, [18] * 3, [0, 1000, 2000], [1] * 3)
    frames = (images, np.array([0, 1000, 2000]))
    checked = 0
    for seed in range(60):
        for kind in (RandomAffine, HorizontalFlip, TimeScale):
            moved, (pictures, times) = kind(SENSOR, seed)((events, frames))
            if len(moved):
                checked += 1
                assert moved["t"].tolist() == times.tolist()
                assert (pictures[np.arange(3), moved["y"], moved["x"]] == 255).all()
    assert checked > 150


def test_what_noise_adds_lies_within_the_time_of_frames_too():
    times = np.array([0, 4_000_000])
    events = make_events([1, 2], [1, 2], [1_000_000, 1_000_001], [0, 1])
    result, _ = Noise(SENSOR, 0, rate_hz=(5, 5))((events, (np.zeros((2, 36, 48), np.uint8), times)))
    assert len(result) == pytest.approx(4 * 5 * 36 * 48, rel=0.05)
    assert result["t"].min() < 10_000
    assert result["t"].max() > 3_990_000
