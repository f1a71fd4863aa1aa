"""Folders of images and videos: their times, what is damaged or absent, streaming, and what they leave to others."""

import itertools
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from fuzzing import mutations

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.images import ImageFolderRecording
from snnkd.recordings.video import VideoRecording

SIZE = (48, 32)


def gray(value):
    image = np.full((SIZE[1], SIZE[0]), value, np.uint8)
    image[4:8, 10:20] = 255 - value
    return image


def write(folder, names, values=None):
    folder.mkdir(exist_ok=True)
    for name, value in zip(names, values or range(10, 250, 10), strict=False):
        assert cv2.imwrite(str(folder / name), gray(value))
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "images"


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_a_numbered_folder(folder, suffix):
    """Twelve images, so that an order by letters would be wrong; 30 a second, as nothing tells their times."""
    write(folder, [f"frame{i}{suffix}" for i in range(12)])
    with pytest.warns(SnnkdWarning, match="nothing tells the frames' times; 30 frames a second are assumed"):
        recording = open_recording(folder)
    assert recording.format == "images"
    assert recording.sensor_size == SIZE
    frames = recording.frames
    for i in range(12):
        np.testing.assert_array_equal(frames.images[i], gray(10 + 10 * i))
    assert frames.timestamps_us.tolist() == [round(i * 1e6 / 30) for i in range(12)]
    assert recording.metadata == {"timestamps_from": "frame rate", "frame_rate": 30.0, "frames": 12}


def test_a_folder_has_no_events(folder):
    write(folder, ["a_1000.png", "a_2000.png"])
    recording = open_recording(folder)
    assert (recording.event_count, recording.start_us, recording.duration_us) == (0, 0, 0)
    assert len(recording.events) == 0
    assert list(recording) == []


def test_jpeg_is_grey_by_opencvs_weights(folder):
    folder.mkdir()
    color = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    color[:] = (200, 30, 90)
    cv2.imwrite(str(folder / "1.jpg"), color, [cv2.IMWRITE_JPEG_QUALITY, 100])
    cv2.imwrite(str(folder / "2.png"), color)
    cv2.imwrite(str(folder / "3.png"), np.full((SIZE[1], SIZE[0]), 0x80FF, np.uint16))
    images = ImageFolderRecording(folder, frame_rate=100).frames.images
    expected = 0.114 * 200 + 0.587 * 30 + 0.299 * 90
    assert np.abs(images[:2].astype(float) - expected).max() < 2.5
    assert (images[2] == 0x80).all()


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (["x_1_314284138.png", "x_2_314324138.png"], [314_284_138, 314_324_138]),
        (["9_0_0_st_500.png", "10_0_0_st_1500.png", "1_0_0_st_99500.png"], [500, 1500, 99_500]),
        (["1657711738105396.png", "1657711738145396.png"], [1_657_711_738_105_396, 1_657_711_738_145_396]),
        (["1403636579763555584.png", "1403636579813555584.png"], [1_403_636_579_763_556, 1_403_636_579_813_556]),
        (["b_000010000.png", "a_000000000.png"], [0, 10_000]),
    ],
)
def test_times_in_names(folder, names, times):
    write(folder, names)
    recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == times
    assert recording.metadata["timestamps_from"] == "file names"
    assert recording.warnings == []


@pytest.mark.parametrize(
    "names",
    [
        [f"{i:05d}.png" for i in range(4)],
        [f"img_{i:04d}.png" for i in range(4)],
        [f"img_{2 * i:04d}.png" for i in range(4)],
        [f"img_{33 * i}.png" for i in range(4)],  # as ms, or as anything
        [f"{i * 33_000_000_000:020d}.png" for i in range(4)],  # as µs, 9 hours apart
        ["one.png", "two.png", "three_99999.png", "four.png"],
        ["only_314284138.png"],
    ],
)
def test_other_numbers_in_names_are_no_times(folder, names):
    write(folder, names)
    with pytest.warns(SnnkdWarning, match="30 frames a second are assumed"):
        recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == [round(i * 1e6 / 30) for i in range(len(names))]
    assert len(recording.warnings) == 1


