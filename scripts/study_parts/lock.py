"""Who is at a job: a lock file that says the machine and the process, and that shows that its holder lives.

On its own machine the holder's process is looked for, number and start, as numbers are given out again. Elsewhere only
the file can be seen: its holder touches it, and one that has long not been touched is given up. Times are those of the
folder's own clock, as other machines' clocks may differ.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BEAT_S, LOST_S, UNWRITTEN_S = 30.0, 600.0, 60.0


class Lock:
    """One job's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self) -> bool:
        """Whether it is ours from now on; one whose holder is no more is taken over."""
        try:
            with open(self.path, "x") as file:
                file.write(_holder(os.getpid()))
            return True
        except FileExistsError:
            pass
        try:
            if self._held():
                return False
            # Whoever renames the dead one's lock away first may try again.
            stale = self.path.with_suffix(f".stale.{socket.gethostname()}.{os.getpid()}")
            os.rename(self.path, stale)
        except FileNotFoundError:
            return False
        stale.unlink()
        return self.take()

    def release(self) -> None:
        """Give it back."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Touch it as long as the block runs."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_S):
                self.path.touch()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _held(self) -> bool:
        host, _, process = self.path.read_text().partition(" ")
        if not process:  # its holder is about to write it, or died before it did
            return self._age() < UNWRITTEN_S
        if host == socket.gethostname():
            return _holder(int(process.split()[0])) == f"{host} {process}"
        return self._age() < LOST_S

    def _age(self) -> float:
        now = self.path.with_suffix(f".now.{socket.gethostname()}.{os.getpid()}")
        now.touch()
        try:
            return now.stat().st_mtime - self.path.stat().st_mtime
        finally:
            now.unlink()


def _holder(number: int) -> str:
    """Machine, process, and when that process started, where the system tells; without it no such process lives."""
    try:
        # The name, in parentheses, may hold blanks; the start is the twentieth entry after it (proc(5)).
        start = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        try:
            os.kill(number, 0)
            start = "alive"
        except ProcessLookupError:
            start = "gone"
        except PermissionError:  # somebody else's, and alive
            start = "alive"
    return f"{socket.gethostname()} {number} {start}"
