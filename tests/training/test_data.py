"""Batches: shuffled by epoch, augmented as asked for."""

import pytest
import torch

from snnkd.errors import ConfigError
from snnkd.training import EyeSimData, SEEData
from snnkd.training.augmentation import Augmentation
from snnkd.training.clip_operations import RandomAffine
from snnkd.training.clips import EpochShuffle


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


@pytest.mark.parametrize("kind", [EyeSimData, SEEData])
def test_the_augmentation_is_the_one_asked_for(kind):
    assert kind("x").augmentation == Augmentation.mild()
    assert kind("x", augmentation="standard").augmentation == Augmentation()
    assert kind("x", augmentation=None).augmentation is None
    changed = kind("x", augmentation={"affine": {"degrees": 1}, "noise": None}).augmentation
    assert changed == Augmentation(affine=RandomAffine(1), noise=None)
    with pytest.raises(ConfigError, match=r"Noise\.rate_hz must lie between"):
        kind("x", augmentation={"noise": {"rate_hz": [-1, 2]}})
