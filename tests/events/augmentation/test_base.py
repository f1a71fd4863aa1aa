"""What every augmentation promises."""

import dataclasses
import json
import os
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
    one, two = (kind(SENSOR, 5)((events, frames)) for _ in range(2))
    assert same(one[0], two[0])
    assert same(one[1][0], two[1][0])
    assert same(one[1][1], two[1][1])
    rows = []
    for seed in (5, 5, [5], [5, 1], 6, np.random.default_rng(5), np.random.default_rng(5), None, None):
        augment = kind(SENSOR, seed)
        rows.append([augment(events) for _ in range(12)])
    first, again, listed, longer, other, given, given_again, free, free_again = rows

    def alike(one, two):
        return all(same(a, b) for a, b in zip(one, two, strict=True))

    assert alike(first, again)
    assert alike(first, listed)
    assert alike(given, given_again)
    assert not any(alike(first, others) for others in (longer, other, given, free))
    assert not alike(free, free_again)


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
def test_seeds_may_be_given_with_the_call(kind, events):
    augment = kind(SENSOR)
    assert same(augment(events, 7), kind(SENSOR, 7)(events))
    assert same(augment(events, [7, 1, 2]), kind(SENSOR, [7, 1, 2])(events))
    assert len({kind(SENSOR)(events, [7, i]).tobytes() for i in range(12)}) > 1


@every_kind
@pytest.mark.parametrize(
    ("seed", "error"),
    [(-1, ValueError), ([], ValueError), ([3, -1], ValueError), (1.5, TypeError), ("a", TypeError), ([0.5], TypeError)],
)
def test_what_is_no_seed_is_told(kind, events, seed, error):
    with pytest.raises(error, match=r"generator must be a np.random.Generator or one or several seeds"):
        kind(SENSOR, seed)
    with pytest.raises(error, match="generator must be"):
        kind(SENSOR)(events, seed)


@every_kind
def test_sensor_sizes_are_checked_and_tonics_understood(kind, events):
    with pytest.raises(ValueError, match="sensor_size"):
        kind((0, 3), 0)
    with pytest.raises(ValueError, match="sensor_size"):
        kind((48, 36, 3), 0)
    assert kind((*SENSOR, 2)).sensor_size == SENSOR
    assert same(kind((*SENSOR, 2), 1)(events), kind(SENSOR, 1)(events))


def test_one_seed_in_two_augmentations_draws_apart():
    # One event each of whose changes tells what was drawn: flipped or not, later or earlier.
    events = make_events([0, 0], [0, 0], [0, 1_000_000], [1, 1])
    flip, scale, affine = HorizontalFlip(SENSOR, 0), TimeScale(SENSOR, 0), RandomAffine(SENSOR, 0)
    flipped = np.array([flip(events)["x"][0] > 0 for _ in range(400)])
    slower = np.array([scale(events)["t"][1] > 1_000_000 for _ in range(400)])
    clockwise = np.array([affine.draw_matrix(affine.generator)[1, 0] > 0 for _ in range(400)])
    for one, two in ((flipped, slower), (slower, clockwise)):
        assert (one == two).mean() == pytest.approx(0.5, abs=0.1)


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


class Drawing(Dataset):
    """What each of several augmentations draws, for every index anew."""

    def __init__(self):
        self.augment = [RandomAffine(SENSOR, 3), standard_augmentation(SENSOR, 3)]

    def __getitem__(self, index):
        events = make_events(np.arange(40), np.arange(36).repeat(2)[:40], np.arange(40) * 1000, np.ones(40))
        return [augment(events).tobytes().hex() for augment in self.augment]

    def __len__(self):
        return 6


def draw_in_rank(rank, folder, said_by):
    if said_by == "torch.distributed":
        rendezvous = f"file://{folder / 'rendezvous'}"
        torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    else:
        os.environ["RANK"] = str(rank)
    drawn = {}
    for workers, method in ((0, None), (2, "fork"), (1, "spawn")):
        torch.manual_seed(0)  # as in every process of distributed training
        loader = DataLoader(Drawing(), None, num_workers=workers, multiprocessing_context=method)
        drawn[str(method)] = list(loader)
    (folder / f"{rank}.json").write_text(json.dumps(drawn))
    if said_by == "torch.distributed":
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("said_by", ["torch.distributed", "RANK"])
def test_processes_of_distributed_training_draw_differently_and_repeatably(said_by, tmp_path):
    def draw_in_ranks(name):
        folder = tmp_path / name
        folder.mkdir()
        torch.multiprocessing.spawn(draw_in_rank, (folder, said_by), nprocs=2)
        return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]

    first, second = draw_in_ranks("one")
    for method in ("None", "fork", "spawn"):
        for of_one, of_other in zip(first[method], second[method], strict=True):
            assert not set(of_one) & set(of_other)
    assert first["None"] == list(DataLoader(Drawing(), None))  # the first process draws as one alone does
    assert draw_in_ranks("two") == [first, second]


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
