"""A tonic user's pipeline over our arrays and datasets."""

import numpy as np
import pytest
import torch

from snnkd import open_recording
from snnkd.datasets import EyeSim
from snnkd.events import (
    EVENT_DTYPE,
    BackgroundActivityFilter,
    HotPixelFilter,
    RefractoryFilter,
    ToBins,
    ToWindows,
    bin_by_span,
    make_events,
)
from snnkd.events.augmentation import Compose, EventDrop, HorizontalFlip, HotPixels, Noise, RandomAffine, TimeScale

tonic = pytest.importorskip("tonic", reason="tonic is an extra of the tests")

SENSOR = (32, 32)
TONIC_SENSOR = (*SENSOR, 2)


def some_events(seed=0, n=5000, duration_us=400_000):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, duration_us, n))
    return make_events(rng.integers(0, SENSOR[0], n), rng.integers(0, SENSOR[1], n), t, rng.integers(0, 2, n))


class Recordings:
    """Events and label of each recording of an EyeSim set, as tonic's datasets give them."""

    def __init__(self, data, transform=None):
        self.data = data
        self.transform = transform
        self.read = 0

    def __getitem__(self, index):
        sequence = self.data.sequences[index]
        self.read += 1
        events = open_recording(self.data.root / sequence.name).events
        return self.transform(events) if self.transform else events, sequence.label

    def __len__(self):
        return len(self.data)


class Clips:
    """The clips of one of our datasets as the (data, target) that tonic's wrappers ask for."""

    def __init__(self, data):
        self.data = data

    def __getitem__(self, index):
        sample = self.data[index]
        return {"events": sample["events"].numpy(), "frames": sample["frames"].numpy()}, sample["label"]

    def __len__(self):
        return len(self.data)


@pytest.fixture
def eyesim(eyesim_root):
    return EyeSim(eyesim_root, "test", steps=4, window_us=33_333, size=(16, 16))


def test_our_dtype_is_tonics():
    assert tonic.io.events_struct == EVENT_DTYPE
    assert tonic.io.make_structured_array([1], [2], [3], [1]).dtype == EVENT_DTYPE


OURS_AND_TONICS = [
    RandomAffine(SENSOR, 0),
    tonic.transforms.TimeJitter(std=50, clip_negative=True),  # leaves events in disorder
    TimeScale(SENSOR, 1),
    tonic.transforms.DropEvent(p=0.1),
    Noise(SENSOR, 2),
    tonic.transforms.SpatialJitter(sensor_size=TONIC_SENSOR, var_x=0.3, var_y=0.3, clip_outliers=True),
    HotPixels(SENSOR, 3),
    EventDrop(SENSOR, 4),
    tonic.transforms.Denoise(filter_time=20_000),
    RefractoryFilter(SENSOR, 100),
    tonic.transforms.RandomFlipLR(sensor_size=TONIC_SENSOR),
    BackgroundActivityFilter(SENSOR, 50_000),
]


@pytest.mark.parametrize("compose", [tonic.transforms.Compose, Compose], ids=["tonic's", "ours"])
def test_transforms_mix_in_both_composes(compose):
    events = some_events()
    before = events.copy()
    for _ in range(5):
        result = compose(OURS_AND_TONICS)(events)
        assert result.dtype == EVENT_DTYPE
        assert len(result) > 0
        assert (np.diff(result["t"]) >= 0).all()
        assert ((result["x"] >= 0) & (result["x"] < 32) & (result["y"] >= 0) & (result["y"] < 32)).all()
    np.testing.assert_array_equal(events, before)


def test_tensors_of_both_end_both_composes():
    for compose in (tonic.transforms.Compose, Compose):
        row = [Noise(SENSOR, 0), tonic.transforms.DropEvent(p=0.1)]
        frames = compose([*row, tonic.transforms.ToFrame(sensor_size=TONIC_SENSOR, n_time_bins=7)])(some_events())
        assert frames.shape == (7, 2, 32, 32)
        for last in (ToBins(SENSOR, 7), ToWindows(SENSOR, 60_000, 7), ToBins(TONIC_SENSOR, 7, (0, 400_000))):
            bins = compose([*row, last])(some_events())
            assert bins.shape == (7, 2, 32, 32)
            assert bins.sum() > 4000


