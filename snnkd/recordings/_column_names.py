"""Which column of a table is which, and in what unit its time is; the rules are those of ``_columns``."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = {
    "t": {"t", "ts", "time", "times", "timestamp", "timestamps"},
    "x": {"x", "xs", "col", "column"},
    "y": {"y", "ys", "row"},
    "p": {"p", "ps", "pol", "polarity", "polarities", "on"},
}
UNITS = {"s": 6, "ms": 3, "us": 0, "ns": -3}
"""The units of time, each with the power of ten that makes µs of it."""

UNIT_NAMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "μs", "usec", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), "ns"),
}
ORDERS = ("txyp", "xytp", "xypt")
LARGEST = 4095
"""Largest coordinate that is taken from a file which does not tell the size of its sensor."""

PROOF = 16
"""Rows from which on a column that never falls is taken for times, though all could be coordinates."""

LATEST = 10**17
"""Whole times from here on are no µs."""

SLOWEST, QUICKEST = 1000, 200_000_000
"""Events a second that a sensor sends: its noise alone is more than the first, its readout can hardly do the second."""

FEWEST = 1000
"""Rows from which on a rate is told of."""


def role_of(name: str) -> tuple[str, str | None] | None:
    """Return the role (``t``, ``x``, ``y``, ``p``) that a column's name tells, and the unit in it; None for others."""
    # Only at these: a µ that was lost on the way must not leave a plain s behind.
    words = [word for word in re.split(r"[\s_()\[\]/.,:-]+", name.strip().lower()) if word]
    if not words:
        return None
    for role, names in NAMES.items():
        if words[0] in names:
            unit = UNIT_NAMES.get(words[-1]) if role == "t" and len(words) > 1 else None
            if len(words) == 1 or unit is not None:
                return role, unit
    return None


def roles_of(names: Sequence[str]) -> tuple[dict[str, int], str | None, list[str]]:
    """Return which of the columns has which role, the unit of time that their names tell, and the other names.

    Raises ``ValueError`` when a role is missing or taken twice.
    """
    places: dict[str, int] = {}
    unit, others = None, []
    for i, name in enumerate(names):
        told = role_of(name)
        if told is None:
            others.append(name)
        elif told[0] in places:
            raise ValueError(f"both {names[places[told[0]]]!r} and {name!r} would be {told[0]}")
        else:
            places[told[0]] = i
            unit = told[1] or unit
    if missing := [role for role in "txyp" if role not in places]:
        raise ValueError(f"no column for {', '.join(missing)} among {', '.join(map(repr, names)) or 'none'}")
    return places, unit, others


def are_names(names: Sequence[str]) -> bool:
    """Whether words name columns with every role once."""
    try:
        roles_of(names)
    except ValueError:
        return False
    return True


def column_order(columns: Sequence[NDArray[Any]]) -> str:
    """Return the order of four nameless columns by their first rows; ``txyp`` where no other is the only one to fit."""
    fits = [order for order in ORDERS if _fits(order, columns)]
    return fits[0] if "txyp" in fits or len(fits) == 1 else "txyp"


def _fits(order: str, columns: Sequence[NDArray[Any]]) -> bool:
    named = dict(zip(order, columns, strict=True))
    if not (_are_coordinates(named["x"]) and _are_coordinates(named["y"])):
        return False
    kinds, times = set(np.unique(named["p"]).tolist()), named["t"]
    if not (kinds <= {0, 1} or kinds <= {-1, 1}) or not (times[1:] >= times[:-1]).all():
        return False
    # The usual order needs no proof. Few times that could be coordinates as well prove nothing; many, which grow, do.
    grows = len(times) >= PROOF and times[-1] > times[0]
    sure = len(times) > 1 and (np.median(times) > LARGEST or (times != np.floor(times)).any())
    return bool(order == "txyp" or grows or sure)


def _are_coordinates(values: NDArray[Any]) -> bool:
    return bool(((values >= 0) & (values <= LARGEST) & (values == np.floor(values))).all())


def infer_unit(whole: bool, decimals: int, times: NDArray[np.float64]) -> str:
    """Return the unit of times whose names do not tell it; the rule is in ``_columns``.

    Args:
        whole: whether all are whole numbers.
        decimals: the most decimals that one of them has.
        times: the first of them (N,).

    Raises ``ValueError`` where the rule has no answer.
    """
    if whole and not (np.abs(times[:1]) >= LATEST).any():
        return "us"
    if whole:
        raise ValueError(f"a time of {times[0]:.0f} is no µs: say the unit of time")
    if decimals <= 3:
        raise ValueError("times with up to three decimals may be s or ms: say the unit of time")
    if len(times) >= FEWEST and len(times) < SLOWEST * (times[-1] - times[0]):
        raise ValueError(
            f"as s these times are {len(times)} events in {times[-1] - times[0]:.0f} s: say the unit of time"
        )
    return "s"


def doubt(unit: str, whole: bool, times: NDArray[np.float64]) -> str | None:
    """Say what speaks against a unit that :func:`infer_unit` found; None where nothing does."""
    if not whole:
        return f"nothing tells the unit of time; numbers with more than three decimals are taken for {unit}"
    if len(times) < FEWEST:
        return None
    seconds = float(times[-1] - times[0]) / 10 ** UNITS["s"]
    if seconds < 0 or SLOWEST * seconds <= len(times) <= QUICKEST * seconds:
        return None
    few = "few" if SLOWEST * seconds > len(times) else "many"
    return (
        f"nothing tells the unit of time; taken for {unit}, the first {len(times)} events last {seconds:g} s, "
        f"which are too {few} for a sensor"
    )
