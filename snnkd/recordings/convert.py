"""Any recording to a file of ours: HDF5 as a stream, NPZ where it fits into memory."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from snnkd.errors import RecordingError
from snnkd.recordings import _output
from snnkd.recordings.arrays import write_npz
from snnkd.recordings.hdf5_writer import Hdf5Writer
from snnkd.recordings.recording import Recording
from snnkd.recordings.registry import open_recording

WRITTEN = _output.HDF5 + _output.NPZ
"""File name endings that can be written."""


def convert(
    source: str | PathLike[str] | Recording,
    destination: str | PathLike[str],
    *,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> Recording:
    """Write the recording ``source`` to ``destination`` with all its events, frames and metadata.

    The ending of ``destination`` decides: ``.h5`` or ``.hdf5``, which is written chunk by chunk, or ``.npz``, for
    which all events are held in memory. Times and coordinates stay as they are. What is there before stays until the
    new file is whole, and stays for good unless ``overwrite``. ``metadata["converted_from"]`` says what the source
    was, with the warnings that came up while it was read, and holds what the source's own ``converted_from`` says.
    ``progress`` is called with the number of events done, and of all of them or None where only reading would tell.

    Returns the written recording, opened. Raises :class:`RecordingError` for another ending, a file that is there,
    and where the source cannot be read; ``OSError`` when the file cannot be written.
    """
    target = Path(destination)
    refuse_existing(target, overwrite)
    recording = source if isinstance(source, Recording) else open_recording(source)
    if target.suffix.lower() == ".npz":
        events, frames = recording.events, recording.frames
        write_npz(target, events, recording.sensor_size, frames, _metadata(recording), overwrite=overwrite)
    else:
        with Hdf5Writer(target, recording.sensor_size, _metadata(recording), overwrite=overwrite) as writer:
            done, total = 0, _count_at_hand(recording)
            for chunk in recording.chunks():
                writer.append(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
            for time, image in recording.iter_frames():
                writer.append_frame(image, time)
            writer.metadata = _metadata(recording)  # with what was only found on the way
    return open_recording(target)


def _count_at_hand(recording: Recording) -> int | None:
    """The number of events, where it is known without reading them."""
    held = recording.__dict__.get("events")
    count = len(held) if held is not None else getattr(recording, "_count", None)
    return count if isinstance(count, int) else None


def _metadata(recording: Recording) -> dict[str, Any]:
    origin: dict[str, Any] = {"format": recording.format, "name": recording.path.name}
    if recording.warnings:
        origin["warnings"] = list(recording.warnings)
    if "converted_from" in recording.metadata:
        origin["converted_from"] = recording.metadata["converted_from"]
    return {**recording.metadata, "converted_from": origin}


def refuse_existing(
    target: Path, overwrite: bool, endings: tuple[str, ...] = WRITTEN, remedy: str = "overwrite=True"
) -> None:
    """Refuse a file that cannot be written, or that is there and is to stay; ``remedy`` says how it would not."""
    if target.suffix.lower() in endings and not target.parent.is_dir():
        raise RecordingError(f"{target}: there is no folder {target.parent}; make it first")
    _output.refuse_existing(target, overwrite, endings, remedy)
