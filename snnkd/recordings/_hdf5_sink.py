"""The file below an HDF5 file that is written: it keeps its errors, for HDF5 cannot.

HDF5 holds back what it writes until the file is closed, and h5py closes where Python has no way to raise an error: a
disk that is full then would go unnoticed or end the process. So HDF5 writes to a :class:`Sink`, which takes everything
without a word, and ``error`` tells the first that went wrong. What is written after it is lost, as is the file. No
signal may be handled while HDF5 is at work (:mod:`snnkd.recordings._signals`).

In a process that was forked from the writer's the sink does nothing at all: the file is its parent's.
"""

import io
import os
from pathlib import Path
from typing import Any


class Sink(io.RawIOBase):
    """A new file, for h5py's driver ``fileobj``; raises ``OSError`` only where it cannot be made."""

    def __init__(self, path: Path) -> None:
        self._owner = os.getpid()
        self._position = self._end = 0
        self.error: Exception | None = None
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)

    @property
    def _works(self) -> bool:
        return self.error is None and self._descriptor >= 0 and os.getpid() == self._owner

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; nothing is read or written."""
        self._position = offset + (0, self._position, self._end)[whence]
        return self._position

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._position

    def write(self, data: Any) -> int:
        """Write all of ``data``, or keep the error."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self._works:
                done += os.pwrite(self._descriptor, view[done:], self._position + done)
        except Exception as error:
            self.error = error
        self._position += len(view)
        self._end = max(self._end, self._position)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """Read what was written; zeros where nothing was."""
        view = memoryview(buffer).cast("B")
        got = 0
        try:
            while got < len(view) and self._works:
                part = os.pread(self._descriptor, len(view) - got, self._position + got)
                if not part:
                    break
                view[got : got + len(part)] = part
                got += len(part)
        except Exception as error:
            self.error = error
        view[got:] = bytes(len(view) - got)
        self._position += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        self._end = self._position if size is None else size
        try:
            if self._works:
                os.ftruncate(self._descriptor, self._end)
        except Exception as error:
            self.error = error
        return self._end

    def flush(self) -> None:
        """Nothing waits here."""

    def shut(self) -> None:
        """Close the file; a disk may tell only now that it was full."""
        if self._descriptor >= 0:
            try:
                os.close(self._descriptor)
            except OSError as error:
                self.error = self.error or error
            self._descriptor = -1

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self.error is not None:
            raise self.error
