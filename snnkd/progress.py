"""The progress bar that every long command shows."""

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def bar() -> Progress:
    """Return a bar on standard error: label, bar, done of total, note, time passed and time left.

    Tasks need a field ``note=""``. Where standard error is no terminal the bar is printed once, at its end.
    """
    return Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=Console(file=sys.stderr),
    )
