r"""The mapping file that tells how a copy of DSEE, or any dataset like it, lies on disk.

DSEE's tree is not public, so a copy says itself where things are: ``dsee.yaml`` (or ``dsee.json``) in its folder. ::

    kind: images                     # of the events: images (accumulated, as SEE's) or recording
    events: event/{emotion}/{person}_{lighting}_{take}        # a folder of images each
    frames: frame/{emotion}/{person}_{lighting}_{take}

::

    kind: recording
    events: "{subset}/{person}/{take:\\d+}_{lighting}.h5"     # any format of snnkd.open_recording
    emotion: happiness               # of all sequences, where the names do not say it

=============  =======================================================================================================
key            meaning
=============  =======================================================================================================
``kind``       ``images``: ``events`` names folders of event images, each covering ``window_us``, one a frame;
               ``recording``: it names recordings
``events``     where they are, relative to the mapping's folder
``frames``     where the frames are: folders of images, as many as event images. Of recordings: left out where the
               recording has the frames itself, ``none`` where there are none
``emotions``   spellings of emotions beyond the usual: ``{joy: happiness}``; ``lightings`` likewise
``emotion``    of all sequences, where the patterns have no ``{emotion}``; without both they have no label.
               ``lighting`` likewise; without both it is unknown
``subsets``    spellings of ``{subset}`` beyond train, val and test: ``{training: train, testing: test}``
``window_us``  length of an event image, 33,333 where left out; only of ``kind: images``
``margin``     grey levels from mid-grey that make an event, as :class:`~snnkd.datasets.SEE` has it; only of images
\              ``frame_rate`` and ``frame_times`` of frames in folders beside recordings: their rate where names do not
               tell their times, and whether the times are the events' (``recording``) or the first frame falls on the
               first event (``start``, where left out)
=============  =======================================================================================================

In a pattern ``{person}`` (which must be there), ``{emotion}``, ``{lighting}``, ``{take}`` and ``{subset}`` stand for
one or more characters but ``/``, as few as fit, and ``*`` for any number of them; ``{take:\d+}`` for what that regular
expression matches. What is the same in ``events`` and ``frames`` belongs together, so both have the same placeholders.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from snnkd.datasets.checks import check_integers
from snnkd.datasets.labels import EMOTIONS, UNKNOWN_LIGHTING, emotion_index, lighting_name
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import MARGIN, WINDOW_US

FILES = ("dsee.yaml", "dsee.yml", "dsee.json")
PLACES = ("person", "emotion", "lighting", "take", "subset")
_PART = re.compile(r"\{(\w*)(?::((?:[^{}]|\{[\d,]+\})+))?\}|(\*)|([^{}*]+)|([{}])")

Fields = tuple[tuple[str, str], ...]
"""Placeholders and what stands for them."""


@dataclass(frozen=True)
class Mapping:
    """What the file says; the fields are its keys."""

    path: Path
    kind: str
    events: str
    frames: str | None = None
    emotions: dict[str, str] = field(default_factory=dict)
    lightings: dict[str, str] = field(default_factory=dict)
    subsets: dict[str, str] = field(default_factory=dict)
    emotion: str | None = None
    lighting: str | None = None
    window_us: int = WINDOW_US
    margin: int = MARGIN
    frame_rate: float | None = None
    frame_times: str = "start"

    @property
    def has_frames(self) -> bool:
        """Whether sequences have frames."""
        return self.frames != "none"

    @property
    def frames_apart(self) -> str | None:
        """Pattern of the frames where they are not in the recordings."""
        return self.frames if self.has_frames else None

    def emotion_of(self, fields: dict[str, str]) -> str | None:
        """Emotion of a sequence; :class:`DatasetError` for none of the seven."""
        name = fields.get("emotion", self.emotion)
        return None if name is None else EMOTIONS[emotion_index(self.emotions.get(name, name))]

    def lighting_of(self, fields: dict[str, str]) -> str:
        """Lighting of a sequence; :class:`DatasetError` for none of the four."""
        name = fields.get("lighting", self.lighting)
        return UNKNOWN_LIGHTING if name is None else lighting_name(self.lightings.get(name, name))

    def subset_of(self, fields: dict[str, str]) -> str | None:
        """Official subset of a sequence; :class:`DatasetError` for none of the three."""
        name = fields.get("subset")
        found = None if name is None else self.subsets.get(name, name)
        if found not in (None, "train", "val", "test"):
            raise DatasetError(f"unknown subset {name!r}; the three are train, val, test: say so under subsets")
        return found


def find_mapping(root: str | os.PathLike[str]) -> Path | None:
    """The mapping file in a folder, or the file itself; None where there is none."""
    path = Path(root)
    if path.is_file():
        return path if path.name in FILES else None
    return next((path / name for name in FILES if (path / name).is_file()), None)


def read_mapping(path: Path) -> Mapping:
    """Read a mapping; :class:`DatasetError` naming the key that is wrong."""
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML too
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise DatasetError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}); mend it") from error
    known = [name for name in Mapping.__dataclass_fields__ if name != "path"]
    if not isinstance(said, dict):
        raise DatasetError(f"{path}: must hold keys and values; the keys are {', '.join(known)}")
    for key in said:
        if key not in known:
            raise DatasetError(f"{path}: unknown key {key!r}; the keys are {', '.join(known)}")
    for key in ("kind", "events"):
        if not isinstance(said.get(key), str):
            raise DatasetError(f"{path}: key {key!r} is missing or no text; add it")
    for key in ("emotions", "lightings", "subsets"):
        table = said.get(key, {})
        if not isinstance(table, dict) or not all(isinstance(x, str) for pair in table.items() for x in pair):
            raise DatasetError(f"{path}: {key} is {table!r}; it must map text to text")
    for key in ("frames", "emotion", "lighting"):
        if not isinstance(said.get(key), str | None):
            raise DatasetError(f"{path}: {key} is {said[key]!r}; it must be text")
    mapping = Mapping(path, **{key: value for key, value in said.items() if value is not None})
    try:
        _check(mapping)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    return mapping


def _check(mapping: Mapping) -> None:
    if mapping.kind not in ("images", "recording"):
        raise DatasetError(f"kind is {mapping.kind!r}; it must be images or recording")
    if mapping.kind == "images" and (mapping.frames is None or mapping.frames == "none"):
        raise DatasetError("kind: images needs frames, the folders of the frames' images; add it")
    if mapping.frame_times not in ("start", "recording"):
        raise DatasetError(f"frame_times is {mapping.frame_times!r}; it must be start or recording")
    rate = mapping.frame_rate
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e6):
        raise DatasetError(f"frame_rate is {rate!r}; it must be frames a second")
    check_integers(1, window_us=mapping.window_us)
    check_integers(0, margin=mapping.margin)
    mapping.emotion_of({})
    mapping.lighting_of({})
    for table, call in ((mapping.emotions, emotion_index), (mapping.lightings, lighting_name)):
        for name in table.values():
            call(name)
    names = [placeholders(pattern) for pattern in (mapping.events, mapping.frames_apart) if pattern]
    if "person" not in names[0]:
        raise DatasetError(f"events is {mapping.events!r}; it must have {{person}}: splits are by persons")
    if names[0] != names[-1]:
        odd = ", ".join(f"{{{name}}}" for name in sorted(names[0] ^ names[-1]))
        raise DatasetError(f"events and frames must have the same placeholders to be matched; {odd} is in one only")


def placeholders(pattern: str) -> set[str]:
    """Names in a pattern; :class:`DatasetError` where it is none."""
    return {name for part in pattern.split("/") for name in _compile(part, pattern).groupindex}


def matches(root: Path, pattern: str) -> Iterator[tuple[Fields, Path]]:
    """What lies where the pattern says, sorted by path: placeholders' values, and the path."""
    parts = [_compile(part, pattern) for part in pattern.split("/")]
    yield from _walk(root, parts, {})


