"""Batches of bytes: what the dataset gives, drawn from each clip's seed, whoever reads it."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from snnkd.datasets import EyeDataset, collate
from snnkd.datasets.sample import Sequence, Windows
from snnkd.training.augmentation import Augmentation
from snnkd.training.clip_operations import RandomAffine, TimeScale
from snnkd.training.clips import ByteClips, EpochShuffle, as_floats, whole

LENGTH = 30


class Numbered(EyeDataset):
    """Windows that tell their number: counts 1 at one place each, frames of one grey level."""

    population = "numbers"
    split_keys = ()
    input_size = (8, 8)

    def __init__(self, stride=1, steps=5, start="random"):
        self._set_clip(steps, stride, 1000, start)
        self.sequences = [Sequence(f"s{i}", "p", "fear", "normal", LENGTH - i) for i in range(9)]

    def read(self, index, windows):
        events = np.zeros((len(windows), 2, 8, 8), np.uint8)
        events[np.arange(len(windows)), 0, windows // 8, windows % 8] = 1
        frames = np.broadcast_to(windows.astype(np.uint8)[:, None, None], (len(windows), 8, 8))
        return Windows(events, frames.copy())


def loaded(data, augmentation=None, workers=0, batch=4, epoch=0, how=None):
    torch.manual_seed(3)
    sampler = EpochShuffle(len(data), epoch)
    clips = ByteClips(data, augmentation)
    return list(
        DataLoader(clips, batch, sampler=sampler, collate_fn=whole, num_workers=workers, multiprocessing_context=how)
    )


def by_clip(batches):
    """Each clip by its sequence."""
    return {
        int(i): {key: batch[key][:, k] for key in ("events", "frames")}
        for batch in batches
        for k, i in enumerate(batch["index"])
    }


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[i][key], b[i][key]) for i in a for key in a[i])


def test_floats_of_a_batch_are_the_samples():
    data = Numbered(start="centre")
    (batch,) = DataLoader(ByteClips(data), 9, collate_fn=whole)
    assert batch["events"].dtype == batch["frames"].dtype == torch.uint8
    plain = collate([data[i] for i in range(9)])
    floats = as_floats(batch)
    assert all(torch.equal(floats[key], plain[key]) for key in plain)
    assert all(floats[key].dtype == plain[key].dtype for key in plain)
    assert as_floats(floats) is floats


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_clips_do_not_depend_on_workers_or_batches(augmentation):
    data = Numbered()
    one = by_clip(loaded(data, augmentation))
    assert equal(one, by_clip(loaded(data, augmentation, batch=1)))
    for how in ("fork", "spawn"):
        assert equal(one, by_clip(loaded(data, augmentation, workers=2, how=how)))
    assert equal(one, by_clip(loaded(data, augmentation)))
    assert not equal(one, by_clip(loaded(data, augmentation, epoch=1)))


def test_ranks_share_the_clips_out_with_their_draws():
    from lightning.fabric.utilities.distributed import DistributedSamplerWrapper

    data = Numbered()
    data.sequences = data.sequences[:8]
    alone = by_clip(loaded(data, Augmentation()))
    shares = []
    for rank in range(2):
        torch.manual_seed(3)
        sampler = DistributedSamplerWrapper(EpochShuffle(8), num_replicas=2, rank=rank)
        clips = ByteClips(data, Augmentation())
        shares.append(by_clip(DataLoader(clips, 2, sampler=sampler, collate_fn=whole)))
    assert not shares[0].keys() & shares[1].keys()
    assert equal(alone, shares[0] | shares[1])


def windows_of(batches):
    return {i: clip["frames"][:, 0, 0, 0].tolist() for i, clip in by_clip(batches).items()}


@pytest.mark.parametrize("stride", [1, 3])
def test_clips_start_anywhere_and_keep_their_stride(stride):
    data = Numbered(stride)
    firsts = set()
    for epoch in range(60):
        for i, numbers in windows_of(loaded(data, epoch=epoch)).items():
            assert np.diff(numbers).tolist() == [stride] * 4
            assert numbers[-1] < LENGTH - i
            if i == 0:
                firsts.add(numbers[0])
    assert {0, LENGTH - 4 * stride - 1} <= firsts


def test_slower_and_faster_clips_stay_in_their_sequence():
    scale = Augmentation(affine=None, drop=None, noise=None, hot_pixels=None, time_scale=TimeScale((0.25, 4)))
    spans = []
    for epoch in range(40):
        batches = loaded(Numbered(), scale, epoch=epoch)
        for i, clip in by_clip(batches).items():
            numbers = clip["frames"][:, 0, 0, 0].int()
            assert (numbers.diff() >= 0).all()
            assert numbers.max() < LENGTH - i
            spans.append(int(numbers[-1] - numbers[0]))
            held = clip["events"][:, 0].flatten(1).sum(0)
            assert held.max() <= 1  # each event once, in one of the windows
            shown = torch.nonzero(held).flatten()
            assert shown.diff().eq(1).all()  # no window between was left out
    assert min(spans) == 0
    assert max(spans) > 12


def test_windows_apart_come_closer_or_go_further():
    scale = Augmentation(affine=None, drop=None, noise=None, hot_pixels=None, time_scale=TimeScale((0.5, 2)))
    seen = set()
    for epoch in range(40):
        for i, numbers in windows_of(loaded(Numbered(stride=4), scale, epoch=epoch)).items():
            apart = np.diff(numbers)
            assert apart.min() >= 1
            assert apart.max() - apart.min() <= 1
            assert numbers[-1] < LENGTH - i
            seen |= set(apart.tolist())
    assert {2, 3, 4, 5, 6, 7} <= seen


def test_a_sequence_just_as_long_as_the_clip_is_not_hurried():
    data = Numbered(steps=LENGTH - 8)
    data.sequences = data.sequences[8:]
    for factor, epoch in itertools.product((0.5, 1.0, 2.0), range(5)):
        scale = Augmentation(
            affine=None, drop=None, noise=None, hot_pixels=None, time_scale=TimeScale((factor, factor))
        )
        ((clip,),) = (by_clip(loaded(data, scale, epoch=epoch)).values(),)
        assert clip["events"].sum() == (LENGTH - 8 if factor <= 1 else 11)


def test_clips_that_start_at_a_fixed_place_are_not_scaled():
    data = Numbered(start="first")
    augmentation = Augmentation(affine=RandomAffine(0, 0, (1, 1)), drop=None, noise=None, hot_pixels=None)
    assert all(numbers == [0, 1, 2, 3, 4] for numbers in windows_of(loaded(data, augmentation)).values())
