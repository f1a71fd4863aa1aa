"""Which reader opens a file: by what the file begins with, and by its name only when that tells nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from snnkd.errors import RecordingError
from snnkd.recordings.recording import Recording

HEAD = 64
"""Bytes of a file that a format gets to see."""


@dataclass(frozen=True)
class Format:
    """A format: its name, a reader, and how files of it are told from others."""

    name: str
    open: Callable[[Path], Recording]
    recognises: Callable[[Path, bytes], bool]
    extensions: tuple[str, ...]


_formats: list[Format] = []


def register_format(
    name: str,
    open: Callable[[Path], Recording],
    *,
    recognises: Callable[[Path, bytes], bool] = lambda path, head: False,
    extensions: tuple[str, ...] = (),
) -> None:
    """Teach :func:`open_recording` a format; a later one is asked before an earlier one.

    Args:
        name: what users know the format as; the one under this name before is replaced.
        open: makes the recording of a path, or raises :class:`RecordingError`.
        recognises: tells from a path and the first 64 bytes (none of a folder) whether it is this format.
        extensions: file name endings with their dot, in lower case; asked when no format recognises the file.
    """
    _formats[:] = [Format(name, open, recognises, extensions), *(f for f in _formats if f.name != name)]


def known_formats() -> list[str]:
    """The known formats, each as one phrase with its file name endings, sorted by name."""
    formats = sorted(_formats, key=lambda f: f.name.lower())
    return [f"{f.name} ({', '.join(f.extensions)})" if f.extensions else f.name for f in formats]


def open_recording(path: str | PathLike[str]) -> Recording:
    """Open a recording, whatever its format.

    Content decides, then the file name. Raises :class:`RecordingError` when there is no such file, when it is
    empty or of no known format, and when its reader refuses it.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise RecordingError(f"{path}: no such file or folder")
        folder = path.is_dir()
        head = b""
        if not folder:
            with path.open("rb") as file:
                head = file.read(HEAD)
            if not head:
                raise RecordingError(f"{path}: the file is empty")
        for candidate in _formats:
            if candidate.recognises(path, head):
                return candidate.open(path)
        if not folder:
            for candidate in _formats:
                if path.name.lower().endswith(candidate.extensions):
                    return candidate.open(path)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error
    what = "folder" if folder else "file"
    raise RecordingError(f"{path}: the {what} is of no known format; known are {', '.join(known_formats())}")
