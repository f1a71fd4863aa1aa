"""Event images through JPEG: how many of the known events are found, and how many of those found are true.

Recall and precision over both polarities, of clusters and of single pixels (the hardest: each rings over a block of its
own), grey and colour files. The bounds are what the rule of ``snnkd.recordings.see_images`` must keep to; what it gets
on these images stands behind them, and then what a margin of 12 levels alone would.
"""

import cv2
import numpy as np
import pytest

from snnkd.datasets.image_windows import count_events, read_images, shrink
from snnkd.datasets.sample import fit_frame
from snnkd.events import bin_events, centre_square
from snnkd.recordings.see import SeeRecording
from snnkd.recordings.see_images import MARGIN, event_pixels, margin_of


def scene(depth, seed=0):
    """Signs (260, 346): a lid's edge that moved, a ring around a pupil, and 900 single noise events."""
    rng = np.random.default_rng(seed)
    signs = np.zeros((260, 346), np.int16)
    for x in range(30, 320):
        y = int(90 + 45 * np.cos((x - 175) / 95))
        signs[y : y + 3, x], signs[y + 3 : y + 6, x] = 1, -1
    y, x = np.ogrid[:260, :346]
    radius = np.hypot(x - 170, y - 150)
    signs[(radius > 34) & (radius < 37) & (rng.random((260, 346)) < 0.7)] = -1
    signs[rng.integers(0, 260, 900), rng.integers(0, 346, 900)] = rng.choice([-1, 1], 900)
    image = np.clip(128 + depth * signs, 0, 255).astype(np.uint8)
    return signs, image


def found(image, quality, colour):
    shown = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if colour else image
    data = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    events = event_pixels(seen, margin_of(data, seen))
    signs = np.zeros(image.shape, np.int16)
    signs[events["y"], events["x"]] = np.where(events["p"], 1, -1)
    return signs


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(
    ("quality", "depth", "recall", "precision"),
    [
        (95, 127, 0.999, 0.999),  # 1.000, 1.000; by 12 levels alone 1.000, 1.000
        (95, 25, 0.999, 0.999),  # 1.000, 1.000; 1.000, 1.000
        (90, 127, 0.999, 0.97),  # 1.000, 0.976; 1.000, 0.976
        (90, 40, 0.999, 0.92),  # 1.000, 0.931; 1.000, 0.931
        (85, 127, 0.999, 0.95),  # 1.000, 0.961; 1.000, 0.637
        (85, 40, 0.94, 0.98),  # 0.945, 0.994; 0.983, 0.896
        (75, 127, 0.999, 0.84),  # 1.000, 0.853; 1.000, 0.309
        (75, 64, 0.93, 0.97),  # 0.943, 0.984; 1.000, 0.535
        (75, 40, 0.75, 0.97),  # 0.767, 0.986; 0.903, 0.838
        (75, 25, 0.60, 0.97),  # 0.623, 0.984; 0.698, 0.965
        (50, 127, 0.97, 0.85),  # 0.983, 0.861; 1.000, 0.233
    ],
)
def test_events_survive_jpeg(quality, depth, recall, precision, colour):
    signs, image = scene(depth)
    got = found(image, quality, colour)
    hits = ((got == signs) & (signs != 0)).sum()
    assert hits / (signs != 0).sum() >= recall
    assert hits / (got != 0).sum() >= precision


def test_a_margin_of_twelve_alone_takes_ringing_for_events():
    signs, image = scene(127)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert margin_of(data, seen) > MARGIN
    marked = np.abs(seen.astype(int) - 128) > MARGIN
    assert (signs[marked] != 0).mean() < 0.35


@pytest.mark.parametrize("quality", [90, 95, 100])
def test_fair_files_have_the_plain_margin(quality):
    _, image = scene(127)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    assert margin_of(data, image) == MARGIN
    assert margin_of(data, image, 40) == 40
    assert margin_of(cv2.imencode(".png", image)[1].tobytes(), image) == MARGIN
    assert margin_of(b"\xff\xd8\xff", image) == MARGIN


def test_a_dataset_and_a_recording_see_the_same_events_in_a_coarse_file(make_see):
    tree = make_see(persons=1)
    folder = tree.path("event", tree.names[0])
    for n, path in enumerate(sorted(folder.iterdir())):
        cv2.imwrite(str(path), scene(127, n)[1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    for path in tree.path("frame", tree.names[0]).iterdir():
        cv2.imwrite(str(path), np.zeros((260, 346), np.uint8))
    whole = SeeRecording(folder)
    ours = read_images([folder / "00003.jpg"], [], (260, 260), MARGIN).events
    theirs = bin_events(whole.events, (346, 260), 3 * 33_333, 33_333, 1, crop=centre_square((346, 260)))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", [(90, 90), (260, 260), (1, 1), (7, 131), (300, 20)])
@pytest.mark.parametrize("shape", [(260, 346), (61, 60), (3, 5)])
def test_counting_is_that_of_recordings(size, shape):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, shape).astype(np.uint8)
    out = np.full((2, size[1], size[0]), 9, np.uint8)
    count_events(image, MARGIN, out)
    sensor = (shape[1], shape[0])
    expected = bin_events(event_pixels(image), sensor, 0, 1, 1, size=size, crop=centre_square(sensor))[0]
    np.testing.assert_array_equal(out, np.minimum(expected, 255))


@pytest.mark.parametrize("size", [(90, 90), (96, 64), (130, 130), (64, 64), (260, 260), (1, 1), (259, 3), (400, 20)])
def test_frames_are_means_over_areas_as_inference_has_them(size):
    image = np.random.default_rng(2).integers(0, 256, (260, 346)).astype(np.uint8)
    got, expected = shrink(image, size).astype(int), fit_frame(image, size).astype(int)
    assert got.shape == size[::-1]
    assert np.abs(got - expected).max() <= 1, "a half may be rounded the other way"
    assert (got != expected).mean() < 0.01
    flat = np.full((260, 346), 255, np.uint8)
    assert (shrink(flat, size) == 255).all()
