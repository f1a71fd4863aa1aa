"""What is held of a reader that is not ours: its chunks are event arrays inside its sensor, its size is a size.

Our own readers check while they decode, where it costs nothing and the byte is known. What another's raises by mistake
(a key that is missing, bytes that make no number) becomes a :class:`RecordingError`, with its traceback as the cause.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from snnkd.errors import RecordingError, SnnkdError
from snnkd.events.array import EVENT_DTYPE, Events

LARGEST = 32767


class Reader(Protocol):
    """What is asked of a recording here."""

    path: Path

    @property
    def sensor_size(self) -> tuple[int, int]: ...
    def _read_chunks(self) -> Iterator[Events]: ...
    def _place(self, index: int) -> str: ...


def is_foreign(thing: object) -> bool:
    """Whether a class or function, or the class of a recording, is written outside the library."""
    named = thing if hasattr(thing, "__name__") else type(thing)
    return str(getattr(named, "__module__", "")).partition(".")[0] != "snnkd"


def failure(path: Path, name: str, error: Exception) -> RecordingError:
    """The error for what a reader of others raised by mistake."""
    return RecordingError(f"{path}: the reader {name} failed: {type(error).__name__}: {' '.join(str(error).split())}")


def check_size(size: Any, name: str) -> tuple[int, int]:
    """Return a reader's sensor size; ``TypeError`` where it is not (W, H) in pixels."""
    whole = isinstance(size, tuple | list) and all(isinstance(n, int | np.integer) for n in size)
    if not whole or len(size) != 2 or not all(1 <= n <= LARGEST for n in size):
        raise TypeError(f"the reader {name} gave the sensor size {size!r}, expected (W, H), both in 1..{LARGEST}")
    return int(size[0]), int(size[1])


def check_chunk(chunk: Any, name: str) -> None:
    """Refuse with ``TypeError`` what is no array of events."""
    if not isinstance(chunk, np.ndarray):
        raise TypeError(f"the reader {name} gave a chunk of type {type(chunk).__name__}, expected an event array")
    if chunk.ndim != 1 or chunk.dtype != EVENT_DTYPE:
        raise TypeError(
            f"the reader {name} gave a chunk {chunk.dtype} {chunk.shape}, expected {EVENT_DTYPE} (N,), "
            "as snnkd.events.make_events makes it"
        )


def checked_chunks(recording: Reader) -> Iterator[Events]:
    """Yield a reader's chunks, each checked."""
    from snnkd.recordings._event_kernel import first_outside

    name, count = type(recording).__name__, 0
    chunks: Iterator[Events] | None = None
    while True:
        try:
            chunks = iter(recording._read_chunks()) if chunks is None else chunks
            chunk = next(chunks)
        except StopIteration:
            return
        except (SnnkdError, OSError):
            raise
        except Exception as error:
            raise failure(recording.path, name, error) from error
        check_chunk(chunk, name)
        width, height = check_size(recording.sensor_size, name)
        i = int(first_outside(chunk, width, height))
        if i >= 0:
            raise RecordingError(
                f"{recording.path}: {recording._place(count + i)} lies at (x, y) = ({chunk['x'][i]}, {chunk['y'][i]}), "
                f"outside the sensor of {width}×{height}"
            )
        yield chunk
        count += len(chunk)
