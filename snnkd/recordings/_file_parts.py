"""Parts of a file, read and not mapped.

A file that is cut while it is read is then an error, where touching a map of it would end the process; and a pass holds
no more than the part that it is at.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings.recording import Recording


def read_blocks(
    recording: Recording, path: Path, begin: int, size: int, block: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield ``size`` bytes from ``begin`` on, ``block`` at a time, each with the byte where it begins.

    A block holds until the next is asked for. Raises the recording's error when the file ends before.
    """
    buffer = np.empty(min(block, size), np.uint8)
    done = 0
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(begin)
            while done < size:
                part, filled = buffer[: min(block, size - done)], 0
                while filled < len(part):
                    got = file.readinto(part[filled:].data)
                    if not got:
                        raise recording._error(f"ends at byte {begin + done + filled}: it was cut while it was read")
                    filled += got
                yield begin + done, part
                done += len(part)
    except OSError as error:
        raise recording._error(f"cannot be read: {error.strerror or error}") from error


def read_array(recording: Recording, path: Path, dtype: np.dtype[Any], begin: int, count: int) -> NDArray[Any]:
    """Read ``count`` elements from the byte ``begin`` on, into an array of its own (count,)."""
    size = count * dtype.itemsize
    for _, part in read_blocks(recording, path, begin, size, max(size, 1)):
        return part.view(dtype)
    return np.empty(0, dtype)
