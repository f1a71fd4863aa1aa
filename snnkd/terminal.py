"""What commands print: the progress bar that every long one shows, and tables as text."""

import io
import sys

from rich.console import Console, RenderableType
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


def as_text(*parts: RenderableType, width: int = 110) -> str:
    """Render tables and lines as plain text, for a terminal, a log or a notebook."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, markup=False, highlight=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
    return file.getvalue().rstrip()
