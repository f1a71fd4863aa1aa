"""The event array: one structured NumPy array for all events of the library.

An event says that the log intensity at pixel ``(x, y)`` changed by one threshold at time ``t``:

========  =======  =====================================================
field     type     meaning
========  =======  =====================================================
``x``     int16    column, ``0 <= x < W``, growing to the right
``y``     int16    row, ``0 <= y < H``, growing downwards
``t``     int64    time in microseconds, as the recording counts it
``p``     bool     polarity: True is ON (brighter), False is OFF (darker)
========  =======  =====================================================

The layout is that of tonic (``tonic.io.events_struct``), so arrays pass to its transforms unchanged.
Arrays are in file order; a well-formed one has ``t`` that never decreases.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

EVENT_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])

Events = NDArray[Any]
"""Type of a structured array with :data:`EVENT_DTYPE`."""


def make_events(x: ArrayLike, y: ArrayLike, t: ArrayLike, p: ArrayLike) -> Events:
    """Pack four columns of equal length ``(N,)`` into an event array.

    Raises ``ValueError`` when the columns differ in length or a coordinate does not fit into int16.
    """
    columns = [np.asarray(column) for column in (x, y, t, p)]
    lengths = {column.shape for column in columns}
    if len(lengths) != 1 or columns[0].ndim != 1:
        shapes = ", ".join(f"{n}{c.shape}" for n, c in zip("xytp", columns, strict=True))
        raise ValueError(f"x, y, t, p must be one-dimensional and equally long, got {shapes}")
    limit = np.iinfo(np.int16).max
    for name, column in zip("xy", columns, strict=False):
        if len(column) and not (column.min() >= 0 and column.max() <= limit):
            raise ValueError(f"{name} must lie in 0..{limit}, got {column.min()}..{column.max()}")
    events = np.empty(len(columns[0]), EVENT_DTYPE)
    events["x"], events["y"], events["t"] = columns[0], columns[1], columns[2]
    events["p"] = columns[3] > 0  # some formats write OFF as -1, which a cast to bool would call ON
    return events


def empty_events() -> Events:
    """Return an event array of length 0."""
    return np.empty(0, EVENT_DTYPE)
