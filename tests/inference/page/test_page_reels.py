"""Events and frames as a page holds them, against counts made in another way."""

import base64

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.events import make_events
from snnkd.inference.page.event_reel import BINS, MOST, Cells, EventReel, decode, encode
from snnkd.inference.page.frame_reel import FrameReel

START = 1_700_000_000_000_000


def some_events(number, size, length_us, seed=0):
    generator = np.random.default_rng(seed)
    x, y = (np.minimum(generator.exponential(side / 5, number).astype(int), side - 1) for side in size)
    t = np.sort(generator.integers(0, length_us, number)) + START
    return make_events(x, y, t, generator.integers(0, 2, number))


def counted(events, content):
    """All cells, counted directly at the reel's final size: (bins, h, w, 2), OFF then ON."""
    scale, width, height = content["scale"], content["width"], content["height"]
    counts = np.zeros((len(content["chunks"]) * BINS, height, width, 2), int)
    place = (events["t"] - START) // content["bin_us"], events["y"] // scale, events["x"] // scale
    np.add.at(counts, (*place, events["p"].astype(int)), 1)
    return counts.clip(max=MOST)


def held(content):
    width, height = content["width"], content["height"]
    counts = np.zeros((len(content["chunks"]), BINS * height * width, 2), int)
    for chunk, text in zip(counts, content["chunks"], strict=True):
        cells = decode(base64.b64decode(text))
        chunk[cells.index] = np.stack([cells.off, cells.on], 1)
    return counts.reshape(-1, height, width, 2)


@pytest.mark.parametrize("budget", [10**9, 60_000, 20_000, 4_000, 300])
@pytest.mark.parametrize("size", [(64, 48), (501, 7)])
def test_a_reel_holds_what_was_recorded_at_the_size_that_fits(size, budget):
    events = some_events(30_000, size, 9_000_000)
    reel = EventReel(size, START, budget)
    for part in np.array_split(events, 37):
        reel.add(part)
    content = reel.content()
    np.testing.assert_array_equal(held(content), counted(events, content))
    assert sum(map(len, content["chunks"])) <= budget
    if budget == 10**9:
        assert (content["bin_us"], content["scale"]) == (10_000, 2 if size[0] > 360 else 1)


def test_silence_takes_no_room():
    reel = EventReel((64, 48), START, 10**6)
    events = make_events([1, 2], [3, 4], [START, START + 3_600_000_000], [0, 1])
    reel.add(events)
    content = reel.content()
    assert len([chunk for chunk in content["chunks"] if chunk]) == 2
    assert content["bin_us"] == 10_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400_000), st.integers(1, 15)), max_size=30), st.booleans())
def test_encoding_is_undone_by_decoding(cells, at_zero):
    index = np.cumsum([gap for gap, _ in cells]).astype(np.int64) - (int(at_zero) * cells[0][0] if cells else 0)
    code = np.array([code for _, code in cells], np.int64)
    back = decode(encode(Cells(index, code % 4, code // 4)))
    np.testing.assert_array_equal(back.index, index)
    np.testing.assert_array_equal(back.off + 4 * back.on, code)


def frames(number, size=(160, 120)):
    generator = np.random.default_rng(1)
    base = cv2.GaussianBlur(generator.integers(0, 255, size[::-1]).astype(np.uint8), (0, 0), 4)
    return [(START + i * 20_000, (base // 4 + i % 100).astype(np.uint8)) for i in range(number)]


def shown(content):
    return [cv2.imdecode(np.frombuffer(base64.b64decode(t), np.uint8), 0) for t in content["images"]]


@pytest.mark.parametrize(("budget", "every"), [(10**9, 1), (150_000, 2), (30_000, 8)])
def test_frames_that_are_kept_are_those_that_were_taken(budget, every):
    taken = frames(200)
    reel = FrameReel(START, budget)
    for time, image in taken:
        reel.add(time, image)
    content = reel.content()
    assert content["every"] == every
    assert content["times"] == [20_000 * i for i in range(0, 200, every)]
    assert sum(map(len, content["images"])) <= budget
    for image, (_, original) in zip(shown(content), taken[::every], strict=True):
        small = cv2.resize(original, image.shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(image.astype(int) - small).mean() < 3


def test_grey_levels_are_those_of_nearly_all_pixels():
    reel = FrameReel(START, 10**9)
    for time, image in frames(20):
        reel.add(time, image)
    pixels = np.stack([image for _, image in frames(20)])
    content = reel.content()
    assert [content["low"], content["high"]] == pytest.approx(np.percentile(pixels, [1, 99]), abs=1)
