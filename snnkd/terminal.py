"""What commands print: the progress bar that every long one shows, and tables as text."""

import io
import sys
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table


class Bar(Progress):
    """A progress bar that, where standard error is no terminal, says what begins instead of drawing."""

    def add_task(self, description: str, *arguments: Any, **fields: Any) -> TaskID:
        """Add a line."""
        if self.disable:
            self.console.print(f"{description} …", highlight=False, soft_wrap=True)
        return super().add_task(description, *arguments, **fields)


def bar() -> Bar:
    """Return a bar on standard error: label, bar, done of total, time passed and time left, note.

    Tasks need a field ``note=""``.
    """
    console = Console(file=sys.stderr)
    return Bar(
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


def plain_table(title: str | None = None, caption: str | None = None) -> Table:
    """Return an empty table without frames, narrow enough for many columns in a terminal of 80."""
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def as_text(*parts: RenderableType, width: int = 110) -> str:
    """Render tables and lines as plain text, for a terminal, a log or a notebook."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, markup=False, highlight=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
    return file.getvalue().rstrip()
