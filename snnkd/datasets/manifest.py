"""``Recordings``: recordings of one's own, listed in a CSV file.

::

    path,label,person,lighting,start,end
    anna/take1.aedat4,happiness,anna,normal,,
    anna/take2.aedat4,fear,anna,low-light,2.5,6
    ben.h5,,ben,,0,10

============  =======================================================================================================
column        meaning
============  =======================================================================================================
``path``      a recording of any format of :func:`snnkd.open_recording`, relative to the folder of the CSV file
``label``     one of the seven emotions, in any case; empty where nobody knows it
``person``    who it is: any name, always spelt the same; equal names in two lists are one person, too
``lighting``  normal, overexposed, low-light or HDR; empty, or no such column, where nobody knows it
``start``     seconds from the recording's first event, decimals allowed; empty for where events (and frames) begin
``end``       likewise, not included; empty for where they end
``subset``    optional, ``train``, ``val`` or ``test``: the ``official`` split; a person may be in one of them only
``frames``    optional, ``no`` for a recording of events alone; else it must have frames
============  =======================================================================================================

The first five columns but ``lighting`` must be there, in any order; ``end`` too. One recording may be in several lines,
a part of it in each; parts that overlap must be of one person and have one label. Texts and arrays whose clock or
sensor nobody tells are to be made HDF5 first, by ``snnkd data convert``, which takes such options.

Sequences of events alone have frames that are all zero; ``has_frames`` of the dataset is then False, and it is no data
for a network that looks at frames.
"""

import csv
import math
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from snnkd.datasets.labels import EMOTIONS, UNKNOWN_LIGHTING, emotion_index, lighting_name
from snnkd.datasets.persons import Named, spelling_problems
from snnkd.datasets.report import Problem
from snnkd.errors import DatasetError

FILE = "recordings.csv"
"""Name of the list in a dataset's folder."""

NEEDED = ("path", "label", "person", "start", "end")
COLUMNS = ("path", "label", "person", "lighting", "start", "end", "subset", "frames")
SUBSETS = ("train", "val", "test")


@dataclass(frozen=True)
class Entry:
    """One line: what it says, in our words; ``start_us`` and ``end_us`` from the recording's first event."""

    line: int
    path: Path
    emotion: str | None
    person: str
    lighting: str
    start_us: int
    end_us: int | None
    whole: bool
    subset: str | None
    has_frames: bool


def find_manifest(root: str | os.PathLike[str]) -> Path:
    """The CSV file that ``root`` is, or holds as ``recordings.csv``; :class:`DatasetError` where there is none."""
    path = Path(root)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; list the recordings in it, with columns {', '.join(COLUMNS[:6])}")
    return path


