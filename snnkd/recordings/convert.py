"""Any recording to a file of ours: HDF5 as a stream, NPZ where it fits into memory."""

from os import PathLike
from pathlib import Path

from snnkd.errors import RecordingError
from snnkd.recordings.arrays import write_npz
from snnkd.recordings.hdf5_writer import Hdf5Writer
from snnkd.recordings.recording import Recording
from snnkd.recordings.registry import open_recording

WRITTEN = (".h5", ".hdf5", ".npz")
"""File name endings that can be written."""


def convert(source: str | PathLike[str], destination: str | PathLike[str], *, overwrite: bool = False) -> Recording:
    """Write the recording ``source`` to ``destination`` with all its events, frames and metadata.

    The ending of ``destination`` decides: ``.h5`` or ``.hdf5``, which is written chunk by chunk, or ``.npz``, for
    which all events are held in memory. Times and coordinates stay as they are. What is there before stays until the
    new file is whole, and stays for good unless ``overwrite``.

    Returns the written recording, opened. Raises :class:`RecordingError` for another ending, a file that is there,
    and where the source cannot be read; ``OSError`` when the file cannot be written.
    """
    target = Path(destination)
    refuse_existing(target, overwrite)
    recording = open_recording(source)
    metadata = {**recording.metadata, "converted_from": {"format": recording.format, "name": recording.path.name}}
    if recording.warnings:
        metadata["converted_from"]["warnings"] = recording.warnings
    if target.suffix.lower() == ".npz":
        write_npz(target, recording.events, recording.sensor_size, recording.frames, metadata)
    else:
        with Hdf5Writer(target, recording.sensor_size, metadata) as writer:
            for chunk in recording.chunks():
                writer.append(chunk)
            for time, image in recording.iter_frames():
                writer.append_frame(image, time)
    return open_recording(target)


def refuse_existing(target: Path, overwrite: bool, endings: tuple[str, ...] = WRITTEN) -> None:
    """Refuse a file that cannot be written, or that is there and is to stay."""
    if target.suffix.lower() not in endings:
        raise RecordingError(f"{target}: the file's name must end in {', '.join(endings)}, got {target.suffix!r}")
    if not target.parent.is_dir():
        raise RecordingError(f"{target}: there is no folder {target.parent}; make it first")
    if target.exists() and not overwrite:
        raise RecordingError(f"{target}: is there already; choose another name, or give --overwrite")