@pytest.mark.parametrize("compose", [tonic.transforms.Compose, Compose], ids=["tonic's", "ours"])
def test_a_time_scale_is_still_there_in_windows(compose):
    events = some_events()
    row = compose([TimeScale(SENSOR, 0, factor=(1.25, 1.25)), ToWindows(SENSOR, 50_000, 10)])
    np.testing.assert_array_equal(
        row(events).sum((1, 2, 3))[:9], ToWindows(SENSOR, 40_000, 10)(events).sum((1, 2, 3))[:9]
    )


@pytest.mark.parametrize("order", ["xypt", "txyp", "xytp"])
def test_events_of_tonics_datasets_go_through_a_mixed_row(order):
    events = some_events()
    theirs = tonic.io.make_structured_array(
        *(events[name] for name in order), dtype=np.dtype([(name, int) for name in order])
    )
    row = Compose(
        [tonic.transforms.DropEvent(p=0.1), RandomAffine(TONIC_SENSOR, 0), ToWindows(TONIC_SENSOR, 60_000, 7)]
    )
    assert row(theirs).shape == (7, 2, 32, 32)
    np.testing.assert_array_equal(ToBins(SENSOR, 5)(theirs), ToBins(SENSOR, 5)(events))


def pair():
    return some_events(), (np.arange(3 * 32 * 32, dtype=np.uint32).astype(np.uint8).reshape(3, 32, 32), np.arange(3))


def test_tonics_row_around_ours_moves_the_frames_too():
    row = Compose([tonic.transforms.Compose([HorizontalFlip(SENSOR, 0, 1.0), tonic.transforms.DropEvent(p=0.5)])])
    (_, frames), (_, (images, _)) = pair(), row(pair())
    np.testing.assert_array_equal(images, frames[0][:, :, ::-1])


MOVERS = [
    tonic.transforms.RandomFlipLR(sensor_size=TONIC_SENSOR),
    tonic.transforms.RandomFlipUD(sensor_size=TONIC_SENSOR),
    tonic.transforms.CenterCrop(sensor_size=TONIC_SENSOR, size=(16, 16)),
    tonic.transforms.RandomCrop(sensor_size=TONIC_SENSOR, target_size=(16, 16)),
    tonic.transforms.Downsample(spatial_factor=0.5),
    tonic.transforms.EventDownsampling(
        sensor_size=TONIC_SENSOR, target_size=(16, 16), dt=0.01, downsampling_method="integrator", noise_threshold=1
    ),
    tonic.transforms.TimeAlignment(),
    tonic.transforms.TimeSkew(coefficient=1.5),
    tonic.transforms.RandomTimeReversal(),
]


@pytest.mark.parametrize("mover", MOVERS, ids=lambda mover: type(mover).__name__)
@pytest.mark.parametrize("wrap", [lambda mover: mover, lambda mover: tonic.transforms.Compose([mover])])
def test_what_moves_events_and_not_frames_is_told(mover, wrap):
    with pytest.raises(
        ValueError, match=f"tonic's {type(mover).__name__} moves the events of a pair and not its frames"
    ):
        Compose([wrap(mover)])(pair())
    assert Compose([wrap(mover)], frames="drop")(pair())[1] is None
    assert Compose([wrap(mover)], frames="keep")(pair())[1] is not None
    assert Compose([wrap(mover)])((some_events(), None))[1] is None
    assert len(Compose([wrap(mover)])(some_events()))


def test_the_list_of_what_moves_names_transforms_that_tonic_has():
    from snnkd.events.augmentation import compose

    assert {type(mover).__name__ for mover in MOVERS} == compose.MOVERS
    assert all(hasattr(tonic.transforms, name) for name in compose.MOVERS)


