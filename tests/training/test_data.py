"""Batches: shuffled by epoch, shifted together."""

import pytest
import torch

from snnkd.errors import ConfigError
from snnkd.training.data import EpochShuffle, EyeSimData, random_shift


def test_a_shift_moves_events_and_frames_by_the_same_pixels():
    torch.manual_seed(0)
    events, frames = torch.zeros(3, 20, 2, 16, 16), torch.zeros(3, 20, 1, 16, 16)
    events[..., 8, 8] = 1
    frames[..., 8, 8] = 1
    moved = random_shift({"events": events, "frames": frames, "labels": torch.arange(20)}, 3)
    places = set()
    for i in range(20):
        (place,) = moved["events"][0, i, 0].nonzero().tolist()
        assert moved["events"][:, i].nonzero()[:, 2:].unique(dim=0).tolist() == [place]  # all steps and polarities
        assert moved["frames"][:, i].nonzero()[:, 2:].unique(dim=0).tolist() == [place]
        places.add(tuple(place))
    assert len(places) > 10
    assert all(abs(y - 8) <= 3 and abs(x - 8) <= 3 for y, x in places)
    assert torch.equal(moved["labels"], torch.arange(20))


def test_what_moves_in_is_silence_and_the_frames_border():
    batch = {
        "events": torch.ones(1, 50, 2, 8, 8),
        "frames": torch.full((1, 50, 1, 8, 8), 0.5),
        "labels": torch.arange(50),
    }
    moved = random_shift(batch, 2)
    assert (moved["frames"] == 0.5).all()
    assert set(moved["events"].unique().tolist()) == {0.0, 1.0}


def test_an_epochs_order_depends_on_seed_and_epoch_alone():
    torch.manual_seed(5)
    sampler = EpochShuffle(30)
    first = list(sampler)
    torch.rand(7)
    assert list(sampler) == first
    assert sorted(index for index, _ in first) == list(range(30))
    assert len({seed for _, seed in first}) == 30
    sampler.set_epoch(1)
    assert list(sampler) != first
    torch.manual_seed(6)
    assert list(EpochShuffle(30)) != first


def test_a_negative_shift_is_refused():
    with pytest.raises(ConfigError, match="shift: must be zero or above"):
        EyeSimData("x", shift=-1)
