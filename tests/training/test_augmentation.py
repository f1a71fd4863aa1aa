"""Augmentation of binned clips, against references written out in NumPy."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import ConfigError
from snnkd.events.augmentation import affine_matrix
from snnkd.training._clip_work import streams, uniforms
from snnkd.training.augmentation import Augmentation
from snnkd.training.clip_operations import (
    EventDrop,
    HorizontalFlip,
    HotPixels,
    Noise,
    RandomAffine,
    TimeScale,
    scale_time,
)

NOTHING = {"flip": None, "time_scale": None, "affine": None, "drop": None, "noise": None, "hot_pixels": None}
WINDOW = 33_333


def only(**kinds):
    return Augmentation(**(NOTHING | kinds))


def seeds(number, begin=0):
    return np.arange(begin, begin + number).astype(np.uint64)


def clips(steps=4, number=6, height=16, width=20, density=0.1, seed=0):
    rng = np.random.default_rng(seed)
    shape = (steps, number, 2, height, width)
    events = rng.integers(1, 5, shape) * (rng.random(shape) < density)
    return events.astype(np.uint8), rng.integers(0, 256, (steps, number, height, width), dtype=np.uint8)


def applied(augmentation, events, frames, given):
    return augmentation.apply(events.copy(), frames.copy(), given, WINDOW)


def test_draws_are_uniform_and_apart():
    draws = uniforms(seeds(20_000), "x", 3)
    assert draws.min() >= 0
    assert draws.max() < 1
    for column in draws.T:
        counts = np.histogram(column, 20, (0, 1))[0]
        assert ((counts - 1000) ** 2 / 1000).sum() < 44  # chi-squared, 19 degrees of freedom, p = 0.001
    assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.03
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.03  # neighbouring seeds
    assert not np.array_equal(draws, uniforms(seeds(20_000), "y", 3))
    assert len(np.unique(streams(seeds(1000), "x"))) == 1000


def test_a_clips_draws_depend_on_its_seed_alone():
    events, frames = clips(number=8)
    augmentation = Augmentation(flip=HorizontalFlip())
    whole = applied(augmentation, events, frames, seeds(8))
    for chosen in ([5], [7, 2], [0, 1, 2]):
        part = applied(augmentation, events[:, chosen], frames[:, chosen], seeds(8)[chosen])
        for a, b in zip(part, whole, strict=True):
            np.testing.assert_array_equal(a, b[:, chosen])
    other = applied(augmentation, events, frames, seeds(8, begin=100))
    assert all((a != b).any() for a, b in zip(whole, other, strict=True))


def test_doing_nothing_changes_nothing():
    events, frames = clips()
    for augmentation in (
        only(),
        only(affine=RandomAffine(0, 0, (1, 1))),
        only(drop=EventDrop(("nothing",))),
        only(drop=EventDrop(time=(0, 0), area=(0, 0), random=(0, 0))),
        only(flip=HorizontalFlip(0)),
        only(noise=Noise((0, 0)), hot_pixels=HotPixels((0, 0))),
    ):
        for a, b in zip(applied(augmentation, events, frames, seeds(6)), (events, frames), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("width", "height"), [(20, 16), (9, 7), (1, 5), (6, 1)])
def test_the_map_takes_events_from_the_nearest_pixel_and_frames_from_four(width, height):
    events, frames = clips(height=height, width=width, density=0.5)
    affine = RandomAffine()
    got_events, got_frames = applied(only(affine=affine), events, frames, seeds(6))
    for b, matrix in enumerate(affine.matrices(seeds(6), (width, height))):
        inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
        for y in range(height):
            for x in range(width):
                u, v, _ = inverse @ [x, y, 1]
                column, row = math.floor(u + 0.5), math.floor(v + 0.5)
                inside = 0 <= column < width and 0 <= row < height
                expected = events[:, b, :, row, column] if inside else np.zeros((4, 2))
                np.testing.assert_array_equal(got_events[:, b, :, y, x], expected)
        for t in range(4):
            grid = np.mgrid[:height, :width][::-1].reshape(2, -1)
            u, v = (inverse @ np.vstack([grid, np.ones(width * height)]))[:2]
            u, v = np.clip(u, 0, width - 1), np.clip(v, 0, height - 1)
            left, top = np.minimum(u.astype(int), max(width - 2, 0)), np.minimum(v.astype(int), max(height - 2, 0))
            image, p, q = frames[t, b].astype(float), u - left, v - top
            right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
            upper = (1 - p) * image[top, left] + p * image[top, right]
            lower = (1 - p) * image[below, left] + p * image[below, right]
            reference = ((1 - q) * upper + q * lower).reshape(height, width)
            assert np.abs(got_frames[t, b] - reference).max() <= 1.6  # eight bits of weight on each side


def test_frames_move_as_opencv_moves_them():
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (40, 48), dtype=np.uint8), (0, 0), 3)
    frames = np.repeat(smooth[None, None], 5, 1)
    affine = RandomAffine()
    _, moved = applied(only(affine=affine), np.zeros((1, 5, 2, 40, 48), np.uint8), frames, seeds(5))
    for b, matrix in enumerate(affine.matrices(seeds(5), (48, 40))):
        expected = cv2.warpAffine(smooth, matrix, (48, 40), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        assert np.abs(moved[0, b].astype(int) - expected).max() <= 2


def test_maps_have_the_ranges_that_were_asked_for():
    matrices = RandomAffine(15, 0.2, (0.8, 1.2)).matrices(seeds(500), (40, 30))
    scales = np.sqrt(np.linalg.det(matrices[:, :, :2]))
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    centre = np.array([19.5, 14.5])
    shifts = (matrices[:, :, :2] @ centre + matrices[:, :, 2] - centre) / (40, 30)
    for drawn, low, high in ((scales, 0.8, 1.2), (angles, -15, 15), (shifts, -0.2, 0.2)):
        assert low <= drawn.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < drawn.max() <= high
    np.testing.assert_allclose(RandomAffine(0, 0, (1, 1)).matrices(seeds(1), (40, 30))[0], affine_matrix((40, 30)))


def test_a_flip_mirrors_both_and_only_some():
    events, frames = clips(number=200, steps=1, height=4, width=6)
    got = applied(only(flip=HorizontalFlip(0.5)), events, frames, seeds(200))
    mirrored = [np.array_equal(got[0][:, b], events[:, b, ..., ::-1]) for b in range(200)]
    for b in range(200):
        source = (events[:, b, ..., ::-1], frames[:, b, :, ::-1]) if mirrored[b] else (events[:, b], frames[:, b])
        np.testing.assert_array_equal(got[0][:, b], source[0])
        np.testing.assert_array_equal(got[1][:, b], source[1])
    assert 70 < sum(mirrored) < 130


def test_a_flip_and_a_map_follow_one_another():
    events, frames = clips()
    both = applied(only(flip=HorizontalFlip(1), affine=RandomAffine()), events, frames, seeds(6))
    mirrored = applied(only(flip=HorizontalFlip(1)), events, frames, seeds(6))
    np.testing.assert_array_equal(both[0], applied(only(affine=RandomAffine()), *mirrored, seeds(6))[0])


def test_dropping_windows_an_area_and_at_random():
    events, frames = clips(steps=10, number=300, density=1)
    got, seen = applied(only(drop=EventDrop()), events, frames, seeds(300))
    np.testing.assert_array_equal(seen, frames)
    assert (got <= events).all()
    ways = {"nothing": 0, "time": 0, "area": 0, "random": 0}
    for b in range(300):
        lost = got[:, b] != events[:, b]
        if not lost.any():
            ways["nothing"] += 1
            continue
        windows = (got[:, b] == 0).all((1, 2, 3))
        if windows.any():
            ways["time"] += 1
            at = np.flatnonzero(windows)
            assert len(at) == at[-1] - at[0] + 1  # adjoining
            assert 1 <= len(at) <= 9
            assert not lost[~windows].any()
            continue
        rows, columns = np.flatnonzero(lost.any((0, 1, 3))), np.flatnonzero(lost.any((0, 1, 2)))
        box = (slice(None), slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        if (got[:, b][box] == 0).all():
            ways["area"] += 1
            assert round(0.05 * 16) <= len(rows) <= round(0.25 * 16)
            assert round(0.05 * 20) <= len(columns) <= round(0.25 * 20)
            assert lost.sum() == lost[box].sum()
        else:
            ways["random"] += 1
            kept = got[:, b].sum() / events[:, b].sum()
            assert 0.05 < kept < 0.95
    assert all(50 < number < 100 for number in ways.values()), ways


def test_each_event_is_dropped_with_the_probability():
    events = np.full((4, 50, 2, 10, 10), 10, np.uint8)
    got, _ = applied(only(drop=EventDrop(("random",), random=(0.3, 0.3))), events, clips(4, 50, 10, 10)[1], seeds(50))
    assert abs(got.mean() - 7) < 0.02
    assert abs(got.var() - 10 * 0.3 * 0.7) < 0.05  # binomial
    assert abs(np.corrcoef(got.reshape(4, -1))[0, 1]) < 0.02


def test_noise_is_a_poisson_process():
    events, frames = np.zeros((8, 400, 2, 12, 16), np.uint8), np.zeros((8, 400, 12, 16), np.uint8)
    got, _ = applied(only(noise=Noise((5, 5))), events, frames, seeds(400))
    mean = 5 * 12 * 16 * 8 * WINDOW * 1e-6
    totals = got.sum((0, 2, 3, 4))
    assert abs(totals.mean() - mean) < 4 * math.sqrt(mean / 400)
    assert 0.8 < totals.var() / mean < 1.25
    for axis in range(5):
        if axis != 1:
            along = got.sum(tuple(i for i in range(5) if i != axis))
            expected = along.mean()
            assert ((along - expected) ** 2 / expected).sum() < 3 * len(along) + 12


def test_hot_pixels_fire_like_clockwork():
    events, frames = np.zeros((6, 100, 2, 12, 16), np.uint8), np.zeros((6, 100, 12, 16), np.uint8)
    augmentation = only(hot_pixels=HotPixels((1, 3), (100, 2000)))
    got, _ = augmentation.apply(events, frames, seeds(100), WINDOW, stride=2)
    numbers = (got.sum(0) > 0).sum((1, 2, 3))
    assert set(numbers) == {1, 2, 3}
    for b in np.flatnonzero(numbers == 1):
        counts = got[:, b].reshape(6, -1).max(1).astype(int)
        assert counts.max() - counts.min() <= 1
        assert math.floor(100 * 0.033) <= counts.min()
        assert counts.max() <= math.ceil(2000 * 0.0334)
    places, periods, phases = augmentation.hot_pixels.plans(seeds(100), (16, 12))
    for b in range(20):
        expected = np.zeros((6, 2 * 12 * 16), int)
        for place, period, phase in zip(places[b], periods[b], phases[b], strict=True):
            times = (np.arange(2000) + phase) * period
            for t in range(6 * (place >= 0)):
                expected[t, place] += ((times >= 2 * t * WINDOW) & (times < (2 * t + 1) * WINDOW)).sum()
        np.testing.assert_array_equal(got[:, b].reshape(6, -1), np.minimum(expected, 255))


def test_counts_stop_at_255():
    events, frames = np.full((2, 3, 2, 4, 4), 254, np.uint8), np.zeros((2, 3, 4, 4), np.uint8)
    augmentation = only(noise=Noise((1000, 1000)), hot_pixels=HotPixels((32, 32), (1e5, 1e5)))
    got, _ = augmentation.apply(events, frames, seeds(3), WINDOW)
    assert got.min() >= 254
    assert got.max() == 255


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 6), st.floats(0.3, 3), st.integers(0, 2**62), st.sampled_from([(4, 4), (3, 3)]), st.integers(0, 9)
)
def test_scaled_time_deals_out_every_event_near_its_place(steps, factor, seed, size, begin):
    number = math.ceil(steps / factor - 1e-9)
    events, frames = clips(number, 2, *size, density=0.4, seed=begin)
    frames[:] = np.arange(number)[:, None, None, None]
    got, seen = scale_time(
        events, frames, np.full(2, factor), np.full(2, number), np.array([seed, seed + 1], np.uint64), steps
    )
    assert got.shape == (steps, 2, 2, *size)
    for b in range(2):
        for plane in range(2):
            source, target = events[:, b, plane].reshape(number, -1), got[:, b, plane].reshape(steps, -1)
            for p in range(source.shape[1]):
                # Bounds on the events up to each window: what surely lies before it, and what surely lies after.
                for i in range(steps):
                    upto = target[: i + 1, p].sum()
                    surely = sum(int(source[k, p]) for k in range(number) if (k + 1) * factor <= i + 1)
                    perhaps = sum(int(source[k, p]) for k in range(number) if k * factor < i + 1)
                    assert surely <= upto <= perhaps
    for i in range(steps):
        latest = min(max(math.floor((i + 1) / factor + 1e-9) - 1, 0), number - 1)
        assert (seen[i] == latest).all()


def test_scaled_time_splits_a_window_in_proportion():
    events, frames = np.full((2, 40, 2, 8, 8), 8, np.uint8), np.zeros((2, 40, 8, 8), np.uint8)
    got, _ = scale_time(events, frames, np.full(40, 1.5), np.full(40, 2), seeds(40), 3)
    np.testing.assert_allclose(got.mean((1, 2, 3, 4)), [16 / 3] * 3, atol=0.05)
    assert (got.sum(0) == 16).all()


def test_a_factor_of_one_is_exact():
    events, frames = clips(5, 3)
    got = scale_time(events, frames, np.ones(3), np.full(3, 5), seeds(3), 5)
    np.testing.assert_array_equal(got[0], events)
    np.testing.assert_array_equal(got[1], frames)


def test_factors_are_as_often_fast_as_slow():
    factors = TimeScale((0.5, 2)).factors(seeds(2000))
    assert 0.5 <= factors.min() < 0.52
    assert 1.95 < factors.max() <= 2
    assert abs(np.log(factors).mean()) < 0.03


def test_changes_are_to_the_standard():
    changed = Augmentation.changed({"affine": {"degrees": 3, "scale": [0.9, 1.1]}, "drop": None, "flip": {}})
    assert changed.affine == RandomAffine(3, scale=[0.9, 1.1])
    assert (changed.drop, changed.flip) == (None, HorizontalFlip())
    assert (changed.noise, changed.time_scale) == (Noise(), TimeScale())
    assert Augmentation.changed({}) == Augmentation()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomAffine(degrees=-1), "RandomAffine.degrees must lie between 0 and 180"),
        (lambda: RandomAffine(scale=(1.2, 0.8)), "RandomAffine.scale"),
        (lambda: RandomAffine(shift=float("nan")), "RandomAffine.shift"),
        (lambda: HorizontalFlip(2), "HorizontalFlip.probability"),
        (lambda: TimeScale((0, 1)), "TimeScale.factor"),
        (lambda: EventDrop(("tea",)), "ways must be some of nothing, time, area, random"),
        (lambda: EventDrop(()), "ways must be some of"),
        (lambda: EventDrop(area=(0, 2)), "EventDrop.area"),
        (lambda: Noise((-1, 0)), "Noise.rate_hz"),
        (lambda: HotPixels((4, 1)), "HotPixels.pixels"),
        (lambda: HotPixels(rate_hz=(0, 1)), "HotPixels.rate_hz"),
        (lambda: RandomAffine(degrees="ten"), "RandomAffine.degrees"),
        (lambda: EventDrop(ways=3), "ways must be some of"),
        (lambda: Augmentation.changed({"turn": {}}), "there is no 'turn': there are flip, time_scale, affine"),
        (lambda: Augmentation.changed({"affine": {"angle": 3}}), r"augmentation\.affine: there is no 'angle'"),
        (lambda: Augmentation.changed({"affine": 3}), r"augmentation\.affine: must be a mapping"),
    ],
)
def test_settings_out_of_range_are_named(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
