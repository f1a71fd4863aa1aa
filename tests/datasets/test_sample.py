import numpy as np
import pytest
import torch

from snnkd.datasets.sample import EyeDataset, collate, make_sample
from snnkd.errors import DatasetError


def sample(index: int, width: int = 8):
    events = np.full((5, 2, 6, width), index, np.uint8)
    frames = np.full((5, 6, width), 51, np.uint8)
    return make_sample(events, frames, label=index % 7, index=index)


def test_a_sample_has_the_promised_types_and_ranges():
    made = sample(3)
    assert made["events"].dtype == made["frames"].dtype == torch.float32
    assert made["events"].shape == (5, 2, 6, 8)
    assert made["frames"].shape == (5, 1, 6, 8)
    torch.testing.assert_close(made["frames"], torch.full((5, 1, 6, 8), 0.2))


def test_a_batch_is_time_major_and_keeps_the_order():
    batch = collate([sample(i) for i in (4, 8, 2)])
    assert batch["events"].shape == (5, 3, 2, 6, 8)
    assert batch["frames"].shape == (5, 3, 1, 6, 8)
    assert batch["labels"].dtype == torch.int64
    assert batch["labels"].tolist() == [4, 1, 2]
    assert batch["index"].tolist() == [4, 8, 2]
    assert batch["events"][0, :, 0, 0, 0].tolist() == [4.0, 8.0, 2.0]


def test_what_cannot_be_a_batch():
    with pytest.raises(ValueError, match="at least one"):
        collate([])
    with pytest.raises(ValueError, match="different shapes"):
        collate([sample(0), sample(1, width=9)])


class Bare(EyeDataset):
    def __init__(self, **clip):
        self._set_clip(**({"steps": 4, "stride": 3, "window_us": 1000, "start": "random"} | clip))


@pytest.mark.parametrize(("start", "first"), [("first", 0), ("centre", 5), ("last", 10)])
def test_windows_of_a_clip(start, first):
    assert Bare(start=start).clip_windows(20).tolist() == [first, first + 3, first + 6, first + 9]


def test_random_starts_follow_torch_and_reach_both_ends():
    data = Bare()
    torch.manual_seed(5)
    drawn = [int(data.clip_windows(13)[0]) for _ in range(100)]
    torch.manual_seed(5)
    assert drawn == [int(data.clip_windows(13)[0]) for _ in range(100)]
    assert set(drawn) == {0, 1, 2, 3}
    assert data.clip_windows(data.span).tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize(
    "clip",
    [{"steps": 0}, {"stride": -1}, {"window_us": 0}, {"start": "middle"}, {"steps": 2.5}, {"steps": True}],
)
def test_settings_of_a_clip_are_checked(clip):
    with pytest.raises(DatasetError, match=next(iter(clip))):
        Bare(**clip)
