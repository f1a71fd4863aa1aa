"""A video to a recording with events: frame by frame through the sensor model, into snnkd's HDF5.

Neither the frames nor the events of the whole are held in memory: one frame and the events of one frame interval, and
of a very long or busy interval about a million events at a time.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings._output import HDF5, refuse_existing
from snnkd.recordings.event_simulator import LARGEST_TIME, EventSimulator
from snnkd.recordings.hdf5 import LARGEST
from snnkd.recordings.hdf5_writer import Hdf5Writer
from snnkd.recordings.images import FrameRecording
from snnkd.recordings.recording import Recording
from snnkd.recordings.registry import open_recording
from snnkd.recordings.sensor_model import SensorModel

Frame = tuple[int, NDArray[np.uint8]]
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Simulation:
    """What a simulation made: frames read, events written, size of the sensor (W, H), and from when to when in µs."""

    frames: int
    events: int
    sensor_size: tuple[int, int]
    start_us: int
    end_us: int


def simulate_recording(
    source: str | PathLike[str] | Recording,
    output: str | PathLike[str],
    sensor: SensorModel | None = None,
    *,
    fps: float | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> Simulation:
    """Write to ``output`` the frames of ``source`` and the events that ``sensor`` would have sent for them.

    Args:
        source: a video, a folder of images, or any recording with frames; its own events are not used.
        output: the HDF5 file (:mod:`snnkd.recordings.hdf5`), which takes its name when it is whole.
        sensor: parameters, ``SensorModel()``, a DAVIS346, when left out; the equations are in
            :mod:`snnkd.recordings.sensor`. Pixels fade from one frame to the next, nothing moves between them.
        fps: frames per second, below a million; frame ``i`` is then at ``i/fps`` seconds whatever the source says.
            Of a folder of numbered images ``i`` is the number, counted from the first: absent ones leave a gap.
        progress: called after each frame with the number of frames done, and of all of them or None if not known.
        overwrite: replace ``output`` where it is there.

    A frame at the time of the one before it is left out, and ``source`` warns of it once; what it warned of is in
    the metadata too. Raises :class:`RecordingError` where the source cannot be read, has less than two frames of
    different times, frames of different sizes or of more than 32,767 pixels a side, or times that run backwards or
    beyond ±2^61 µs, and where ``output`` is the source, is there already, or does not end in .h5 or .hdf5;
    ``ValueError`` for an ``fps`` out of range; ``TypeError`` for a ``sensor`` that is none; ``OSError`` when the file
    cannot be written. After an error nothing is left behind, and a file that was there before is as it was.
    """
    if fps is not None and not (math.isfinite(fps) and 0 < fps < 1e6):
        raise ValueError(f"fps must be a number above 0 and below a million, got {fps!r}")
    recording = _opened(source, fps)
    if Path(output).resolve() == recording.path.resolve():
        raise recording._error("the output would take the place of its source; choose another name")
    refuse_existing(Path(output), overwrite, HDF5)
    sensor = SensorModel() if sensor is None else sensor
    frames = _growing(recording, _timed(recording, fps))
    first = next(frames, None)
    if first is None:
        raise recording._error("has no frames to make events of")
    start, image = first
    height, width = image.shape
    simulator = EventSimulator(sensor, (height, width))
    with Hdf5Writer(output, (width, height), _metadata(recording, sensor, fps), overwrite=overwrite) as writer:
        list(simulator.pieces(image, start))
        writer.append_frame(image, start)
        end, total = start, _frame_count(recording)
        if progress:
            progress(1, total)
        for end, image in frames:
            for events in simulator.pieces(image, end):
                writer.append(events)
            writer.append_frame(image, end)
            if progress:
                progress(writer.frame_count, total)
        if end == start:
            raise recording._error("has one frame only; events are made of the change from one to the next")
        if recording.warnings:
            writer.metadata["simulated_from"]["warnings"] = recording.warnings
    return Simulation(writer.frame_count, writer.event_count, (width, height), start, end)


def _opened(source: str | PathLike[str] | Recording, fps: float | None) -> Recording:
    """Return the source as a recording; one of frames only is told its frame rate, for it knows which are absent."""
    if fps is None:
        return source if isinstance(source, Recording) else open_recording(source)
    found: list[warnings.WarningMessage] = []
    if isinstance(source, Recording):
        recording = source
    else:
        # That times are unknown is no news to a caller who states them.
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            recording = open_recording(source)
    if isinstance(recording, FrameRecording):
        return type(recording)(recording.path, fps=fps)  # warns of the rest again
    for warning in found:
        warnings.warn(warning.message, stacklevel=3)
    return recording


def _frame_count(recording: Recording) -> int | None:
    held = recording.__dict__.get("frames")  # asking for them would hold them
    if held is not None:
        return len(held)
    count = recording.metadata.get("frames", getattr(recording, "_promised", None))  # the latter a video's
    return int(count) if isinstance(count, int | float) and 0 < count < 2**31 else None


def _timed(recording: Recording, fps: float | None) -> Iterator[Frame]:
    """Yield the frames with their time, read one by one where the format can."""
    for index, (time, image) in enumerate(recording.iter_frames()):
        if fps is not None and not isinstance(recording, FrameRecording):
            time = round(index * 1e6 / fps)
        yield time, image


def _growing(recording: Recording, frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield the frames that are later than the one before; refuse what cannot be one sequence of one camera."""
    last: int | None = None
    shape: tuple[int, ...] = ()
    same = 0
    for index, (time, image) in enumerate(frames):
        if last is None:
            shape = image.shape
        if image.dtype != np.uint8 or image.ndim != 2 or not image.size or image.shape != shape:
            raise recording._error(
                f"frame {index} is {image.dtype} {image.shape}, expected a greyscale uint8 image (H, W)"
                + (f" = {shape}" if index else "")
            )
        if max(shape) > LARGEST:
            raise recording._error(f"frame {index} is {shape} (H, W), the most is {LARGEST} pixels a side")
        if abs(time) > LARGEST_TIME:
            raise recording._error(f"frame {index} is at {time} µs, beyond ±2^61")
        if last is not None and time < last:
            raise recording._error(f"time runs backwards: frame {index} is at {time} µs after {last} µs")
        if time == last:
            same += 1
            continue
        last = time
        yield time, image
    if same and same == index:
        raise recording._error(f"all of its {index + 1} frames are at {last} µs; say how fast they follow with fps")
    if same:
        what = "1 frame was" if same == 1 else f"{same} frames were"
        recording._warn(f"{what} left out for having the time of the one before")


def _metadata(recording: Recording, sensor: SensorModel, fps: float | None) -> dict[str, Any]:
    made_of = {"format": recording.format, "name": recording.path.name, "fps": fps}
    return {"simulated_from": made_of, "sensor_model": asdict(sensor)}
