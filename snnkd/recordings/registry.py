"""Which reader opens a file: by what the file begins with, and by its name only when that tells nothing."""

import inspect
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from snnkd.errors import RecordingError, SnnkdError
from snnkd.recordings._foreign import failure, is_foreign
from snnkd.recordings.recording import Recording

HEAD = 64
"""Bytes of a file that a format gets to see."""

SEARCHED = 200
"""Entries of a folder that is no recording in which one is looked for."""

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""Endings of single images, of which a folder is a recording."""


@dataclass(frozen=True)
class Format:
    """A format: its name, a reader, and how files of it are told from others."""

    name: str
    open: Callable[..., Recording]
    recognises: Callable[[Path, bytes], bool]
    extensions: tuple[str, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """What the reader takes besides the path."""
        return tuple(inspect.signature(self.open).parameters)[1:]


_formats: list[Format] = []


def register_format(
    name: str,
    open: Callable[..., Recording],
    *,
    recognises: Callable[[Path, bytes], bool] = lambda path, head: False,
    extensions: Sequence[str] = (),
) -> None:
    """Teach :func:`open_recording` a format; a later one is asked before an earlier one.

    Args:
        name: what users know the format as; the one under this name before is replaced.
        open: makes the recording of a path, usually the class of its reader, or raises :class:`RecordingError`. What
            else it takes are options that users can give to :func:`open_recording`.
        recognises: tells from a path and the first 64 bytes (none of a folder) whether it is this format.
        extensions: file name endings with their dot, such as ``[".evx"]``; asked when no format recognises the file.

    Raises ``TypeError`` or ``ValueError`` for arguments that are none of these.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be the format's name, got {name!r}; the call is register_format(name, open)")
    if not callable(open) or not callable(recognises):
        raise TypeError(f"open and recognises must be callable, got {open!r} and {recognises!r}")
    if isinstance(extensions, str) or not all(isinstance(ending, str) for ending in extensions):
        raise TypeError(f"extensions must be a sequence of endings such as ['.evx'], got {extensions!r}")
    if wrong := [ending for ending in extensions if len(ending) < 2 or not ending.startswith(".")]:
        raise ValueError(f"an extension begins with a dot, as in '.evx', got {wrong[0]!r}")
    if not inspect.signature(open).parameters:
        raise TypeError(f"open must take the path, but {open!r} takes nothing")
    endings = tuple(ending.lower() for ending in extensions)
    _formats[:] = [Format(name, open, recognises, endings), *(f for f in _formats if f.name != name)]


def known_formats() -> list[str]:
    """The known formats, each as one phrase with its file name endings, sorted by name."""
    formats = sorted(_formats, key=lambda f: f.name.lower())
    return [f"{f.name} ({', '.join(f.extensions)})" if f.extensions else f.name for f in formats]


def open_recording(path: str | PathLike[str], **options: Any) -> Recording:
    """Open a recording, whatever its format.

    Content decides, then the file name.

    Args:
        path: the file or folder.
        options: what the caller knows and the file does not tell, as far as its reader asks: ``unit`` of time
            (``"s"``, ``"ms"``, ``"us"``, ``"ns"``), ``columns`` of a text (``"xypt"``), ``sensor_size`` (W, H),
            ``camera`` of an AEDAT2 file, ``fps`` of a video or a folder of images. None is as if left out.

    Raises :class:`RecordingError` when there is no such file, when it is empty or of no known format, when its reader
    refuses it, and for an option that its reader does not take; ``ValueError`` for an option's value that is none.
    """
    path = Path(path)
    options = {name: value for name, value in options.items() if value is not None}
    try:
        head = _head(path)
        candidate = _format_of(path, head)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error
    if candidate is None:
        raise RecordingError(f"{path}: {_why_not(path)}")
    if unknown := [name for name in options if name not in candidate.options]:
        known = f"it takes {', '.join(candidate.options)}" if candidate.options else "it takes none"
        raise RecordingError(f"{path}: is {candidate.name}, which takes no {unknown[0]}; {known}")
    try:
        recording = candidate.open(path, **options)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # A mistake in a reader of ours keeps its traceback, and so does a value that is none for an option.
        if (
            isinstance(error, SnnkdError)
            or not is_foreign(candidate.open)
            or (options and isinstance(error, ValueError))
        ):
            raise
        raise failure(path, candidate.name, error) from error
    if not isinstance(recording, Recording):
        raise TypeError(
            f"the reader of {candidate.name} gave {type(recording).__name__}, expected a snnkd.recordings.Recording"
        )
    return recording


def is_recording(path: str | PathLike[str]) -> bool:
    """Whether a file or folder is of a known format: by its content, or, where this is broken or empty, by its name."""
    path = Path(path)
    try:
        return _format_of(path, _head(path)) is not None
    except RecordingError:
        known = tuple(ending for candidate in _formats for ending in candidate.extensions)
        return path.is_file() and path.name.lower().endswith(known)


def _head(path: Path) -> bytes:
    """The first bytes of a file that can be read as often as one likes; none of a folder."""
    if not path.exists():
        raise RecordingError(f"{path}: no such file or folder")
    if path.is_dir():
        return b""
    if not stat.S_ISREG(path.stat().st_mode):
        raise RecordingError(
            f"{path}: is no regular file but a pipe or a device, which is read only once; save its content to a file"
        )
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise RecordingError(f"{path}: the file is empty")
    return head


def _format_of(path: Path, head: bytes) -> Format | None:
    for candidate in _formats:
        if candidate.recognises(path, head):
            return candidate
    if not path.is_dir():
        for candidate in _formats:
            if candidate.extensions and path.name.lower().endswith(candidate.extensions):
                return candidate
    return None


def _why_not(path: Path) -> str:
    """What is likely meant by a path that is no recording."""
    if path.suffix.lower() in IMAGES and path.is_file():
        return "is one image; name the folder that holds it and the others"
    if not path.is_dir():
        return "is of no known format; the README lists those that are read"
    entries = sorted(path.iterdir())
    if not entries:
        return "the folder is empty"
    held = []
    for entry in entries[:SEARCHED]:
        try:
            if _format_of(entry, _head(entry)) is not None:
                held.append(entry.name + ("/" if entry.is_dir() else ""))
        except (OSError, RecordingError):
            continue
    if held:
        more = f" and {len(held) - 3} more" if len(held) > 3 else ""
        return f"is no recording, but holds {', '.join(held[:3])}{more}: name one of them"
    return "is a folder of no known format; the README lists those that are read"
