"""``snnkd infer``: recordings in, files out.

A recording is done when its JSON is there, written last, and says the content of the recording, the model and the
settings that there are now, and that all files that are asked for were written with it; such a one is not computed
again. So a run that was stopped, killed even, goes on where it was, and one over more recordings does the new ones.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import TaskID
from rich.table import Table

import snnkd
from snnkd.errors import ConfigError, SnnkdError
from snnkd.inference.drawing import png_bytes
from snnkd.inference.fingerprint import content_hash, model_hash, settings_hash
from snnkd.inference.page import INDEX, build_index, build_page
from snnkd.inference.recognizer import Recognizer
from snnkd.inference.smoothing import Smoothing
from snnkd.inference.timeline import write_whole
from snnkd.inference.video import write_video
from snnkd.recordings import open_recording
from snnkd.terminal import Bar, bar

HARDWARE = "45nm-fp32"
ENDINGS = ("csv", "png", "json")
"""In the order of writing: the JSON comes last and says that the others are whole"""


@dataclass
class Outcome:
    """What became of the recordings."""

    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Name and what the JSON says, of those that were computed or were there"""
    skipped: int = 0
    """How many of them were there"""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Name, and why in one line"""


def infer_files(
    recognizer: Recognizer,
    recordings: list[Path],
    output: Path,
    hardware: str | None = HARDWARE,
    smoothing: Smoothing = Smoothing(),  # noqa: B008
    again: bool = False,
    page: bool = False,
    video: bool = False,
) -> bool:
    """Write ``NAME.csv``, ``NAME.png`` and ``NAME.json`` into ``output`` for every recording.

    A recording that cannot be read is named on standard error and the others go on. Returns whether all could.

    Args:
        recognizer: the model.
        recordings: see :func:`snnkd.inference.sources.find_recordings`.
        output: a folder, made if it is not there.
        hardware: energy is estimated for it; None leaves it out.
        smoothing: how windows become segments.
        again: compute what is there already, too.
        page: write ``NAME.html`` too, and ``index.html`` over all.
        video: write ``NAME.mp4`` too.
    """
    recognizer.check()
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output}: is a file: give a folder for the results")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be made: {error.strerror or error}") from None
    settings = {"snnkd": snnkd.__version__, "hardware": hardware, "smoothing": asdict(smoothing)}
    model = model_hash(recognizer.network)
    settings |= {"model": model, "input": recognizer.input}
    known = {"model": model, "settings": settings_hash(settings)}
    endings = (*ENDINGS[:-1], *["html"] * page, *["mp4"] * video, ENDINGS[-1])
    names = output_names(recordings)
    for path, name in zip(recordings, names, strict=True):
        for ending in endings:
            target = output / f"{name}.{ending}"
            if target.exists() and path.exists() and target.samefile(path):
                raise ConfigError(f"{path}: would be overwritten by its own result: choose another output folder")
    outcome = Outcome()
    with bar() as progress:
        task = progress.add_task("recognising", total=len(recordings), note="")
        for path, name in zip(recordings, names, strict=True):
            escaped = name.replace("[", r"\[")
            progress.update(task, note=escaped)
            try:
                facts = {"content": content_hash(path)} | known if path.exists() else {}
                there = None if again else finished(output, name, facts, endings)
                if there is None:
                    coded = partial(_note_video, progress, task, escaped)
                    there = _compute(recognizer, path, output / name, hardware, smoothing, facts, endings, coded)
                else:
                    outcome.skipped += 1
                outcome.done.append((name, there))
            except SnnkdError as error:
                outcome.failed.append((name, str(error)))
            except OSError as error:
                outcome.failed.append((name, f"{error.filename or path}: {error.strerror or error}"))
            progress.advance(task)
    if page and outcome.done:
        try:
            write_whole(output / INDEX, build_index(outcome.done, outcome.failed))
        except OSError as error:
            outcome.failed.append((INDEX, f"{output / INDEX}: {error.strerror or error}"))
    _tell(outcome, recognizer, output, len(endings))
    return not outcome.failed


def _note_video(progress: Bar, task: TaskID, name: str, done: int, of: int) -> None:
    progress.update(task, note=f"{name}: video {done / of:.0%}")


def finished(output: Path, name: str, facts: dict[str, str], endings: tuple[str, ...]) -> dict[str, Any] | None:
    """Return what a result's JSON says where it is of these facts and all files are there, written with it."""
    if not facts or not all((output / f"{name}.{ending}").is_file() for ending in endings):
        return None
    try:
        found = json.loads((output / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None
    of = found.get("of") if isinstance(found, dict) else None
    if not isinstance(of, dict) or not isinstance(of.get("files"), list):
        return None
    # A page of other settings may lie beside a JSON that was written without one.
    return found if of == facts | {"files": of["files"]} and set(endings) <= {*map(str, of["files"])} else None


def _compute(
    recognizer: Recognizer,
    path: Path,
    place: Path,
    hardware: str | None,
    smoothing: Smoothing,
    facts: dict[str, str],
    endings: tuple[str, ...],
    coded: Callable[[int, int], None],
) -> dict[str, Any]:
    recording = open_recording(path)
    timeline = recognizer.recognize(recording, hardware, smoothing)
    said = timeline.to_dict() | {"of": facts | {"files": list(endings)}}
    # All but the video are made before any is written, so that a failure leaves older ones as they were.
    files = {
        "csv": timeline.csv_bytes(),
        "png": png_bytes(timeline.plot(recording)),
        "json": (json.dumps(said, indent=1) + "\n").encode(),
    }
    if "html" in endings:
        files["html"] = build_page(timeline, recording, name=place.name, index=INDEX, hashes=facts)
    for ending in endings:
        target = place.with_name(f"{place.name}.{ending}")
        if ending == "mp4":
            write_video(target, timeline, recording, name=place.name, progress=coded)
        else:
            write_whole(target, files[ending])
    return said


def _tell(outcome: Outcome, recognizer: Recognizer, output: Path, each: int) -> None:
    if outcome.done:
        Console(highlight=False).print(_summary(outcome.done))
        new = len(outcome.done) - outcome.skipped
        there = f"; {outcome.skipped} were there already, of the same content and settings" if outcome.skipped else ""
        print(f"wrote {each * new} files into {output}{there}")
        for name, said in outcome.done:
            facts = said["recording"]
            if facts["hot_pixels"]:
                print(f"{name}: {facts['hot_pixels']} hot pixels with {facts['hot_events']:,} events left out.")
        hardware = outcome.done[0][1]["model"]["hardware"]
        if hardware is not None:
            print(f"Energy per second of recording: arithmetic on {hardware}, an estimate.")
        if recognizer.caution:
            print(f"Note: the model was {recognizer.caution}.")
    for _, message in outcome.failed:
        print(f"snnkd: error: {message}", file=sys.stderr)
    if outcome.failed and outcome.done:
        print(f"{len(outcome.failed)} of {len(outcome.failed) + len(outcome.done)} recordings failed.", file=sys.stderr)


def output_names(recordings: list[Path]) -> list[str]:
    """Name each recording's outputs: the file's stem, with its folder before it where two stems are the same."""
    stems = [path.resolve().stem or "recording" for path in recordings]
    for i, path in enumerate(recordings):
        if path.is_dir():  # the last folder of a path is often a bare number
            stems[i] = f"{path.resolve().parent.name}-{path.resolve().name}"
    names: list[str] = []
    taken = {Path(INDEX).stem}  # also where no page is asked for: names stay what they are once it is
    for path, stem in zip(recordings, stems, strict=True):
        name = f"{path.resolve().parent.name}-{stem}" if stems.count(stem) > 1 else stem
        number = 2
        unique = name
        while unique.casefold() in taken:  # some file systems know no case
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique.casefold())
        names.append(unique)
    return names


def _summary(done: list[tuple[str, dict[str, Any]]]) -> Table:
    from snnkd.energy import joules_text

    table = Table(title="Emotions over time", title_justify="left")
    table.add_column("recording", overflow="fold")
    for heading in ("events", "duration", "sensor", "windows"):
        table.add_column(heading, justify="right", no_wrap=True)
    powered = any(said["watts"] is not None for _, said in done)
    if powered:
        table.add_column("energy", justify="right", no_wrap=True)
    table.add_column("told most")
    for name, said in done:
        facts = said["recording"]
        width, height = facts["sensor_size"]
        shares = sorted(said["shares"].items(), key=lambda item: -item[1])[:2]
        table.add_row(
            name.replace("[", r"\["),
            f"{facts['events']:,}",
            f"{facts['duration_us'] / 1e6:.2f} s",
            f"{width}×{height}",
            str(len(said["windows"])),
            *(["" if said["watts"] is None else f"{joules_text(said['watts'])}/s"] if powered else []),
            ", ".join(f"{emotion} {share:.0%}" for emotion, share in shares if share > 0),
        )
    return table
