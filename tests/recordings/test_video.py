"""Videos: their times, what is damaged or absent, streaming, and what is not opened as one."""

import itertools
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from fuzzing import mutations
from pictures import SIZE, gray

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.video import VideoRecording

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
    recording = VideoRecording(video(tmp_path / "x.avi", "MJPG"), fps=1000)
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
    for i, (kind, data) in enumerate(mutations(whole.read_bytes(), 667)):
        (folder / f"{i:04d} {kind}{whole.suffix}").write_bytes(data)
    script = READ_ALL.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert sum(found.values()) == 667
    assert found["refused"]