def test_absent_frames_are_named_and_leave_a_gap(folder):
    write(folder, [f"{i:05d}.png" for i in (3, 4, 6, 7, 9)])
    with pytest.warns(SnnkdWarning, match="2 frames of the series are absent: number 5, 8"):
        recording = ImageFolderRecording(folder, frame_rate=1000)
    assert recording.frames.timestamps_us.tolist() == [0, 1000, 3000, 4000, 6000]


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        ("1000\n34333\n67666\n", [1000, 34_333, 67_666]),
        ("0.0\r\n0.033333\r\n0.066667\r\n", [0, 33_333, 66_667]),
        (
            "1657711738.5\n1657711738.533\n1657711738.566",
            [1_657_711_738_500_000, 1_657_711_738_533_000, 1_657_711_738_566_000],
        ),
    ],
)
def test_times_in_a_list(folder, lines, times):
    write(folder, ["1.png", "2.png", "3.png"])
    (folder / "timestamps.txt").write_text(lines)
    recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == times
    assert recording.metadata["timestamps_from"] == "timestamps.txt"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1000\n2000\n", "timestamps.txt has 2 times for 3 images"),
        ("1000\nsoon\n3000\n", "timestamps.txt: line 2 is no time: 'soon'"),
        ("1000\nnan\n3000\n", "timestamps.txt: line 2 is no time"),
        ("0\n33\n66\n", "its times, as us, are no frames' times"),
        ("0\n66000\n33000\n", "its times, as us, are no frames' times"),
        ("0.5\n33.5\n66.5\n", "its times, as s, are no frames' times"),
    ],
)
def test_a_wrong_list_is_told(folder, lines, message):
    write(folder, ["1.png", "2.png", "3.png"])
    (folder / "timestamps.txt").write_text(lines)
    with pytest.raises(RecordingError, match=message):
        open_recording(folder)


def test_the_callers_rate_decides(folder):
    write(folder, ["a_1000.png", "a_2000.png"])
    recording = ImageFolderRecording(folder, frame_rate=25)
    assert recording.frames.timestamps_us.tolist() == [0, 40_000]
    assert recording.warnings == []
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="frame_rate"):
            ImageFolderRecording(folder, frame_rate=rate)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("part", [0, 0.02, 0.5, 0.98])
def test_a_cut_image_is_named(folder, suffix, part):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}{suffix}"), rng.integers(0, 256, SIZE[::-1], np.uint8))
    path = folder / f"1{suffix}"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(RecordingError, match=rf"frame 1{suffix} is (damaged|cut)"):
        _ = ImageFolderRecording(folder, frame_rate=10).frames


def test_another_size_is_named(folder):
    write(folder, ["1.png", "2.png"])
    cv2.imwrite(str(folder / "2.png"), np.zeros((20, 30), np.uint8))
    with pytest.raises(RecordingError, match=r"frame 2\.png is 30×20, expected 48×32"):
        _ = ImageFolderRecording(folder, frame_rate=10).frames


def test_one_frame_is_read_at_a_time(folder):
    write(folder, ["1.png", "2.png", "3.png"])
    (folder / "3.png").write_bytes(b"no image")
    frames = ImageFolderRecording(folder, frame_rate=10).iter_frames()
    assert [time for time, _ in itertools.islice(frames, 2)] == [0, 100_000]
    with pytest.raises(RecordingError, match=r"frame 3\.png is damaged"):
        next(frames)


@pytest.mark.parametrize("marker", ["eyesim.json", "emotion.json"])
def test_data_sets_and_other_folders_are_no_image_folders(folder, marker):
    write(folder, ["preview.png"])
    (folder / marker).touch()
    with pytest.raises(RecordingError, match="no known format"):
        open_recording(folder)
    (folder / "preview.png").unlink()
    (folder / marker).unlink()
    with pytest.raises(RecordingError, match="no known format"):
        open_recording(folder)


def test_evbeye_folders_stay_with_their_own_reader(folder):
    write(folder, ["preview.png"])
    (folder / "events.aerdat").write_bytes(bytes(9))
    assert open_recording(folder).format == "EVBEYE"


def test_the_real_recordings_frames_are_an_image_folder(sample):
    path, _ = sample("evbeye_user9/0/events.aerdat")
    frames = open_recording(path.parent / "frames").frames
    with pytest.warns(SnnkdWarning, match="cut record"):
        expected = open_recording(path).frames
    np.testing.assert_array_equal(frames.images, expected.images)
    np.testing.assert_array_equal(frames.timestamps_us, expected.timestamps_us)


VIDEOS = [
    ("x.avi", "MJPG"),
    ("x.avi", "FFV1"),
    ("x.mp4", "mp4v"),
    ("x.mov", "mp4v"),
    ("x.mkv", "FFV1"),
    ("x.webm", "VP80"),
]
COUNT = 12


