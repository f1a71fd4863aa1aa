"""The process around a command: what its output can hold, and how it ends when it is told to."""

import codecs
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

INSTEAD = {
    **dict(zip("▁▂▃▄▅▆▇█", ".:-=+*#@", strict=True)),
    "×": "x",
    "µ": "u",
    "–": "-",
    "−": "-",
    "…": "...",
    "±": "+-",
    "·": ".",
    "─": "-",
    "━": "-",
    "╸": "-",
    "╺": "-",
}
"""What a terminal that knows no more than ASCII is sent for what tables, charts and messages are made of."""


def say_anything(*streams: TextIO) -> None:
    """Let streams take every text: what their encoding has no code for is replaced, or spelt out as ``\\\\xNN``."""
    codecs.register_error("snnkd", _replace)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="snnkd")


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if character in INSTEAD:
        return INSTEAD[character], error.start + 1
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a file's name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}", error.start + 1
    spelt, _ = codecs.backslashreplace_errors(
        UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    )
    return spelt, error.start + 1


def cleaned(message: object) -> str:
    """Return a message on one line, with the characters that steer a terminal spelt out."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: match.group().encode("unicode_escape").decode(), str(message))


_told: list[int] = []
"""The signal that this process was told to end by, if any."""


def heed() -> None:
    """Raise what a signal has raised before, where that got lost, as it does in a C callback of the compiler's."""
    if _told:
        raise SystemExit(128 + _told[0])


@contextmanager
def clean_exit() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exception, so that what is half written is removed; the status is 128 + n.

    A process that was forked meanwhile dies of them as it would have. Long commands call :func:`heed` now and then.
    """
    _told.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once
        if os.getpid() != owner:
            os.kill(os.getpid(), number)
            return
        _told.append(number)
        print(f"snnkd: ended by {signal.Signals(number).name}", file=sys.stderr)
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # One that is ignored, as nohup has SIGHUP, stays so.
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
