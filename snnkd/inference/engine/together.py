"""One engine shared by several recordings: their blocks of windows are run as one batch."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from snnkd.inference.engine.dense import Dense, State
from snnkd.inference.engine.steps import Steps


@dataclass(eq=False)
class _Asked:
    """A block that waits, and what came of it."""

    bins: NDArray[Any]
    state: list[State]
    steps: Steps | None = None
    error: BaseException | None = None


class Together:
    """Runs what its streams ask for once all of them have asked; each stream is a thread.

    Blocks of as many windows, all from rest or none, are one batch ``(T, B, 2, H, W)``: one alone is too little for
    a GPU. A stream that is reading is waited for; one that has ended, or failed, is not. The sums of a convolution
    may be rounded otherwise in another batch, as everywhere in PyTorch.

    Args:
        engine: what runs the batches.
    """

    def __init__(self, engine: Dense) -> None:
        self.engine = engine
        self._streams = 0
        self._asked: list[_Asked] = []
        self._turn = threading.Condition()
        self._closed = False

    def rest(self) -> list[State]:
        """Return the state at rest."""
        return self.engine.rest()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Belong to those that are waited for."""
        with self._turn:
            self._streams += 1
        try:
            yield
        finally:
            with self._turn:
                self._streams -= 1
                self._run_where_complete()

    def run(self, bins: NDArray[Any], state: list[State]) -> Steps:
        """Run over counts ``(T, 2, H, W)`` with those of the other streams; ``state`` is changed.

        Raises what the engine raises, in every stream of the batch, and ``RuntimeError`` after :meth:`close`.
        """
        mine = _Asked(bins, state)
        with self._turn:
            self._asked.append(mine)
            self._run_where_complete()
            while mine.steps is None and mine.error is None and not self._closed:
                self._turn.wait()
        if mine.error is not None:
            raise mine.error
        if mine.steps is None:
            raise RuntimeError("the run over these recordings was ended")
        return mine.steps

    def close(self) -> None:
        """Let every stream fail at its next block: the run is given up."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def _run_where_complete(self) -> None:
        """Run the batch if nobody is still to ask; the lock is held, as nobody has anything else to do."""
        if not self._asked or len(self._asked) < self._streams or self._closed:
            return
        asked, self._asked = self._asked, []
        alike: dict[tuple[int, bool], list[_Asked]] = {}
        for each in asked:
            alike.setdefault((len(each.bins), each.state[0] is None), []).append(each)
        for batch in alike.values():
            try:
                done = self.engine.run_batch([each.bins for each in batch], [each.state for each in batch])
                for each, steps in zip(batch, done, strict=True):
                    each.steps = steps
            except BaseException as error:
                for each in batch:
                    each.error = error
        self._turn.notify_all()
