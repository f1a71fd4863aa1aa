"""Which clips of a sequence a network is shown: the three protocols.

A clip has ``steps`` windows, ``stride`` windows apart, and spans ``span = (steps − 1)·stride + 1`` of a sequence's
``length`` windows; it can start at windows ``0 .. room`` with ``room = length − span``.

- ``whole``: consecutive clips, each from rest as in training, over all ``stride`` phases, and for each phase one more
  that ends where the sequence does. Every window that any clip can reach is in one at least; those near the end may be
  in two. The clips' logits are averaged. Nothing is drawn, so the score of a model is one number.
- ``centre``: one clip, from the middle.
- ``random-starts``: ``starts`` runs of one clip each, from a start drawn evenly from ``0 .. room``. Scores are worked
  out run by run and averaged, as the authors of SEE do with 20 (Zhang et al., SIGGRAPH 2023); logits are not. Their
  code draws the phase and then a clip of it, and by an index leaves the last one out; here every start is as likely. A
  sequence's starts depend on seed, name and length alone, not on the sequences around it.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ConfigError

PROTOCOLS = ("whole", "centre", "random-starts")
STARTS = 20
"""Runs of ``random-starts``: those of SEE's authors."""


def whole_starts(length: int, steps: int, stride: int) -> NDArray[np.int64]:
    """First windows of the clips that cover a sequence, ascending."""
    room = length - ((steps - 1) * stride + 1)
    phases = range(min(stride, room + 1))
    regular = [start for phase in phases for start in range(phase, room + 1, steps * stride)]
    return np.array(sorted({*regular, *(room - phase for phase in phases)}), np.int64)


def random_starts(name: str, length: int, steps: int, stride: int, runs: int, seed: int) -> NDArray[np.int64]:
    """First window of each run's clip of the sequence ``name``, ``(runs,)``."""
    room = length - ((steps - 1) * stride + 1)
    return np.random.default_rng([seed, zlib.crc32(name.encode())]).integers(room + 1, size=runs)


def clip_starts(
    protocol: str, name: str, length: int, steps: int, stride: int, *, runs: int = STARTS, seed: int = 0
) -> NDArray[np.int64]:
    """First windows ``(R, C)`` of a sequence's clips: *R* runs that are scored apart, *C* clips that are averaged.

    Raises :class:`~snnkd.errors.ConfigError` for a protocol that is not there.
    """
    if protocol == "whole":
        return whole_starts(length, steps, stride)[None]
    if protocol == "centre":
        return np.array([[(length - ((steps - 1) * stride + 1)) // 2]], np.int64)
    if protocol == "random-starts":
        return random_starts(name, length, steps, stride, runs, seed)[:, None]
    raise ConfigError(f"unknown protocol {protocol!r}: it must be one of {', '.join(PROTOCOLS)}")
