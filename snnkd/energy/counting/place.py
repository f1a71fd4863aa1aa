"""Which time step and sample the rows of a tensor belong to."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Place:
    """Rows in time-major order: ``(T, B)`` of a whole clip, or ``(1, B)`` of one step of it, ``k`` rows for each.

    Where the rows fit neither, they are not told apart: what they cost is shared out evenly.
    """

    steps: int
    batch: int
    rows: int
    known: bool
    clip: tuple[int, int]
    """The clip's ``(T, B)``"""

    def spread(self, each: Tensor) -> Tensor:
        """Counts of rows ``(N,)`` to ``(T', B)``."""
        if self.known:
            return each.reshape(self.steps, self.batch, -1).sum(2)
        return torch.full(self.clip, float(each.sum()) / (self.clip[0] * self.clip[1]), dtype=torch.float64)

    def even(self, total: float) -> Tensor:
        """A count that is the same in each step and sample, to ``(T', B)``."""
        shape = (self.steps, self.batch) if self.known else self.clip
        return torch.full(shape, total / (shape[0] * shape[1]), dtype=torch.float64)

    def group(self, x: Tensor) -> Tensor:
        """Rows ``(N, ...)`` to ``(T', B, ...)``; all in one sample where they are not told apart."""
        if not self.known:
            return x.reshape(1, 1, *x.shape)
        if self.rows == 1:
            return x.unflatten(0, (self.steps, self.batch))
        return x.reshape(self.steps, self.batch, self.rows, *x.shape[1:])

    def spread_grouped(self, counts: Tensor) -> Tensor:
        """Counts of :meth:`group`'s ``(T', B)`` to those of a tally."""
        return counts if self.known else self.even(float(counts.sum()))


def find_place(shape: Sequence[int], leading: int | None, steps: int, batch: int) -> Place:
    """Find the place of a tensor's rows.

    Args:
        shape: of the tensor.
        leading: how many axes come before those of a value, at most; ``None`` where it is not known.
        steps, batch: the clip's.
    """
    clip = (steps, batch)
    if not shape:
        return Place(steps, batch, 1, False, clip)
    first = shape[0]
    if first == steps * batch:
        return Place(steps, batch, 1, True, clip)
    if len(shape) > 1 and leading is None and tuple(shape[:2]) == clip:
        return Place(steps, batch, 1, True, clip)
    if first == batch:
        return Place(1, batch, 1, True, clip)
    if first % (steps * batch) == 0 and first:
        return Place(steps, batch, first // (steps * batch), True, clip)
    return Place(steps, batch, 1, False, clip)
