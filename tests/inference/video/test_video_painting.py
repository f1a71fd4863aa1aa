"""Text and colours of the video."""

import numpy as np
import pytest

from snnkd.inference.drawing import EMOTION_COLOURS
from snnkd.inference.video.lettering import colour, letters, width_of, write
from snnkd.inference.video.painting import eye, ink_on, picture_size, seen_well


def luminance(bgr):
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in bgr[::-1]]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("emotion", EMOTION_COLOURS)
def test_text_on_every_emotion_can_be_read(emotion):
    ground = colour(EMOTION_COLOURS[emotion])
    low, high = sorted([luminance(ground), luminance(ink_on(ground))])
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_text_lies_where_it_was_asked_for():
    for align, left in [(0, 100), (0.5, 100 - width_of("Hg", 20) / 2), (1, 100 - width_of("Hg", 20))]:
        image = np.zeros((80, 200, 3), np.uint8)
        write(image, "Hg", (100, 50), 20, (0, 128, 255), align=align)
        rows, columns = np.nonzero(image[..., 2])
        assert columns.min() == pytest.approx(left, abs=2)
        assert np.ptp(columns) == pytest.approx(width_of("Hg", 20), abs=3)
        assert rows.min() < 40
        assert 50 < rows.max() < 58  # the g hangs below the line
        assert not image[..., 0].any()


@pytest.mark.parametrize("text", ["", " ", "眼", "caf\udce9", "x" * 300, "a\nb"])
def test_any_text_can_be_written(text):
    image = np.zeros((30, 60, 3), np.uint8)
    for place in [(0, 20), (-500, 20), (50, -90), (50, 29)]:
        write(image, text, place, 16, (255, 255, 255))
    assert letters(text, 16, False)[0].ndim == 2


@pytest.mark.parametrize("size", [(64, 64), (346, 260), (1280, 720), (1, 4000)])
def test_a_single_event_is_seen_at_any_size(size):
    glow = np.zeros((2, size[1], size[0]), np.float32)
    glow[1, size[1] // 2, size[0] // 2] = 1
    width, height = picture_size(size)
    picture = eye(None, glow, (width, height))
    assert picture.shape == (height, width, 3)
    assert picture[..., 0].max() > 150
    assert (picture[..., 0] > 60).sum() <= max(4, 4 * (width / size[0]) * (height / size[1]))


def test_dark_frames_are_seen_and_the_light_is_followed_slowly():
    dark = np.random.default_rng(0).integers(0, 12, (40, 40)).astype(np.uint8)
    first, levels = seen_well(dark, None)
    assert np.ptp(first.astype(int)) > 150
    bright = dark * 20
    after, levels = seen_well(bright, levels)
    assert after.mean() > first.mean()  # not adapted at once
    for _ in range(100):
        after, levels = seen_well(bright, levels)
    assert after.mean() == pytest.approx(first.mean(), rel=0.15)
