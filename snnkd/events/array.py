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

The layout is that of tonic (``tonic.io.events_struct``), so arrays pass to its transforms unchanged. Arrays are in file
order; a well-formed one has ``t`` that never decreases.

Structured arrays of other layouts are taken wherever events are (:func:`as_events`): tonic's datasets put the fields in
another order or into int64, DV's stores name them ``timestamp`` and ``polarity``. What comes back has
:data:`EVENT_DTYPE`. No number is rounded, cut or wrapped on the way: what does not fit is a ``ValueError``.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

EVENT_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])
"""The type of an event, with the fields of the table above."""

Events = NDArray[Any]
"""Type of a structured array with :data:`EVENT_DTYPE`."""

FIELDS = {"x": ("x",), "y": ("y",), "t": ("t", "timestamp", "ts"), "p": ("p", "polarity", "on")}
"""Names under which a field of another layout is looked for, in this order."""

_COORDINATES = (0, int(np.iinfo(np.int16).max))
_TIMES = (int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max))


def make_events(x: ArrayLike, y: ArrayLike, t: ArrayLike, p: ArrayLike) -> Events:
    """Pack four columns of equal length ``(N,)`` into an event array.

    Columns are integers, booleans, or floats that are whole. ``t`` is in microseconds: times in seconds are
    ``np.round(t * 1e6)``. ``p`` is 0 and 1, or −1 and 1 as some formats have it, or booleans.

    Raises ``ValueError`` when the columns differ in length, for a fraction, NaN, text or a date, for a coordinate
    outside 0..32767, a time beyond int64, and a polarity that is none.
    """
    columns = [np.asarray(column) for column in (x, y, t, p)]
    lengths = {column.shape for column in columns}
    if len(lengths) != 1 or columns[0].ndim != 1:
        shapes = ", ".join(f"{n}{c.shape}" for n, c in zip("xytp", columns, strict=True))
        raise ValueError(f"x, y, t, p must be one-dimensional and equally long, got {shapes}")
    events = np.empty(len(columns[0]), EVENT_DTYPE)
    for name, column, bounds in zip("xyt", columns, (_COORDINATES, _COORDINATES, _TIMES), strict=False):
        _check_column(name, column, *bounds)
        events[name] = column
    _check_polarity(columns[3])
    events["p"] = columns[3] > 0  # a cast to bool would call −1 ON
    return events


def as_events(events: Any) -> Events:
    """Events (N,) in the library's layout: an array with :data:`EVENT_DTYPE` itself, of another layout a copy.

    Takes structured arrays with the fields ``x``, ``y``, ``t`` or ``timestamp``, and ``p`` or ``polarity``, in any
    order and of any integer type, with values as for :func:`make_events`.

    Raises ``ValueError`` for values that do not fit and for anything else, with the type that it got.
    """
    if isinstance(events, np.ndarray) and events.ndim == 1 and events.dtype == EVENT_DTYPE:
        return events
    must = "events must be a one-dimensional structured array, such as one with EVENT_DTYPE"
    if not isinstance(events, np.ndarray):
        for attribute, remedy in (("events", ".events"), ("numpy", ".numpy()")):
            if hasattr(events, attribute):
                raise ValueError(f"{must}, got {type(events).__name__}: pass its {remedy}")
        raise ValueError(f"{must}, got {type(events).__name__}; see make_events(x, y, t, p)")
    names = events.dtype.names
    if names is None or events.ndim != 1:
        remedy = "make_events(a[:, 0], a[:, 1], ...) packs columns, in the order x, y, t, p"
        raise ValueError(f"{must}, got {events.dtype} {events.shape}; {remedy}")
    found = {field: next((name for name in known if name in names), None) for field, known in FIELDS.items()}
    if missing := [field for field, name in found.items() if name is None]:
        raise ValueError(f"{must}, got one without {', '.join(missing)}: {events.dtype}; see make_events(x, y, t, p)")
    try:
        return make_events(*(events[name] for name in found.values()))
    except ValueError as error:
        raise ValueError(f"events of {events.dtype}: {error}") from error


def empty_events() -> Events:
    """Return an event array of length 0."""
    return np.empty(0, EVENT_DTYPE)


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


def _check_column(name: str, column: NDArray[Any], low: int, high: int) -> None:
    kind = column.dtype.kind
    if kind in "mM":
        unit = f"astype('{'datetime64' if kind == 'M' else 'timedelta64'}[us]').astype('int64')"
        raise ValueError(f"{name} must be whole numbers, got {column.dtype}: {name}.{unit}")
    if kind not in "biuf":
        raise ValueError(f"{name} must be whole numbers, got {column.dtype}")
    if kind == "f":
        # Beyond its mantissa a float type does not hold each whole number, and those it holds were rounded to.
        exact = 2.0 ** (np.finfo(column.dtype).nmant + 1)
        wrong = ~(np.abs(column) <= exact) | (np.floor(column) != column)
        if wrong.any():
            i = int(wrong.argmax())
            remedy = "times are whole µs: np.round(t * 1e6) of seconds" if name == "t" else "np.round it first"
            reason = "no whole number" if column[i] != np.floor(column[i]) else f"beyond what {column.dtype} holds"
            raise ValueError(f"{name} must be whole numbers, got {column[i]} at index {i}, {reason}; {remedy}")
    if len(column) and not (column.min() >= low and column.max() <= high):
        raise ValueError(f"{name} must lie in {low}..{high}, got {column.min()}..{column.max()}")


def _check_polarity(p: NDArray[Any]) -> None:
    if p.dtype.kind == "b" or not len(p):
        return
    if p.dtype.kind not in "iuf":
        raise ValueError(f"p must be 0 and 1, −1 and 1, or booleans, got {p.dtype}")
    wrong = (p != 0) & (p != 1)
    if wrong.any() and (p[wrong] == -1).all():
        wrong = p == 0  # beside −1 it is neither OFF nor ON
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(f"p must be 0 and 1, −1 and 1, or booleans, got {p[i]} at index {i}; p > 0 makes signs so")
