"""Several recordings at a time through one network."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from snnkd.errors import SnnkdError
from snnkd.inference.engine import make_batch_engine
from snnkd.inference.recognizer import Recognizer, priced
from snnkd.inference.settings import Settings
from snnkd.inference.smoothing import Smoothing
from snnkd.inference.timeline import Timeline
from snnkd.recordings import Recording

AHEAD = 4
"""Times ``batch`` that wait for a thread, so that a long recording does not hold up those after it"""

Item = TypeVar("Item")
Result = TypeVar("Result")


def recognize_all(
    recognizer: Recognizer,
    recordings: Iterable[Recording],
    batch: int = 8,
    hardware: str | None = None,
    smoothing: Smoothing = Smoothing(),  # noqa: B008
    settings: Settings = Settings(),  # noqa: B008
) -> Iterator[Timeline | SnnkdError]:
    """Yield what :meth:`Recognizer.recognize` tells of each recording, in their order, ``batch`` of them at a time.

    A recording that cannot be read gives its error in its place, and the others go on. For a network on a GPU, or one
    that is not run event by event; a student on a CPU gains nothing from a batch.

    Raises :class:`~snnkd.errors.ConfigError` where that student is given, and for hardware that is not known.
    """
    shared = sharing(recognizer, hardware, settings)

    def told(recording: Recording) -> Timeline | SnnkdError:
        try:
            return shared.recognize(recording, hardware, smoothing, settings)
        except SnnkdError as error:
            return error

    return side_by_side(shared, told, recordings, batch)


def sharing(recognizer: Recognizer, hardware: str | None, settings: Settings) -> Recognizer:
    """Return the recognizer with an engine that several threads recognise with, with this hardware and settings."""
    recognizer.check()
    return replace(recognizer, together=make_batch_engine(recognizer.network, priced(hardware), settings.backend))


def side_by_side(
    shared: Recognizer, work: Callable[[Item], Result], items: Iterable[Item], batch: int
) -> Iterator[Result]:
    """Yield ``work`` of each item, in their order, each in one of ``batch`` threads that recognise with ``shared``."""
    coming = iter(items)
    with ThreadPoolExecutor(batch, thread_name_prefix="snnkd-batch") as threads:
        begun: deque[Future[Result]] = deque(threads.submit(work, item) for item in islice(coming, AHEAD * batch))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(threads.submit(work, item) for item in islice(coming, 1))
                yield result
        finally:
            if shared.together is not None and begun:
                shared.together.close()  # given up half-way: what still runs ends at its next block
            for future in begun:
                future.cancel()
