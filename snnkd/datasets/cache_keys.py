"""What a cached sequence is filed under, so that a changed file or setting never gives a stale clip.

The **key** of a sequence is a digest (BLAKE2b) over everything that its windows depend on: the dataset's ``reading()``,
the plain fields of its entry in ``sequences`` but for person, emotion and lighting, and the name, size and *content* of
each of its source files. Who moves, copies or touches a dataset keeps its keys.

Reading every source anew at each start would take as long as the cache saves. So the **signature** of a sequence is a
digest over the same, with each file's path, device, inode, size, and times of change (``mtime``, ``ctime``, in ns) in
place of its content, and the cache remembers which key a signature had. A change of content sets ``ctime``, which
programs cannot set back as they can ``mtime``. A file that was changed within :data:`FRESH_NS` before it was looked at
could change again within one tick of the file system's clock: its signature is not relied on, and its content is read
at the next start too.

So a clip is stale only where content was changed behind the file system's back: on the bare disk, through a mapping
that stays open for writing, or with its clock set back.
"""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from snnkd.datasets.sample import EyeDataset
from snnkd.errors import DatasetError

FRESH_NS = 2_000_000_000
"""Age in ns from which on a file's times can be relied on: the coarsest clock of a file system in use."""

_LABELS = ("person", "emotion", "lighting")


class Signature(NamedTuple):
    """Digest of paths and file times; ``firm`` where all of them are old enough to be relied on."""

    digest: str
    firm: bool


def digest(value: Any) -> str:
    """Digest of plain data, equal for equal JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def reading_key(dataset: EyeDataset) -> str:
    """Digest of ``dataset.reading()``; ``TypeError`` where that is not plain data."""
    return digest(dataset.reading())


def sign(dataset: EyeDataset, index: int, reading: str) -> Signature:
    """Signature of a sequence as its files are now; :class:`DatasetError` for one that cannot be found."""
    facts: list[Any] = []
    newest = 0
    for name, path, stat in _files(dataset, index):
        facts.append([name, path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns])
        newest = max(newest, stat.st_ctime_ns)
    found = digest([reading, _fields(dataset, index), facts])
    return Signature(found, newest < time.time_ns() - FRESH_NS)


def content_key(dataset: EyeDataset, index: int, reading: str) -> str:
    """Key of a sequence, from the content of its files; :class:`DatasetError` for one that cannot be read."""
    facts = []
    for name, path, _ in _files(dataset, index):
        try:
            with open(path, "rb", buffering=0) as file:
                facts.append([name, hashlib.file_digest(file, _blake2b).hexdigest()])
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read: {error.strerror or error}; fetch it again") from error
    return digest([reading, _fields(dataset, index), facts])


def _blake2b() -> Any:
    return hashlib.blake2b(digest_size=16)


def _fields(dataset: EyeDataset, index: int) -> dict[str, Any]:
    """What the dataset says of a sequence and its windows may depend on: the borders of a segment, say."""
    sequence = dataset.sequences[index]
    values = {field.name: getattr(sequence, field.name) for field in dataclasses.fields(sequence)}
    plain = (str, int, float, bool, type(None))
    return {name: value for name, value in values.items() if isinstance(value, plain) and name not in _LABELS}


def _files(dataset: EyeDataset, index: int) -> Iterator[tuple[str, str, os.stat_result]]:
    """Source files in a fixed order: a name that does not change when the dataset moves, the path, what ``stat`` says.

    Two sources of one name, such as SEE's two folders of a sequence, are told apart by their number.
    """
    for number, source in enumerate(dataset.sources(index)):
        path = os.path.abspath(source)
        try:
            if os.path.isdir(path):
                for below, found, stat in sorted(_below(path, ""), key=lambda entry: entry[0]):
                    yield f"{number}/{below}", found, stat
            else:
                yield f"{number}", path, os.stat(path)
        except OSError as error:
            name = dataset.sequences[index].name
            raise DatasetError(
                f"{error.filename or path}: source of sequence {name!r} cannot be read: {error.strerror or error}; "
                "fetch it again"
            ) from error


def _below(folder: str, prefix: str) -> Iterator[tuple[str, str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _below(entry.path, f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, entry.path, entry.stat()


def folder_name(root: Path) -> str:
    """Name of the folder of a dataset's caches: that of the dataset, and a digest of where it lies."""
    place = os.path.realpath(root)
    return f"{os.path.basename(place) or 'root'}-{digest(place)[:8]}"
