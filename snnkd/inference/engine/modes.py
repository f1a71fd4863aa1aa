r"""Two ways over a recording: one state that is carried on, or clips as in the training.

``stream``: the network goes on from window to window; its logits of window *t* are those of its readout. After a
silence of a given length it may begin from rest again.

``clips``: what the network was trained and scored on. A clip of *n* windows begins from rest every *h* windows; its
logits are the mean over its steps, and those of a window the mean over the clips that cover it,

.. math::

    z[t] = \frac{1}{|\{c : c \ni t\}|} \sum_{c \ni t} \frac{1}{n} \sum_{s \in c} z_c[s]

so a window hears of what comes after it, *n* − 1 windows later. A recording that is shorter than a clip is one, and a
last clip ends with the recording. It costs *n/h* times as much.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.inference.engine.steps import Engine, Floats, Steps


class Stream:
    """One state, carried on.

    Args:
        engine: runs the steps.
        reset_after: windows of silence after which the next event finds the network at rest; ``None`` for never.
    """

    delay = 0

    def __init__(self, engine: Engine, reset_after: int | None = None) -> None:
        self.engine, self.reset_after = engine, reset_after
        self._state = engine.rest()
        self._silent = 0

    def run(self, bins: NDArray[Any], events: NDArray[np.int64]) -> Steps:
        """Take windows ``(T, 2, H, W)`` with so many events; return those that are settled: all of them."""
        parts, begin = [], 0
        for end in [*self._resets(events), len(bins)]:
            if end > begin:
                parts.append(self.engine.run(bins[begin:end], self._state))
            if end < len(bins):
                self._state = self.engine.rest()
            begin = end
        return joined(parts)

    def finish(self) -> Steps | None:
        """Nothing is left."""
        return None

    def _resets(self, events: NDArray[np.int64]) -> Iterator[int]:
        """Windows at which the network begins from rest."""
        if self.reset_after is None:
            return
        for t, number in enumerate(events.tolist()):
            if number == 0:
                self._silent += 1
                continue
            if self._silent >= self.reset_after:
                yield t
            self._silent = 0


@dataclass
class _Clip:
    """A clip that is being run."""

    begin: int
    state: Any
    total: NDArray[np.float64]
    steps: int = 0


class Clips:
    """Clips that slide over the recording.

    Args:
        engine: runs the steps.
        steps: *n*, windows of a clip.
        hop: *h*, windows from one clip to the next, 1 to ``steps``.
    """

    def __init__(self, engine: Engine, steps: int, hop: int) -> None:
        if not 1 <= hop <= steps:
            raise ValueError(f"clips of {steps} windows: hop must be from 1 to {steps}, got {hop}")
        self.engine, self.steps, self.hop = engine, steps, hop
        self._live: list[_Clip] = []
        self._seen = self._settled = self._covered = 0
        self._recent: NDArray[Any] | None = None
        # By window that is not settled: sums over clips, how many, energy.
        self._sums: NDArray[np.float64] | None = None
        self._clips = np.zeros(0)
        self._joules = np.zeros(0)
        self._priced = False

    def run(self, bins: NDArray[Any], events: NDArray[np.int64]) -> Steps:
        """Take windows ``(T, 2, H, W)``; return those that no later clip covers, of all windows so far."""
        first, end = self._seen, self._seen + len(bins)
        self._clips = np.append(self._clips, np.zeros(len(bins)))
        self._joules = np.append(self._joules, np.zeros(len(bins)))
        if self._sums is not None:
            self._sums = np.vstack([self._sums, np.zeros((len(bins), self._sums.shape[1]))])
        starts = range(-(-first // self.hop) * self.hop, end, self.hop)
        self._live += [_Clip(begin, self.engine.rest(), np.zeros(0)) for begin in starts]
        self._seen = end
        for clip in self._live:
            low, high = max(clip.begin, first), min(clip.begin + self.steps, end)
            self._go_on(clip, bins[low - first : high - first], low)
            if clip.steps == self.steps:
                self._close(clip)
        self._live = [clip for clip in self._live if clip.steps < self.steps]
        recent = bins if self._recent is None else np.concatenate([self._recent, bins])
        self._recent = recent[-self.steps :].copy()
        # The clips to come begin after all that were seen; of the recording's end, the last n windows stay open.
        settled = min([clip.begin for clip in self._live] + [end])
        return self._settle(min(settled, max(end - self.steps, self._settled)))

    def finish(self) -> Steps | None:
        """Return the windows that were open, the last clip ending with the last window."""
        if self._recent is None:
            return None
        if self._covered < self._seen:
            clip = _Clip(max(self._seen - self.steps, 0), self.engine.rest(), np.zeros(0))
            if self._seen <= self.steps and self._live:
                clip = self._live[0]  # the only one: it began with the recording
            else:
                self._go_on(clip, self._recent, clip.begin)
            self._close(clip)
        self._live = []
        return self._settle(self._seen)

    def _go_on(self, clip: _Clip, bins: NDArray[Any], at: int) -> None:
        if not len(bins):
            return
        done = self.engine.run(bins, clip.state)
        clip.total = done.logits.sum(0, dtype=np.float64) + (clip.total if clip.steps else 0.0)
        clip.steps += len(bins)
        if done.joules is not None:
            self._priced = True
            self._joules[at - self._settled :][: len(bins)] += done.joules

    def _close(self, clip: _Clip) -> None:
        if self._sums is None:
            self._sums = np.zeros((len(self._clips), len(clip.total)))
        rows = slice(clip.begin - self._settled, clip.begin - self._settled + clip.steps)
        self._sums[rows] += clip.total / clip.steps
        self._clips[rows] += 1
        self._covered = max(self._covered, clip.begin + clip.steps)

    def _settle(self, until: int) -> Steps:
        number = until - self._settled
        sums = self._sums if self._sums is not None else np.zeros((len(self._clips), 0))
        logits = (sums[:number] / np.maximum(self._clips[:number, None], 1)).astype(np.float32)
        joules = self._joules[:number] if self._priced else None
        if self._sums is not None:
            self._sums = self._sums[number:]
        self._clips, self._joules, self._settled = self._clips[number:], self._joules[number:], until
        return Steps(logits, joules)


def joined(parts: list[Steps]) -> Steps:
    """Put runs one after another."""
    if len(parts) == 1:
        return parts[0]
    logits: Floats = np.concatenate([part.logits for part in parts])
    joules = [part.joules for part in parts if part.joules is not None]
    return Steps(logits, np.concatenate(joules) if joules else None)
