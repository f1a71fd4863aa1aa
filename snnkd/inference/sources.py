"""Which recordings a command line means: files, folders that hold recordings, patterns."""

import glob
import json
from collections.abc import Sequence
from pathlib import Path

from snnkd.errors import ConfigError, RecordingError
from snnkd.recordings import is_recording

HIDDEN = (".", "__")


def find_recordings(given: Sequence[str | Path], output: Path | None = None) -> list[Path]:
    """Return every recording that is meant, each once, in the order given and by name within a folder.

    A path that is a recording (a file, or a folder of images, say) stands for itself. Any other folder stands for all
    recordings in it, however deep, and a pattern with ``*``, ``?`` or ``[`` for what it matches. A path that is not
    there is kept, so that opening it tells why. What ``snnkd infer`` itself wrote is none: not ``output``, which may
    lie among the recordings, and no file that a timeline beside it names.

    Raises :class:`ConfigError` for an empty path, and for a folder or a pattern without any recording.
    """
    found: list[Path] = []
    for each in given:
        if not str(each):
            raise ConfigError("a recording's path is empty")
        path = Path(each)
        if not path.exists() and any(sign in str(each) for sign in "*?["):
            matches = [Path(match) for match in sorted(glob.glob(str(each), recursive=True))]
            inside = [recording for match in matches for recording in _inside(match, output)]
            if not inside:
                raise ConfigError(f"{each}: matches no recording")
            found += inside
        elif path.is_dir():
            inside = _inside(path, output)
            if not inside:
                raise ConfigError(f"{path}: holds no recording of a known format")
            found += inside
        else:
            found.append(path)
    unique: dict[Path, Path] = {}
    for path in found:
        unique.setdefault(path.resolve(), path)
    return list(unique.values())


def _inside(path: Path, output: Path | None) -> list[Path]:
    """A recording itself, or all that a folder holds."""
    try:
        if _is_one(path):
            return [path]
        if not path.is_dir():
            return []
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith(HIDDEN))
    except FileNotFoundError:  # gone since its folder was listed
        return []
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error
    inner = [entry for entry in entries if output is None or not _is_same(entry, output)]
    return [recording for entry in inner for recording in _inside(entry, output)]


def _is_one(path: Path) -> bool:
    """Whether it is one recording: no result, and no folder of plots, which looks like one of images."""
    results = _is_written(path) if path.is_file() else any(_is_written(entry) for entry in path.iterdir())
    return not results and is_recording(path)


def _is_same(path: Path, other: Path) -> bool:
    return path.is_dir() and other.is_dir() and path.samefile(other)


def _is_written(path: Path) -> bool:
    """Whether a timeline of its name lies beside a file and says that it was written with it."""
    try:
        found = json.loads(path.with_suffix(".json").read_text())
        return found["format"] == "snnkd-timeline" and path.suffix[1:] in found["of"]["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False  # no such timeline
