"""What a transform takes: an event array, or a pair of it and the frames of the same view.

The frames of a pair are anything with ``images`` (N, H, W) uint8 and ``timestamps_us`` (N,) int64, such as
``snnkd.recordings.Frames``, or a tuple of the two, or None. A transform gives back what it got: an array for an
array, a pair for a pair, with frames of the type that came in.
"""

import dataclasses
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events, as_events

Data = TypeVar("Data")
"""An event array or a pair."""


class FrameStack(NamedTuple):
    """Frames as the transforms handle them: ``images`` (N, H, W) uint8, ``timestamps_us`` (N,) int64."""

    images: NDArray[np.uint8]
    timestamps_us: NDArray[np.int64]


def split_pair(data: Any) -> tuple[Events, FrameStack | None]:
    """Events and frames of ``data``; ``ValueError`` when it is neither an event array nor a pair, or no good one.

    Events of another layout come back as :func:`snnkd.events.as_events` has them. Times of frames must not decrease.
    """
    if isinstance(data, np.ndarray):
        return as_events(data), None
    if not isinstance(data, tuple) or len(data) != 2:
        remedy = ": pass (recording.events, recording.frames)" if hasattr(data, "events") else ""
        kind = type(data).__name__
        raise ValueError(f"a transform takes an event array or a pair (events, frames), got {kind}{remedy}")
    events, given = as_events(data[0]), data[1]
    if given is None:
        return events, None
    if hasattr(given, "images"):
        frames = FrameStack(given.images, given.timestamps_us)
    elif isinstance(given, tuple) and len(given) == 2:
        frames = FrameStack(*given)
    else:
        raise ValueError(f"frames must have images and timestamps_us or be a tuple of them, got {type(given).__name__}")
    images, times = np.asarray(frames.images), np.asarray(frames.timestamps_us)
    if images.ndim != 3 or images.dtype != np.uint8 or times.shape != images.shape[:1] or times.dtype != np.int64:
        raise ValueError(
            "frames must be images uint8 (N, H, W) and timestamps_us int64 (N,), "
            f"got {images.dtype} {images.shape} and {times.dtype} {times.shape}"
        )
    if (times[1:] < times[:-1]).any():
        i = int((times[1:] < times[:-1]).argmax()) + 1
        raise ValueError(f"time runs backwards: frame {i} is at {times[i]} µs after {times[i - 1]} µs; sort the frames")
    return events, FrameStack(images, times)


def join_pair(data: Data, events: Any, frames: FrameStack | None) -> Data:
    """``events`` and ``frames`` in the form in which ``data`` came."""
    if isinstance(data, np.ndarray):
        return events
    given = data[1]  # type: ignore[index]
    made: Any = frames
    if given is not None and frames is not None:
        if dataclasses.is_dataclass(given) and not isinstance(given, type):
            made = dataclasses.replace(given, **frames._asdict())
        elif hasattr(given, "_replace"):
            made = given._replace(**frames._asdict())
        elif isinstance(given, tuple):
            made = tuple(frames)
        # What else has the two attributes comes back as a FrameStack, which has them too.
    return (events, made)  # type: ignore[return-value]


def span_us(events: Events, frames: FrameStack | None) -> tuple[int, int] | None:
    """First and last time of events in order and of frames, None where there are neither."""
    times = [events["t"]] if frames is None else [events["t"], frames.timestamps_us]
    times = [t for t in times if len(t)]
    if not times:
        return None
    return min(int(t[0]) for t in times), max(int(t[-1]) for t in times)
