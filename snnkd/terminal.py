"""What commands print: the progress bar that every long one shows, and tables and lines as text."""

import io
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text


class Bar(Progress):
    """A progress bar that, where standard error is no terminal, says what begins instead of drawing."""

    def add_task(self, description: str, *arguments: Any, **fields: Any) -> TaskID:
        """Add a line."""
        if self.disable:
            self.console.print(f"{description} …", highlight=False, soft_wrap=True)
        return super().add_task(description, *arguments, **fields)


class Times(ProgressColumn):
    """The time passed, and the time left once it can be told."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        passed, left = task.elapsed, task.time_remaining
        text = f"{_clock(passed or 0)} passed"
        return Text(text if left is None or task.finished else f"{text}, {_clock(left)} left", style="progress.elapsed")


class Done(MofNCompleteColumn):
    """How many are done, and of how many where that is known."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        if task.total is None:
            return Text(f"{int(task.completed):,}", style="progress.download")
        return Text(f"{int(task.completed):,}/{int(task.total):,}", style="progress.download")


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def bar() -> Bar:
    """Return a bar on standard error: label, bar, done of total, time passed and time left, note.

    Tasks need a field ``note=""``.
    """
    console = Console(file=sys.stderr)
    return Bar(
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=20),
        Done(),
        Times(),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


@contextmanager
def counting(description: str) -> Iterator[Callable[[int, int | None], None]]:
    """Give a function of done and total that draws a bar from its first call on: what fails before shows none."""
    with bar() as progress:
        tasks: list[TaskID] = []

        def show(done: int, total: int | None) -> None:
            if not tasks:
                tasks.append(progress.add_task(description, total=total, note=""))
            progress.update(tasks[0], completed=done, total=total)

        yield show


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
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().split("\n"))


def visible(text: object) -> str:
    """Return text on one line, with what would steer a terminal (escapes, line ends, ...) spelt out."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", _spelt, str(text))


def _spelt(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


def wrapped(key: str, value: str, indent: int, width: int) -> list[str]:
    """Return lines of ``key`` and, from column ``indent`` on, ``value``, whose own line ends stay.

    They break at blanks, not at no-break spaces, and a word that is longer than a line is cut. None ends in blanks.
    """
    room = max(width - indent, 20)
    parts: list[str] = []
    for line in value.split("\n"):
        line = visible(line)
        if len(line) <= room:
            parts.append(line)
        else:
            parts += textwrap.wrap(line, room, break_on_hyphens=False) or [""]
    rows = [f"{key if i == 0 else '':<{indent}}{part}" for i, part in enumerate(parts)]
    if len(key) >= indent:  # a key that leaves no room stands alone
        rows = [key, *(" " * indent + part for part in parts)]
    return [row.replace("\N{NO-BREAK SPACE}", " ").rstrip() for row in rows]
