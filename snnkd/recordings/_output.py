"""Writing a file so that nothing is lost: it grows beside its place and takes its name only when it is whole.

A destination that is a link is written through, as every other program does. The file that grows has a short name of
its own, so that every name the file system takes can be written.
"""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from snnkd.errors import RecordingError

HDF5 = (".h5", ".hdf5")
NPZ = (".npz",)


def refuse_existing(
    target: Path, overwrite: bool, endings: tuple[str, ...] = HDF5 + NPZ, remedy: str = "overwrite=True"
) -> None:
    """Refuse a name of another format, and a file that is there and is to stay; ``remedy`` says how it would not."""
    if target.suffix.lower() not in endings:
        raise RecordingError(f"{target}: the file's name must end in {', '.join(endings)}, got {target.suffix!r}")
    if target.is_dir():
        raise RecordingError(f"{target}: is a folder; name a file")
    if target.exists() and not overwrite:
        raise RecordingError(f"{target}: is there already; choose another name, or give {remedy}")


def growing(target: Path) -> tuple[Path, Path]:
    """Where the file grows that is to be ``target``, and where it goes then: what a link points to."""
    place = Path(os.path.realpath(target))
    return place.with_name(f".snnkd-{uuid.uuid4().hex[:16]}.tmp"), place


@contextmanager
def told(target: str | PathLike[str]) -> Iterator[None]:
    """Give an ``OSError`` the name that the caller knows: the folder that cannot be written to, else the target."""
    try:
        yield
    except OSError as error:
        folder = Path(os.path.realpath(target)).parent
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OSError(error.errno, "not writable", str(folder)) from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise OSError(error.errno, "there is no such folder; make it first", str(folder)) from error
        raise OSError(error.errno, error.strerror or str(error), str(target)) from error
