"""Recordings and folders that tests of the datasets write."""

import cv2
import numpy as np

from snnkd.events import make_events
from snnkd.recordings import Frames, write_hdf5
from snnkd.recordings.evbeye import RECORD

WINDOW = 33_333


def some_events(start=0, seconds=1.0, rate=2000, size=(40, 30), seed=0):
    """Events at random, one at each end of the time."""
    rng = np.random.default_rng(seed)
    n = int(rate * seconds)
    end = start + round(seconds * 1e6) - 1
    times = np.sort(np.r_[start, rng.integers(start, end + 1, n - 2), end])
    return make_events(rng.integers(0, size[0], n), rng.integers(0, size[1], n), times, rng.random(n) < 0.5)


def some_frames(start=0, seconds=1.0, size=(40, 30)):
    """Frames at 30 a second; frame i has the grey level 5·i + 3."""
    times = np.arange(start, start + round(seconds * 1e6) + 1, WINDOW)
    levels = (5 * np.arange(len(times)) + 3) % 256
    images = np.broadcast_to(levels[:, None, None], (len(times), size[1], size[0])).astype(np.uint8)
    return Frames(images, times.astype(np.int64))


def write_recording(path, start=0, seconds=1.0, frames=True, seed=0):
    """An HDF5 recording of 40×30."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (40, 30)
    write_hdf5(path, some_events(start, seconds, seed=seed), size, some_frames(start, seconds) if frames else None)
    return path


def write_evbeye(folder, start=5000, seconds=1.0, frames=True, seed=0):
    """A recording of EVBEYE in ``folder``."""
    (folder / "frames").mkdir(parents=True)
    events = some_events(start, seconds, size=(346, 260), seed=seed)
    records = np.empty(len(events), RECORD)
    for name in "xytp":
        records[name] = events[name]
    (folder / "events.aerdat").write_bytes(records.tobytes())
    pictures = some_frames(start, seconds, (346, 260))
    for i in range(len(pictures) if frames else 0):
        name = f"{i}_{7 * i}_{3 * i}_st_{pictures.timestamps_us[i]}.png"
        cv2.imwrite(str(folder / "frames" / name), pictures.images[i])
    return folder


def write_images(folder, levels, event=False, suffix=".png"):
    """Numbered images of 40×30: frames of these grey levels, or event images with so many ON pixels in row 3."""
    folder.mkdir(parents=True)
    for n, level in enumerate(levels):
        image = np.full((30, 40), 128 if event else level, np.uint8)
        if event:
            image[3, 8 : 8 + level] = 255
        cv2.imwrite(str(folder / f"{n:04d}{suffix}"), image)
    return folder
