"""The video: as long as the recording, in a form that can be read back, and never half there."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import snnkd
from snnkd.errors import ConfigError, SnnkdWarning
from snnkd.events import make_events
from snnkd.inference.timeline import Timeline
from snnkd.inference.video import write_video, writer
from snnkd.inference.video.painting import PICTURE, SIZE, picture_size
from snnkd.recordings import Frames, write_hdf5

EMOTIONS = ("happiness", "sadness", "anger", "disgust", "surprise", "fear", "neutral")
START, STEP = 3_000_000, 100_000


def make_recording(path, framed):
    """A second: ON events in the left half, then OFF events in the right; frames are bright from 0.5 s on."""
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 32, 4000), generator.integers(0, 48, 4000)
    t = START + np.sort(generator.integers(0, 1_000_000, 4000))
    t[0], t[-1] = START, START + 999_999
    late = t >= START + 500_000
    frames = None
    if framed:
        images = np.full((40, 48, 64), 10, np.uint8)
        images[20:, :8] = 250
        images[:, -1] = 255
        frames = Frames(images, START + np.arange(40, dtype=np.int64) * 25_000)
    segments = [{"start_us": START, "end_us": START + 400_000, "emotion": "fear"}]
    write_hdf5(path, make_events(x + 32 * late, y, t, ~late), (64, 48), frames, {"segments": segments})
    return snnkd.open_recording(path)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return make_recording(tmp_path_factory.mktemp("video") / "r.h5", True)


@pytest.fixture
def timeline():
    logits = np.zeros((10, 7), np.float32)
    logits[np.arange(10), [2] * 5 + [0] * 5] = 4
    return Timeline(
        EMOTIONS, STEP, START + np.arange(10) * STEP, np.full(10, 400), logits, {}, {"caution": "mere play"}
    )


def images_of(path):
    reader = cv2.VideoCapture(str(path))
    rate, images = reader.get(cv2.CAP_PROP_FPS), []
    while True:
        there, image = reader.read()
        if not there:
            return rate, images
        images.append(image.astype(int))


@pytest.mark.parametrize("framed", [True, False])
def test_a_video_shows_the_recording_as_fast_as_it_was(tmp_path, tmp_path_factory, timeline, framed):
    recording = make_recording(tmp_path_factory.mktemp("one") / "r.h5", framed)
    told = []
    name = "ta%ke' <b>\"é"
    write_video(tmp_path / f"{name}.mp4", timeline, recording, name=name, progress=lambda *done: told.append(done))
    rate, images = images_of(tmp_path / f"{name}.mp4")
    assert rate == writer.RATE
    assert len(images) == writer.RATE  # of one second
    assert told[-1] == (writer.RATE, writer.RATE)
    assert images[0].shape == (SIZE[1], SIZE[0], 3)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.mp4"]

    width, height = picture_size((64, 48))
    left, top = PICTURE[0] + (PICTURE[2] - width) // 2, PICTURE[1] + (PICTURE[3] - height) // 2
    for at, blue, half in [(10, True, 0), (23, False, 1)]:
        picture = images[at][top : top + height, left : left + width]
        halves = [part[..., 0] - part[..., 2] for part in np.split(picture, [width // 2], axis=1)]
        there = halves[half]
        assert (there.mean() > 8) if blue else (there.mean() < -8)  # ON is blue, OFF orange
        assert abs(halves[1 - half].mean()) < 8
    if recording.frames is not None:
        rows = slice(top + 8, top + height // 6 - 8), slice(left, left + width // 2)
        assert images[22][rows].mean() > images[10][rows].mean() + 30
    clocks = [image[:80, 1100:].sum() for image in images]
    assert len(set(clocks)) > 20
    cursors = [np.flatnonzero((image[597:601] > 200).all((0, 2))) for image in images]
    middles = [float(np.median(each)) for each in cursors]
    assert np.diff(middles).min() > 20


def test_a_browser_plays_it(tmp_path, timeline, recording, browser):
    timeline.video(tmp_path / "v.mp4", recording)
    (tmp_path / "page.html").write_text('<video src="v.mp4" muted></video>')
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function("document.querySelector('video').ended", timeout=20_000)
    shown = page.evaluate("(({videoWidth, videoHeight, duration}) => [videoWidth, videoHeight, duration])"
                          "(document.querySelector('video'))")  # fmt: skip
    assert shown == [*SIZE, pytest.approx(1, abs=0.05)]
    page.close()


def test_a_codec_that_browsers_do_not_play_is_told(tmp_path, timeline, recording, monkeypatch):
    monkeypatch.setattr(writer, "CODECS", {"none": "VP9", "vp09": "another"})
    with pytest.warns(SnnkdWarning, match="is another, which browsers do not play: this OpenCV has no VP9 encoder"):
        write_video(tmp_path / "v.mp4", timeline, recording)
    monkeypatch.setattr(writer, "CODECS", {"none": "VP9"})
    with pytest.raises(ConfigError, match="writes no MP4"):
        write_video(tmp_path / "w.mp4", timeline, recording)
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize("when", ["reading", "moving"])
def test_a_failure_leaves_the_old_video_and_nothing_beside_it(tmp_path, timeline, recording, monkeypatch, when):
    (tmp_path / "v.mp4").write_bytes(b"old")

    def fail(*_):
        raise OSError("no more room")

    if when == "reading":
        monkeypatch.setattr(type(recording), "windows", fail)
    else:
        monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no more room"):
        write_video(tmp_path / "v.mp4", timeline, recording)
    assert (tmp_path / "v.mp4").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_a_video_that_was_not_written_whole_is_an_error(tmp_path, timeline, recording, monkeypatch):
    monkeypatch.setattr(writer, "_image_count", lambda timeline: 25)
    images = writer._images
    monkeypatch.setattr(writer, "_images", lambda *given: list(images(*given))[:20])
    with pytest.raises(OSError, match="only 20 of 25 images"):
        write_video(tmp_path / "v.mp4", timeline, recording)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_a_video_is_refused(tmp_path, timeline, recording):
    with pytest.raises(ConfigError, match=r"must end in \.mp4"):
        write_video(tmp_path / "v.avi", timeline, recording)
    (tmp_path / "v.mp4").mkdir()
    with pytest.raises(IsADirectoryError):
        write_video(tmp_path / "v.mp4", timeline, recording)
    assert sorted(Path(tmp_path).iterdir()) == [tmp_path / "v.mp4"]