def test_where_no_event_is_on_an_edge_the_bins_are_tonics():
    t = np.arange(1000) * 10
    rng = np.random.default_rng(0)
    events = make_events(rng.integers(0, 32, 1000), rng.integers(0, 32, 1000), t, rng.integers(0, 2, 1000))
    theirs = tonic.transforms.ToFrame(sensor_size=TONIC_SENSOR, n_time_bins=9)(events.copy())
    ours = bin_by_span(events, SENSOR, 9)
    assert ours.sum() == 1000
    assert theirs.sum() == 999  # tonic's last edge is open: the last event is lost
    last = events[-1]
    ours[-1, int(last["p"]), last["y"], last["x"]] -= 1
    np.testing.assert_array_equal(ours, theirs)


def test_a_pair_goes_through_tonics_compose_with_tonics_own_wrapped_in_ours():
    frames = (np.zeros((3, 32, 32), np.uint8), np.array([0, 100_000, 200_000]))
    row = [RandomAffine(SENSOR, 0), Compose([tonic.transforms.DropEvent(p=0.5)]), HotPixelFilter(SENSOR)]
    events, (images, times) = tonic.transforms.Compose(row)((some_events(), frames))
    assert 0 < len(events) < 3000
    assert images.shape == (3, 32, 32)
    assert times.tolist() == [0, 100_000, 200_000]


def test_our_recordings_are_sliced(eyesim, tmp_path):
    whole = Recordings(eyesim)
    row = tonic.transforms.Compose([RefractoryFilter(SENSOR, 10), ToBins(SENSOR, 4)])
    for _ in range(2):  # the second time from the metadata on disk
        sliced = tonic.SlicedDataset(
            whole,
            slicer=tonic.slicers.SliceByTime(time_window=100_000),
            metadata_path=str(tmp_path / "slices"),
            transform=row,
        )
        assert len(sliced) >= 3 * len(whole)
        for i in (0, len(sliced) - 1):
            bins, label = sliced[i]
            assert bins.shape == (4, 2, 32, 32)
            assert bins.any()
            recording, _ = sliced.slice_dataset_map[i]
            assert label == eyesim.sequences[recording].label


def test_our_recordings_are_cached_on_disk(eyesim, tmp_path):
    whole = Recordings(eyesim)
    cached = tonic.DiskCachedDataset(
        whole, cache_path=str(tmp_path / "cache"), transform=Compose([RandomAffine(SENSOR, 0), ToBins(SENSOR, 5)])
    )
    first = [cached[i] for i in range(3)]
    assert whole.read == 3
    again = [cached[i] for i in range(3)]
    assert whole.read == 3
    for (bins, label), (others, same_label), sequence in zip(first, again, eyesim.sequences, strict=False):
        assert bins.shape == (5, 2, 32, 32)
        assert label == same_label == sequence.label
        assert not np.array_equal(bins, others)  # augmented anew after the cache
    plain = tonic.DiskCachedDataset(whole, cache_path=str(tmp_path / "cache"))
    events, _ = plain[1]
    assert events.dtype == EVENT_DTYPE
    np.testing.assert_array_equal(events, whole[1][0])


def test_our_clips_are_cached_on_disk(eyesim, tmp_path):
    clips = Clips(eyesim)
    cached = tonic.DiskCachedDataset(clips, cache_path=str(tmp_path / "clips"))
    for _ in range(2):
        data, label = cached[2]
        sample = eyesim[2]
        np.testing.assert_array_equal(data["events"], sample["events"])
        np.testing.assert_array_equal(data["frames"], sample["frames"])
        assert label == sample["label"]


def test_tonics_loader_pads_our_bins(eyesim):
    recordings = Recordings(eyesim, transform=ToBins(SENSOR, 6))
    loader = torch.utils.data.DataLoader(
        recordings, batch_size=3, collate_fn=tonic.collation.PadTensors(batch_first=False), num_workers=2
    )
    batch, labels = next(iter(loader))
    assert batch.shape == (6, 3, 2, 32, 32)
    assert labels.tolist() == [sequence.label for sequence in eyesim.sequences[:3]]
