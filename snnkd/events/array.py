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

import operator
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


def check_events(events: Events) -> None:
    """Raise ``ValueError`` unless ``events`` is one-dimensional with :data:`EVENT_DTYPE`."""
    if not isinstance(events, np.ndarray) or events.dtype != EVENT_DTYPE or events.ndim != 1:
        raise ValueError("events must be a one-dimensional array with EVENT_DTYPE, see make_events")


def check_size(size: tuple[int, int], name: str) -> tuple[int, int]:
    """Return ``size`` (W, H) as two ints; ``ValueError`` with its ``name`` when one of them is below 1."""
    width, height = (operator.index(n) for n in size)
    if width < 1 or height < 1:
        raise ValueError(f"{name} must be (W, H) with both at least 1, got {(width, height)}")
    return width, height


def check_inside(events: Events, sensor_size: tuple[int, int]) -> None:
    """Raise ``ValueError`` for the first event that lies outside the sensor (W, H)."""
    width, height = sensor_size
    x, y = events["x"], events["y"]
    outside = (x < 0) | (y < 0) | (x >= width) | (y >= height)
    if outside.any():
        i = int(outside.argmax())
        place = (int(x[i]), int(y[i]))
        raise ValueError(f"event {i} lies at (x, y) = {place}, outside the sensor {(width, height)} (W, H)")


def is_ordered(events: Events) -> bool:
    """Whether time never decreases."""
    return bool((events["t"][1:] >= events["t"][:-1]).all())


def order_by_time(events: Events) -> Events:
    """The events with time never decreasing, those of equal time as they were; an ordered array itself, not a copy."""
    return events if is_ordered(events) else events[np.argsort(events["t"], kind="stable")]
