"""Numbers in the names of a folder's images, and what they tell to be missing.

Nothing but the order of its images says when each window of a sequence was, so one that is missing amid them would
shift all later ones. The number of an image is that which changes from name to name: of several the first that always
grows. Where the smallest step from one to the next is 1 they count images, and each number between the first and the
last must be there. Numbers that go in larger steps, as times do, must go in even ones: a step of more than one and a
half times the median is a gap.
"""

import re
from itertools import pairwise
from pathlib import Path
from statistics import median

from snnkd.datasets.report import Problem

_DIGITS = re.compile("([0-9]+)")
_SHOWN = 5


def numbers_of(files: list[Path]) -> list[int] | None:
    """Number of each image, the files being in the order of their names; None where the names tell none."""
    parts = [_DIGITS.split(path.stem.lower()) for path in files]
    if len({tuple(part[::2]) for part in parts}) != 1:
        return None
    columns = [[int(digits) for digits in column] for column in list(zip(*parts, strict=True))[1::2]]
    if len(files) > 1:
        columns = [column for column in columns if len(set(column)) > 1]
    if len(columns) > 1:
        columns = [column for column in columns if all(a < b for a, b in pairwise(column))]
    return columns[0] if columns else None


def series_problem(folder: Path, name: str, files: list[Path], numbers: list[int] | None) -> Problem | None:
    """What is wrong with the series of a folder's images, if anything; a note where their names cannot tell."""
    if numbers is None:
        message = f"{folder}: its images' names have no running number, so whether some are missing cannot be told"
        return Problem("images without numbers", name, message, note=True)
    steps = [b - a for a, b in pairwise(numbers)]
    if 0 in steps:
        place = steps.index(0)
        message = f"{folder}: {files[place].name} and {files[place + 1].name} have one number; remove one"
        return Problem("duplicate images", name, message)
    usual = 1 if min(steps, default=1) == 1 else median(steps)
    gaps = [n for n, step in enumerate(steps) if step > 1.5 * usual]
    if not gaps:
        return None
    lacks = sum(round(steps[n] / usual) - 1 for n in gaps)
    shown = ", ".join(files[n].name for n in gaps[:_SHOWN]) + (", ..." if len(gaps) > _SHOWN else "")
    message = f"{folder}: lacks {lacks} image(s) of its series, after {shown}; fetch it again"
    return Problem("missing images", name, message)
