"""The clip caches of a dataset: which there are, how large, and removing them."""

import os
from dataclasses import dataclass
from pathlib import Path

from snnkd.datasets.cache_keys import folder_name
from snnkd.datasets.cache_store import Damaged, about, read_index


@dataclass(frozen=True)
class Listed:
    """One cache: input size (W, H), length of a window, sequences and windows, and bytes on the disk.

    ``outdated`` are the bytes of sequences whose files have changed since, which the next clearing frees; ``whole`` is
    False where the index was cut or changed, so that the next opening makes the cache anew.
    """

    folder: Path
    size: tuple[int, int]
    window_us: int
    sequences: int
    windows: int
    bytes: int
    outdated: int
    whole: bool


def list_caches(
    folder: str | os.PathLike[str],
    root: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    window_us: int | None = None,
) -> list[Listed]:
    """Caches below ``folder`` of the dataset in ``root``, of one size and window only where these are given."""
    found = []
    place = Path(folder) / folder_name(Path(root))
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        said = about(path)
        if said is None:
            continue
        listed = _listed(path, (said["size"][0], said["size"][1]), said["window_us"])
        if size in (None, listed.size) and window_us in (None, listed.window_us):
            found.append(listed)
    return found


def _listed(path: Path, size: tuple[int, int], window_us: int) -> Listed:
    held = sum(entry.stat().st_blocks * 512 for entry in path.iterdir())
    try:
        index = read_index(path)
    except Damaged:
        return Listed(path, size, window_us, 0, 0, held, 0, False)
    entries = list(index.entries.values()) if index else []
    latest = {entry.name: entry for entry in entries}  # a later one of a name took the place of those before it
    outdated = sum(entry.size for entry in entries) - sum(entry.size for entry in latest.values())
    windows = sum(entry.windows for entry in latest.values())
    return Listed(path, size, window_us, len(latest), windows, held, outdated, True)
