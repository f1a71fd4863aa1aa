"""The video of a recording and its timeline."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ConfigError, warn
from snnkd.events import bin_events
from snnkd.inference.drawing import known_segments
from snnkd.inference.video.painting import EVENTS_FADE, SIZE, Told, background, eye, paint, picture_size, seen_well

if TYPE_CHECKING:
    from snnkd.inference.timeline import Timeline
    from snnkd.recordings import Recording

RATE = 25
"""Images per second, of the video and of the recording: it plays as fast as what it shows"""
CODECS = {"vp09": "VP9", "mp4v": "MPEG-4 part 2"}
"""In the order of trying. Browsers play VP9, which OpenCV's own builds bring along; not all builds do"""


def write_video(
    path: str | Path,
    timeline: "Timeline",
    recording: "Recording",
    *,
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write an MP4 of 1280×720 at 25 images a second, under its name only once it is whole.

    Args:
        path: ends in ``.mp4``.
        timeline: of at least one window.
        recording: that it is of; read window by window, never held.
        name: the title; the last part of the recording's path when left out.
        progress: is told how many images are done, of how many.

    Raises:
        ConfigError: another ending, or an OpenCV that writes no video.
        OSError: the file cannot be written, or not whole.
        ValueError: a timeline without windows.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise ConfigError(f"{path}: a video's name must end in .mp4")
    if not len(timeline):
        raise ValueError("a timeline without windows has no video")
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, and a file of that name was to be written", str(path))
    handle, beside = tempfile.mkstemp(prefix=".video-", suffix=".mp4", dir=path.parent)
    os.close(handle)
    try:
        images = _images(timeline, recording, name or Path(recording.path).name)
        _encode(beside, images, _image_count(timeline), progress, path)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    finally:
        Path(beside).unlink(missing_ok=True)


def _encode(
    place: str,
    images: Iterator[NDArray[np.uint8]],
    count: int,
    progress: Callable[[int, int], None] | None,
    path: Path,
) -> None:
    for codec in CODECS:
        writer = cv2.VideoWriter(place, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), float(RATE), SIZE)
        if writer.isOpened():
            break
    else:
        raise ConfigError(f"{path}: this OpenCV writes no MP4: install opencv-python-headless from PyPI")
    if codec != next(iter(CODECS)):
        best = next(iter(CODECS.values()))
        warn(f"{path}: is {CODECS[codec]}, which browsers do not play: this OpenCV has no {best} encoder")
    try:
        for done, image in enumerate(images, 1):
            writer.write(image)
            if progress:
                progress(done, count)
    finally:
        writer.release()
    # The writer tells of no error, a full disk included: what is there is asked instead.
    reader = cv2.VideoCapture(place, cv2.CAP_FFMPEG)
    written = round(reader.get(cv2.CAP_PROP_FRAME_COUNT)) if reader.isOpened() else 0
    reader.release()
    if written != count:
        raise OSError(errno.EIO, f"only {written} of {count} images of the video were written", str(path))


def _span(timeline: "Timeline") -> tuple[int, int]:
    start = int(timeline.start_us[0])
    return start, int(timeline.start_us[-1]) + timeline.window_us - start


def _image_count(timeline: "Timeline") -> int:
    return max(1, -(-_span(timeline)[1] * RATE // 1_000_000))


def _images(
    timeline: "Timeline",
    recording: "Recording",
    name: str,
) -> Iterator[NDArray[np.uint8]]:
    start, length = _span(timeline)
    ok, told = timeline.valid, timeline.segments()
    strips = [("told", [((s.start_us - start) / length, (s.end_us - start) / length, s.label) for s in told])]
    if known := known_segments(recording):
        strips.append(("true", [(max(0, a - start) / length, min(1, (b - start) / length), c) for a, b, c in known]))
    width, height = recording.sensor_size
    facts = f"{recording.event_count:,} events at {width}×{height}"
    caution = timeline.model.get("caution")
    base = background(
        name,
        facts,
        timeline.emotions,
        timeline.events / max(1, int(timeline.events.max())),
        strips,
        _clock(length),
        f"The model was {caution}." if caution else None,
    )
    probabilities, labels, size = timeline.probabilities, timeline.labels, picture_size(recording.sensor_size)
    eyes = _eyes(recording, start, _image_count(timeline), size)
    for number, picture in enumerate(eyes):
        passed = number * 1_000_000 // RATE
        i = int(np.searchsorted(timeline.start_us, start + passed, side="right")) - 1
        note = f"{probabilities[i].max():.0%} probable, {timeline.events[i]:,} events in this window"
        said = Told(
            labels[i],
            probabilities[i],
            bool(ok[i]),
            note if ok[i] else "not valid: the memory of earlier windows",
            _clock(passed),
            passed / length,
        )
        yield paint(base, picture, timeline.emotions, said, len(strips))


def _eyes(recording: "Recording", start: int, count: int, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yield the picture of the eye of each image: the events up to its end, fading, over the last frame before it."""
    width, height = recording.sensor_size
    glow = np.zeros((2, height, width), np.float32)
    frames = recording.iter_frames() if recording.frame_count else iter(())
    after, frame, levels = next(frames, None), None, None
    step = 1_000_000 // RATE
    end = start + count * 1_000_000 // RATE + step
    windows = recording.windows(step, start, end)
    for number in range(count):
        window = next(windows)
        glow *= EVENTS_FADE
        glow += bin_events(window.events, recording.sensor_size, window.start_us, step, 1, dtype=np.float32)[0]
        np.minimum(glow, 2, out=glow)
        while after is not None and after[0] < start + (number + 1) * 1_000_000 // RATE:
            (frame, levels), after = seen_well(after[1], levels), next(frames, None)
        yield eye(frame, glow, size)


def _clock(us: int) -> str:
    if us < 60_000_000:
        return f"{us / 1e6:.2f} s"
    seconds = us // 1_000_000
    hours = f"{seconds // 3600}:" if seconds >= 3600 else ""
    return f"{hours}{seconds // 60 % 60:02d}:{seconds % 60:02d}"