def video(path, codec, rate=25.0, count=COUNT):
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), rate, SIZE)
    assert writer.isOpened()
    for i in range(count):
        writer.write(cv2.cvtColor(gray(15 * i % 256), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


@pytest.mark.parametrize(("name", "codec"), VIDEOS)
def test_videos(tmp_path, name, codec):
    recording = open_recording(video(tmp_path / name, codec))
    assert recording.format == "video"
    assert recording.sensor_size == SIZE
    frames = recording.frames
    assert len(frames) == COUNT
    assert frames.timestamps_us.tolist() == [i * 40_000 for i in range(COUNT)]
    for i, image in enumerate(frames.images):
        # mp4v and VP8 lose detail, a background of one value least
        assert abs(int(np.median(image)) - 15 * i) <= (0 if codec == "FFV1" else 4)
    assert recording.metadata == {"frame_rate": 25.0, "timestamps_from": "container"}
    assert recording.event_count == 0
    assert list(recording) == []
    assert recording.warnings == []


def test_a_video_streams(tmp_path):
    frames = open_recording(video(tmp_path / "x.mp4", "mp4v")).iter_frames()
    assert [time for time, _ in itertools.islice(frames, 3)] == [0, 40_000, 80_000]
    frames.close()


def test_the_callers_rate_decides_of_a_video(tmp_path):
    recording = VideoRecording(video(tmp_path / "x.avi", "MJPG"), frame_rate=1000)
    assert recording.frames.timestamps_us.tolist() == [i * 1000 for i in range(COUNT)]


class StuckClock:
    """A capture whose container gives no times, or stops to."""

    def __init__(self, capture, times):
        self._capture, self._times = capture, iter(times)

    def get(self, number):
        return next(self._times) if number == cv2.CAP_PROP_POS_MSEC else self._capture.get(number)

    def __getattr__(self, name):
        return getattr(self._capture, name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0.0] * COUNT, [i * 40_000 for i in range(COUNT)]),
        ([float("nan")] * COUNT, [i * 40_000 for i in range(COUNT)]),
        ([5.0, 50.0, 40.0, *range(900, 909)], [5000, *(50_000 + i * 40_000 for i in range(COUNT - 1))]),
    ],
)
def test_times_that_do_not_grow_count_on_by_the_rate(tmp_path, monkeypatch, given, expected):
    recording = open_recording(video(tmp_path / "x.avi", "MJPG"))
    opened = recording._open
    monkeypatch.setattr(recording, "_open", lambda: StuckClock(opened(), given))
    with pytest.warns(SnnkdWarning, match=r"the time of frame \d is not after the one before; from there on by 25"):
        assert recording.frames.timestamps_us.tolist() == expected
    assert recording.metadata["timestamps_from"] == "frame rate"


def test_a_cut_video_is_told(tmp_path):
    path = video(tmp_path / "x.avi", "MJPG", count=100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    recording = open_recording(path)
    with pytest.warns(SnnkdWarning, match=r"\d+ of 100 frames could not be decoded and were left out"):
        assert 20 < len(recording.frames) < 100
    path = video(tmp_path / "x.mp4", "mp4v")  # whose index stands at the end
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RecordingError, match="is cut or damaged"):
        open_recording(path)


@pytest.mark.parametrize("name", ["x.mp4", "x.avi", "x.mkv"])
def test_a_playlist_is_not_followed(tmp_path, name):
    video(tmp_path / "secret.mkv", "FFV1")
    (tmp_path / name).write_text(f"ffconcat version 1.0\nfile '{tmp_path / 'secret.mkv'}'\n")
    with pytest.raises(RecordingError, match="is by its content no video"):
        open_recording(tmp_path / name)


READ_ALL = """
import faulthandler, json, sys, time, warnings
from collections import Counter
from pathlib import Path
import snnkd.recordings.video
from snnkd.errors import RecordingError
from snnkd.recordings import open_recording
faulthandler.enable()
warnings.simplefilter("ignore")
found, longest = Counter(), 0.0
for path in sorted(Path({folder!r}).iterdir()):
    began = time.monotonic()
    try:
        last = None
        recording = open_recording(path)
        for t, image in recording.iter_frames():
            assert last is None or t > last, path
            assert image.dtype == "uint8" and image.shape == recording.sensor_size[::-1], path
            last = t
        found["warned" if recording.warnings else "read"] += 1
    except RecordingError as error:
        assert str(path) in str(error) and "\\n" not in str(error), error
        found["refused"] += 1
    longest = max(longest, time.monotonic() - began)
assert longest < 30, longest
print(json.dumps(found))
"""


@pytest.mark.parametrize(("name", "codec"), [("x.avi", "MJPG"), ("x.mp4", "mp4v"), ("x.mkv", "FFV1")])
def test_damage_crashes_nothing(tmp_path, name, codec):
    """FFmpeg decodes in native code, so the damaged files are read in a process that may die or hang alone."""
    whole = video(tmp_path / name, codec, count=6)
    folder = tmp_path / "damaged"
    folder.mkdir()
    for i, (kind, data) in enumerate(mutations(whole.read_bytes(), 104)):
        (folder / f"{i:03d} {kind}{whole.suffix}").write_bytes(data)
    script = READ_ALL.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert sum(found.values()) == 104
    assert found["refused"]
