"""What a check of a dataset's folder found: every problem, not only the first."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snnkd.errors import DatasetError, warn

SHOWN = 5
"""Problems of a kind that the table names; the JSON has all."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what kind of thing, of which sequence (or file), and a line with the remedy.

    A ``note`` is worth a look and keeps nothing from being read.
    """

    kind: str
    sequence: str
    message: str
    note: bool = False


@dataclass
class Report:
    """Everything that a check found in ``root``; ``counts`` says how much was looked at."""

    dataset: str
    root: str
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        """What must be mended, or left out, before the dataset can be used."""
        return [problem for problem in self.problems if not problem.note]

    @property
    def ok(self) -> bool:
        """Whether there is nothing that must be mended."""
        return not self.errors

    @property
    def kinds(self) -> dict[str, int]:
        """Number of problems of each kind, most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
        return {
            "path": self.root,
            "dataset": self.dataset,
            "ok": self.ok,
            "counts": self.counts,
            "kinds": self.kinds,
            "problems": [
                {"kind": p.kind, "sequence": p.sequence, "message": p.message, "note": p.note} for p in self.problems
            ],
        }

    def table(self, shown: int = SHOWN) -> str:
        """Return counts, kinds of problems, and the first ``shown`` of each kind in words, for the terminal."""
        from snnkd.terminal import as_text, plain_table, visible

        looked = ", ".join(f"{number:,} {what}" for what, number in self.counts.items())
        head = [self.root, f"{self.dataset}, checked: {looked}" if looked else f"{self.dataset}, checked"]
        if not self.problems:
            return as_text(*head, "nothing wrong was found")
        grid = plain_table()
        grid.add_column("problem")
        grid.add_column("number", justify="right")
        grid.add_column("")
        notes = {problem.kind for problem in self.problems if problem.note}
        lines: list[str] = []
        for kind, number in self.kinds.items():
            grid.add_row(kind, f"{number:,}", "a note: nothing is refused for it" if kind in notes else "")
            named = [problem.message for problem in self.problems if problem.kind == kind]
            lines += [f"{kind}: {visible(message)}" for message in named[:shown]]
            if number > shown:
                lines.append(f"{kind}: and {number - shown:,} more; JSON has them all")
        return as_text(*head, grid, *lines)


def refuse(problems: Iterable[Problem], remedy: str) -> None:
    """Raise a :class:`DatasetError` with the first of ``problems`` and the number of the others, if there are any."""
    wrong = [problem for problem in problems if not problem.note]
    if not wrong:
        return
    kinds = Counter(problem.kind for problem in wrong)
    others = f" ({len(wrong)} problems in all: {counted(kinds)})" if len(wrong) > 1 else ""
    raise DatasetError(f"{wrong[0].message}, or {remedy}{others}")


def warn_of_left_out(root: Path, problems: Iterable[Problem]) -> None:
    """Warn once, with the number and the names, of the sequences of ``problems``, if there are any."""
    left_out = [problem for problem in problems if not problem.note]
    if not left_out:
        return
    names = list(dict.fromkeys(problem.sequence for problem in left_out))
    kinds = counted(Counter(problem.kind for problem in left_out))
    warn(f"{root}: {len(names)} sequence(s) left out ({kinds}): {', '.join(names)}")


def counted(kinds: Counter[str]) -> str:
    """The kinds with their numbers in words."""
    return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
