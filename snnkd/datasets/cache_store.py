"""The files of one clip cache: appended windows, an index that replaces itself whole, and a lock.

::

    <folder>/about.json        what was read and how, for people and for listings
    <folder>/windows-<id>.bin  the sequences one after the other, at multiples of 64: see snnkd.datasets.cache_blob
    <folder>/index.json        a line with format and checksum, then JSON: the name of that file, the sequences in it
                               (key, place, CRC-32) and the signatures that were seen
    <folder>/lock              held, by ``flock``, by the one process that writes; the kernel lets go when that ends

The index is written under another name, synchronised to the disk and renamed, after what it points at was: whatever
ends the writer, and whenever, the index is one that was true. What was appended since is cut off by the next writer,
which goes on from there. Readers need no lock: they map the part that their index told of, which nobody changes; a
cache that is damaged or removed is unlinked, and stays whole for those who have it mapped.
"""

import hashlib
import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from snnkd.datasets.sample import EyeDataset
from snnkd.errors import DatasetError

INDEX, ABOUT, LOCK = "index.json", "about.json", "lock"
FORMAT = "snnkd-clip-cache-1"
ALIGNMENT = 64
SAVE_EVERY_S = 2.0
"""Seconds between two indices while sequences are appended: what a killed process can lose."""


@dataclass(frozen=True)
class Entry:
    """Where a sequence is: offset and bytes in the file, CRC-32 of them, and numbers of windows and images."""

    name: str
    at: int
    size: int
    crc: int
    windows: int
    images: int


@dataclass
class Index:
    """What a cache holds: entries by key, keys by signature, and the end of the last entry."""

    data: str = field(default_factory=lambda: f"windows-{secrets.token_hex(8)}.bin")
    end: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)

    def drop(self, keys: set[str]) -> None:
        """Forget entries."""
        self.entries = {key: entry for key, entry in self.entries.items() if key not in keys}
        self.seen = {signature: key for signature, key in self.seen.items() if key not in keys}


class Damaged(Exception):
    """The index is there and cannot be relied on; the message says why."""


def read_index(folder: Path) -> Index | None:
    """The index of a cache, None where there is none; raises :class:`Damaged` for one that was cut or changed."""
    try:
        content = (folder / INDEX).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    head, _, body = content.partition(b"\n")
    if head.decode("ascii", "replace").split(" ") != [FORMAT, _checksum(body)]:
        raise Damaged("was cut or changed" if head.startswith(FORMAT.encode()) else "is of another version")
    held = json.loads(body)
    entries = {key: Entry(**entry) for key, entry in held.pop("entries").items()}
    return Index(entries=entries, **held)


def _checksum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by a whole one, on the disk before it has its name."""
    passing = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(passing, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(passing, path)
        _synchronise(path.parent)
    except BaseException:
        passing.unlink(missing_ok=True)
        raise


def _synchronise(folder: Path) -> None:
    with suppress(OSError):  # a file system that cannot synchronise folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def locked(folder: Path, wait: Callable[[], None] | None) -> Iterator[int]:
    """Hold the cache's lock, a file descriptor; call ``wait`` once before waiting for another process.

    Raises :class:`BlockingIOError` in place of waiting where ``wait`` is None.
    """
    import fcntl

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # the folder was removed in between
            continue
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if wait is None:
                    raise
                wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(folder / LOCK), os.fstat(handle)):
                    yield handle
                    return
        finally:
            os.close(handle)  # lets go of it, too
        # Whoever held it removed the cache: the lock is another file now.


class Writer:
    """Appends sequences; only under the lock. ``index`` is what is there now."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder, self.index = folder, index
        self._file: FileIO | None = None
        self._saved = time.monotonic()
        self._changed = False

    def append(self, key: str, name: str, blob: bytes, windows: int, images: int) -> None:
        """Add a sequence; on a full disk the file ends where it did."""
        if self._file is None:
            self._file = self._open()
        at = -(-self.index.end // ALIGNMENT) * ALIGNMENT
        self._file.seek(self.index.end)
        rest = memoryview(bytes(at - self.index.end) + blob)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.index.entries[key] = Entry(name, at, len(blob), zlib.crc32(blob), windows, images)
        self.index.end = at + len(blob)
        self._changed = True
        if time.monotonic() - self._saved > SAVE_EVERY_S:
            self.save()

    def see(self, signature: str, key: str) -> None:
        """Remember the key of a signature."""
        if self.index.seen.get(signature) != key:
            self.index.seen[signature] = key
            self._changed = True

    def save(self) -> None:
        """Write the index, after what it points at."""
        if self._file is not None:
            os.fsync(self._file.fileno())
        if self._changed:
            body = json.dumps(asdict(self.index)).encode()
            write_whole(self.folder / INDEX, f"{FORMAT} {_checksum(body)}\n".encode() + body)
            self._changed = False
        self._saved = time.monotonic()

    def stop(self) -> None:
        """After a failure: keep the sequences that were written whole, and cut off the rest."""
        try:
            if self._file is not None:
                self._file.truncate(self.index.end)
            self.save()
        except OSError:
            self._fall_back()

    def _fall_back(self) -> None:
        """Not even an index can be written: keep what the last one tells of."""
        try:
            kept = read_index(self.folder)
        except Damaged:
            kept = None
        with suppress(OSError):
            if kept is not None and kept.data == self.index.data:
                os.truncate(self.folder / kept.data, kept.end)
            else:
                (self.folder / self.index.data).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> FileIO:
        path = self.folder / self.index.data
        file = FileIO(path, "r+" if path.exists() else "w+")
        file.truncate(self.index.end)
        return file


def sweep(folder: Path, data: str) -> None:
    """Remove what is in no index: files of a cache that was damaged, and what killed processes left."""
    for path in (*folder.glob("windows-*.bin"), *folder.glob(".*.partial")):
        if path.name != data:
            path.unlink(missing_ok=True)


def describe(folder: Path, dataset: EyeDataset) -> None:
    """Write what is cached here, unless that is there already."""
    said = {
        "format": FORMAT,
        "root": os.path.realpath(dataset.root),
        "size": list(dataset.input_size),
        "window_us": dataset.window_us,
        "reading": dataset.reading(),
    }
    body = json.dumps(said, indent=1)
    if about(folder) != json.loads(body):
        write_whole(folder / ABOUT, body.encode())


def remove(folder: Path) -> None:
    """Remove a cache; :class:`DatasetError` where a process is building it."""
    try:
        with locked(folder, None):
            (folder / INDEX).unlink(missing_ok=True)  # first: what is left then is no cache
            shutil.rmtree(folder)
    except BlockingIOError:
        raise DatasetError(f"{folder}: another process is building this cache; remove it when that has ended") from None
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be removed: {error.strerror or error}") from error


def about(folder: Path) -> dict[str, Any] | None:
    """What a cache says of itself, None where the folder holds none."""
    try:
        said = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and said.get("format") == FORMAT else None
