"""Checks of arguments: each error names the argument, what it must be and what it was."""

import operator
from collections.abc import Iterable
from typing import Any


def check_whole(value: Any, name: str) -> int:
    """``value`` as an int; ``TypeError`` for a fraction or what is no number.

    A float is refused also where it is whole: of a time it is as often seconds as microseconds.
    """
    try:
        return operator.index(value)
    except TypeError:
        unit = " of microseconds (seconds × 1e6)" if name.endswith("_us") else ""
        raise TypeError(f"{name} must be a whole number{unit}, as an int, got {value!r}") from None


def check_all_whole(values: Any, name: str, form: str) -> tuple[int, ...]:
    """``values`` as ints; ``TypeError`` when they are no row of whole numbers; ``form`` shows what they should be."""
    if isinstance(values, Iterable):
        try:
            return tuple(operator.index(value) for value in values)
        except TypeError:
            pass
    raise TypeError(f"{name} must be {form} in whole numbers, got {values!r}")


def check_sensor(sensor_size: Any) -> tuple[int, int]:
    """``sensor_size`` as (W, H); tonic's third number, that of the polarities, may be there and is left out."""
    values = check_all_whole(sensor_size, "sensor_size", "(W, H)")
    if len(values) == 3 and values[2] in (1, 2):
        values = values[:2]
    if len(values) != 2 or min(values) < 1:
        raise ValueError(
            f"sensor_size must be (W, H) with both at least 1, or tonic's (W, H, polarities), got {sensor_size!r}"
        )
    return values[0], values[1]


def check_size(size: Any) -> tuple[int, int]:
    """``size`` of images as (W, H); one number stands for a square."""
    try:
        values = (operator.index(size),) * 2
    except TypeError:
        values = check_all_whole(size, "size", "(W, H), or one number for a square,")  # type: ignore[assignment]
    if len(values) != 2 or min(values) < 1:
        raise ValueError(f"size must be (W, H) with both at least 1, got {size!r}")
    return values[0], values[1]


def check_bounds(name: str, bounds: Any, least: float, most: float) -> None:
    """Raise ``ValueError`` unless ``bounds`` is (low, high) within ``least`` to ``most``."""
    try:
        low, high = bounds
        fine = bool(least <= low <= high <= most)
    except (TypeError, ValueError):
        fine = False
    if not fine:
        fix = f"; ({bounds}, {bounds}) fixes it" if isinstance(bounds, int | float) else ""
        raise ValueError(f"{name} must be (low, high) within {least:g} to {most:g}, got {bounds!r}{fix}")


def check_number(name: str, value: Any, least: float, most: float) -> None:
    """Raise ``ValueError`` unless ``value`` is a number from ``least`` to ``most``."""
    try:
        fine = bool(least <= value <= most)
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}, got {value!r}")