def is_manifest(path: Path) -> bool:
    """Whether a file is such a list and not a recording in CSV: it has the columns ``path`` and ``person``."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = next(csv.reader([file.readline(4096)]), [])
    except (OSError, ValueError, csv.Error):
        return False
    return {"path", "person"} <= {name.strip().lower() for name in head}


def read_manifest(path: Path) -> tuple[list[Entry], list[Problem]]:
    """Read the list: the lines that are right, and all that is wrong with the others.

    Raises :class:`DatasetError` for a file that is no such list at all.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as CSV ({error}); save it as CSV in UTF-8") from error
    names = [name.strip().lower() for name in rows[0][1]] if rows else []
    absent = [name for name in NEEDED if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if absent or unknown or len(set(names)) < len(names):
        wrong = f"lacks {', '.join(absent)}" if absent else f"has {', '.join(unknown) or 'one twice'}"
        raise DatasetError(f"{path}: of its columns it {wrong}; they are {', '.join(COLUMNS)}, the last two optional")
    entries: list[Entry] = []
    problems: list[Problem] = []
    for line, row in rows[1:]:
        try:
            if len(row) != len(names):
                raise DatasetError(f"has {len(row)} cells for {len(names)} columns; mend it")
            entries.append(_entry(path.parent, line, dict(zip(names, map(str.strip, row), strict=True))))
        except DatasetError as error:
            kind = "unknown lighting" if "unknown lighting" in str(error) else "bad line"
            kind = "missing recording" if "no such recording" in str(error) else kind
            problems.append(Problem(kind, f"line {line}", f"{path}: line {line}: {error}"))
    if not rows[1:]:
        raise DatasetError(f"{path}: lists no recording; add a line for each")
    return entries, problems + _contradictions(path, entries)


def _entry(folder: Path, line: int, cell: dict[str, str]) -> Entry:
    for name in ("path", "person"):
        if not cell[name]:
            raise DatasetError(f"{name} is empty; fill it in")
    subset, frames = cell.get("subset", "").lower(), cell.get("frames", "").lower()
    if subset and subset not in SUBSETS:
        raise DatasetError(f"subset is {subset!r}; it must be train, val, test or empty")
    if frames not in ("", "yes", "no"):
        raise DatasetError(f"frames is {frames!r}; it must be yes, no or empty")
    start, end = _time("start", cell["start"]), _time("end", cell["end"])
    if end is not None and end <= (start or 0):
        raise DatasetError(f"end {cell['end']} s is not after start {cell['start'] or 0} s; mend it")
    path = folder / cell["path"]
    if not path.exists():
        raise DatasetError(f"{path}: no such recording; mend the path, which is relative to the CSV file")
    return Entry(
        line=line,
        path=path,
        emotion=EMOTIONS[emotion_index(cell["label"])] if cell["label"] else None,
        person=cell["person"],
        lighting=lighting_name(cell["lighting"]) if cell.get("lighting") else UNKNOWN_LIGHTING,
        start_us=start or 0,
        end_us=end,
        whole=start is None,
        subset=subset or None,
        has_frames=frames != "no",
    )


def _time(name: str, text: str) -> int | None:
    """Seconds as µs, None where empty."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e9:
        raise DatasetError(f"{name} is {text!r}; it must be in seconds from the recording's first event, from 0 on")
    return round(seconds * 1e6)


def _contradictions(path: Path, entries: list[Entry]) -> list[Problem]:
    """Parts listed twice, parts that overlap, and persons in two subsets or two spellings."""
    problems: list[Problem] = []
    seen: dict[tuple[str, int, int | None], int] = {}
    parts: defaultdict[str, list[Entry]] = defaultdict(list)
    subsets: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        real = os.path.realpath(entry.path)
        key = (real, entry.start_us, entry.end_us)
        if key in seen:
            message = f"{path}: line {entry.line} lists what line {seen[key]} does; remove one"
            problems.append(Problem("duplicate", f"line {entry.line}", message))
        else:
            seen[key] = entry.line
            parts[real].append(entry)
        if entry.subset:
            subsets[entry.person].add(entry.subset)
    for listed in parts.values():
        problems += _overlaps(path, listed)
    problems += spelling_problems(Named(e.person, f"line {e.line}", f"{path}: line {e.line}") for e in entries)
    for person, told in subsets.items():
        if len(told) > 1:
            message = f"{path}: person {person} is in {' and '.join(sorted(told))}; leave each person in one subset"
            problems.append(Problem("person in two subsets", person, message))
    return problems


def _overlaps(path: Path, parts: list[Entry]) -> list[Problem]:
    """Parts of one recording that share time: a problem where person or label differ, else a note.

    Each part is named once, with one that begins before it.
    """
    problems: list[Problem] = []
    latest: dict[tuple[str, str | None], Entry] = {}  # of each person and label, the part that ends last
    for part in sorted(parts, key=lambda entry: (entry.start_us, entry.line)):
        latest = {who: other for who, other in latest.items() if _end(other) > part.start_us}
        mine = (part.person, part.emotion)
        other = next((latest[who] for who in latest if who != mine), latest.get(mine))
        if other is not None:
            lines = sorted((other.line, part.line))
            message = f"{path}: lines {lines[0]} and {lines[1]} have a part of {part.path} in common"
            what = "persons" if other.person != part.person else "labels"
            if (other.person, other.emotion) != mine:
                more = f"{message}, under two {what}; mend start, end or the {what[:-1]}"
                problems.append(Problem("contradicting parts", f"line {lines[1]}", more))
            else:
                problems.append(Problem("overlapping parts", f"line {lines[1]}", message, note=True))
        if mine not in latest or _end(part) > _end(latest[mine]):
            latest[mine] = part
    return problems


def _end(entry: Entry) -> float:
    return math.inf if entry.end_us is None else entry.end_us