def _walk(folder: Path, parts: list[re.Pattern[str]], known: dict[str, str]) -> Iterator[tuple[Fields, Path]]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] != ".")
    except NotADirectoryError:
        return
    for name in names:
        match = parts[0].fullmatch(name)
        if match is None:
            continue
        found = match.groupdict()
        if any(known.get(key, value) != value for key, value in found.items()):
            continue
        if len(parts) > 1:
            yield from _walk(folder / name, parts[1:], known | found)
        else:
            yield tuple(sorted((known | found).items())), folder / name


def _compile(part: str, pattern: str) -> re.Pattern[str]:
    """One step of a pattern as a regular expression."""
    text, seen = "", set()
    if part in ("", ".", ".."):
        raise DatasetError(f"pattern {pattern!r}: {part!r} is no name of a folder; write it without")
    for match in _PART.finditer(part):
        name, rule, star, plain, stray = match.groups()
        if stray or (name is not None and name not in PLACES):
            told = ", ".join(f"{{{place}}}" for place in PLACES)
            raise DatasetError(f"pattern {pattern!r}: {match[0]!r} is no placeholder; they are {told}")
        if star or plain:
            text += "[^/]*" if star else re.escape(plain)
        elif name in seen:
            text += f"(?P={name})"
        else:
            text += f"(?P<{name}>{rule or '[^/]+?'})"
            seen.add(name)
    try:
        return re.compile(text)
    except re.error as error:
        raise DatasetError(f"pattern {pattern!r}: {error}; mend the expression") from None
