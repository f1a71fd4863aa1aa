"""One stream of events on its way through a recognizer: chunks in, windows out, nothing else held."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ConfigError
from snnkd.events.array import Events
from snnkd.inference.engine import Engine, Steps
from snnkd.inference.engine.modes import Clips, Stream
from snnkd.inference.windowing import GOOD, QUALITIES, Block, Judge, Validity, WindowReader


class Windows(NamedTuple):
    """Consecutive windows that are settled."""

    start_us: NDArray[np.int64]
    """``(T,)``"""
    events: NDArray[np.int64]
    """``(T,)`` that the network was given"""
    quality: NDArray[np.int8]
    """``(T,)`` places in :data:`~snnkd.inference.windowing.QUALITIES`"""
    logits: NDArray[np.float32]
    """``(T, K)``"""
    joules: NDArray[np.float64] | None


@dataclass(frozen=True)
class Reading:
    """What is told of one window."""

    start_us: int
    """On the recording's clock, as ``end_us``"""
    end_us: int
    start_s: float
    """Seconds from the recording's start, as ``end_s``"""
    end_s: float
    events: int
    quality: str
    """``good``, ``silent``, ``saturated`` or ``blink`` (:mod:`snnkd.inference.windowing.quality`)"""
    label: str
    confidence: float
    probabilities: dict[str, float]
    logits: tuple[float, ...]
    joules: float | None

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong with the window."""
        return self.quality == QUALITIES[GOOD]


class Session:
    """Runs a stream through an engine.

    Args:
        reader: cuts it into windows.
        mode: what runs them.
        validity: when a window is held valid.
    """

    def __init__(self, reader: WindowReader, mode: Stream | Clips, validity: Validity) -> None:
        self.reader, self.mode = reader, mode
        self._judge = Judge(validity, reader.pixels_seen, reader.step_us)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]] = []

    def feed(self, events: Events) -> Iterator[Windows]:
        """Take events that follow those before; yield the windows that are settled."""
        yield from self.run(self.reader.feed(events))

    def until(self, time_us: int) -> Iterator[Windows]:
        """Yield the windows that end at or before a time; no event before it is to come."""
        yield from self.run(self.reader.until(time_us))

    def finish(self) -> Iterator[Windows]:
        """Yield what is left; nothing may follow."""
        yield from self.run(self.reader.finish())
        last = self.mode.finish()
        if last is not None:
            yield from self._out(last)

    def run(self, blocks: Iterator[Block]) -> Iterator[Windows]:
        """Run what the reader gave, here or in another thread."""
        for block in blocks:
            self._waiting.append((block.start_us, block.events, self._judge.judge(block.events, block.active)))
            yield from self._out(self.mode.run(block.bins, block.events))

    def _out(self, steps: Steps) -> Iterator[Windows]:
        number = len(steps.logits)
        if not number:
            return
        starts, events, quality = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting = [(starts[number:], events[number:], quality[number:])]
        yield Windows(starts[:number], events[:number], quality[:number], steps.logits, steps.joules)


def make_mode(engine: Engine, mode: str, steps: int, hop: int | None, reset_after: int | None) -> Stream | Clips:
    """Return what runs windows in a mode of :class:`~snnkd.inference.settings.Settings`.

    Raises :class:`ConfigError` for a hop that leaves windows out between two clips.
    """
    if mode == "stream":
        return Stream(engine, reset_after)
    if hop is not None and hop > steps:
        raise ConfigError(f"hop: a clip has {steps} windows, so one every {hop} would leave some out")
    return Clips(engine, steps, max(1, steps // 3) if hop is None else hop)
