"""What can be typed for an argument, each as a function of its text that says what is wrong with it."""

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable


def positive(text: str) -> int:
    """A whole number above 0."""
    value = int(text) if _is_whole(text) else 0
    if value < 1:
        raise ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return value


def seed(text: str) -> int:
    """A whole number that NumPy and torch take as a seed."""
    value = int(text) if _is_whole(text) else -1
    if not 0 <= value < 2**32:
        raise ArgumentTypeError(f"must be a whole number from 0 to 2**32 - 1, got {text!r}")
    return value


def duration(text: str) -> float:
    """A finite number of seconds above 0."""
    return _number(text, "a finite number above 0", lambda value: value > 0)


def rate(text: str) -> float:
    """Frames a second."""
    return _number(text, "a number above 0 and below a million", lambda value: 0 < value < 1e6)


def number(text: str) -> float:
    """A finite number of at least 0."""
    return _number(text, "a finite number of at least 0", lambda value: value >= 0)


def share(text: str) -> float:
    """A share from 0 to below 1."""
    return _number(text, "a share from 0 to below 1", lambda value: 0 <= value < 1)


def index(text: str) -> int:
    """A whole number of at least 0."""
    return microseconds(text)


def microseconds(text: str) -> int:
    """A whole number of µs."""
    if not _is_whole(text):
        raise ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return int(text)


def side(text: str) -> tuple[int, int]:
    """Width and height of an image, or one number for a square."""
    return (int(text), int(text)) if _is_whole(text) and int(text) else size(text)


def size(text: str) -> tuple[int, int]:
    """Width and height of a sensor."""
    match = re.fullmatch(r"(\d{1,5})[x×,](\d{1,5})", text)
    value = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
    if not all(1 <= n <= 32767 for n in value):
        raise ArgumentTypeError(f"must be WIDTHxHEIGHT in pixels, such as 346x260, got {text!r}")
    return value


def columns(text: str) -> str:
    """A letter for each column of a text."""
    if sorted(text.replace("-", "")) != sorted("txyp"):
        raise ArgumentTypeError(f"must have each of t, x, y, p once, and - for other columns, got {text!r}")
    return text


def _is_whole(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,18}", text) is not None


def _number(text: str, what: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and fits(value)):
        raise ArgumentTypeError(f"must be {what}, got {text!r}")
    return value
