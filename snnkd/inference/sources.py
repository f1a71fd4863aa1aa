"""Which recordings a command line means: files, folders that hold recordings, patterns."""

import glob
from collections.abc import Sequence
from pathlib import Path

from snnkd.errors import ConfigError, RecordingError
from snnkd.recordings import is_recording

HIDDEN = (".", "__")


def find_recordings(given: Sequence[str | Path]) -> list[Path]:
    """Return every recording that is meant, each once, in the order given and by name within a folder.

    A path that is a recording (a file, or a folder of images, say) stands for itself. Any other folder stands for all
    recordings in it, however deep, and a pattern with ``*``, ``?`` or ``[`` for what it matches. A path that is not
    there is kept, so that opening it tells why.

    Raises :class:`ConfigError` for a folder or a pattern without any recording.
    """
    found: list[Path] = []
    for each in given:
        path = Path(each)
        if not path.exists() and any(sign in str(each) for sign in "*?["):
            matches = [Path(match) for match in sorted(glob.glob(str(each), recursive=True))]
            inside = [recording for match in matches for recording in _inside(match)]
            if not inside:
                raise ConfigError(f"{each}: matches no recording")
            found += inside
        elif path.is_dir() and not is_recording(path):
            inside = _inside(path)
            if not inside:
                raise ConfigError(f"{path}: holds no recording of a known format")
            found += inside
        else:
            found.append(path)
    unique: dict[Path, Path] = {}
    for path in found:
        unique.setdefault(path.resolve(), path)
    return list(unique.values())


def _inside(path: Path) -> list[Path]:
    """A recording itself, or all that a folder holds."""
    try:
        if is_recording(path):
            return [path]
        if not path.is_dir():
            return []
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith(HIDDEN))
    except FileNotFoundError:  # gone since its folder was listed
        return []
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error
    return [recording for entry in entries for recording in _inside(entry)]
