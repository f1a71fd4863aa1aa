"""Keeping signals until a call into a C library is over that calls back into Python.

Python runs the handlers of signals between any two of its instructions, those of a callback too; an interrupt that is
raised there, with HDF5's frames below, leaves HDF5's file half closed and ends the process sooner or later.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = sorted(int(number) for number in signal.valid_signals())


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Run the handlers of signals that come meanwhile at the end. Only the main thread ever runs them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []

    def keep(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))

    handlers = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}
    raised: BaseException | None = None
    try:
        for number in handlers:
            signal.signal(number, keep)
        yield
    finally:
        back = dict(handlers)
        while back:
            try:
                for number in list(back):
                    signal.signal(number, back[number])
                    del back[number]
            except BaseException as error:  # one that is in force again, while others are not yet
                raised = raised or error
        for number, frame in came:
            handlers[number](number, frame)
        if raised is not None:
            raise raised
