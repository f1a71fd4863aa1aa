"""``snnkd infer``: recordings in, files out.

A recording is done when its JSON is there, written last, and says the content of the recording, the model and the
settings that there are now, and that all files that are asked for were written with it; such a one is not computed
again. So a run that was stopped, killed even, goes on where it was, and one over more recordings does the new ones.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

import snnkd
from snnkd.errors import ConfigError
from snnkd.inference.fingerprint import model_hash, settings_hash
from snnkd.inference.one import Noted, Said, named
from snnkd.inference.pool import Job, work_off
from snnkd.inference.recognizer import Recognizer
from snnkd.inference.request import INDEX, Request
from snnkd.inference.timeline import write_whole
from snnkd.terminal import bar


@dataclass
class Outcome:
    """What became of the recordings."""

    done: list[tuple[str, Said]] = field(default_factory=list)
    """Name and what the JSON says but for the windows, of those that were computed or were there"""
    skipped: int = 0
    """How many of them were there"""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Name, and why in one line"""


def infer_files(
    recognizer: Recognizer,
    recordings: list[Path],
    output: Path,
    request: Request = Request(),  # noqa: B008
    again: bool = False,
    workers: int = 1,
    batch: int = 1,
) -> bool:
    """Write the files that are asked for (:class:`~snnkd.inference.request.Request`) into ``output``.

    A recording that cannot be read is named on standard error and the others go on. Returns whether all could.

    Args:
        recognizer: the model.
        recordings: see :func:`snnkd.inference.sources.find_recordings`.
        output: a folder, made if it is not there.
        request: what is made of each recording.
        again: compute what is there already, too.
        workers: processes that share the recordings.
        batch: recordings that go through the network together (:mod:`snnkd.inference.many`).

    Raises:
        ConfigError: a folder that cannot be made, a recording that its own result would overwrite, a batch for a
            network that is run event by event.
        ModelError: a network that does not read events.
    """
    recognizer.check()
    make_folder(output)
    if request.parquet:
        from snnkd.inference.parquet import need_pyarrow

        need_pyarrow()
    names = output_names(recordings)
    jobs = [Job(i, name, path, output / name) for i, (path, name) in enumerate(zip(recordings, names, strict=True))]
    for job in jobs:
        _refuse_own(job, request)
    found: dict[int, tuple[str, Said]] = {}
    failed: dict[int, tuple[str, str]] = {}
    skipped = 0
    with bar() as progress:
        line = progress.add_task("recognising", total=len(jobs), note="")

        def noted(job: Job) -> Noted:
            note = job.name.replace("[", r"\[")
            progress.update(line, note=note)

            def video(done: int, of: int) -> None:
                progress.update(line, note=f"{note}: video {done / of:.0%}")

            return video

        task = (recognizer, request, known_hashes(recognizer, request), again)
        for done in work_off(jobs, task, workers, noted, batch):
            if done.said is None:
                failed[done.job.number] = (done.job.name, done.failure)
            else:
                found[done.job.number] = (done.job.name, done.said)
                skipped += done.skipped
            progress.update(line, advance=1, note=done.job.name.replace("[", r"\["))
    # In the order in which they were given, whoever was done first.
    outcome = Outcome([found[i] for i in sorted(found)], skipped, [failed[i] for i in sorted(failed)])
    if request.page and outcome.done:
        from snnkd.inference.page import build_index

        try:
            write_whole(output / INDEX, build_index(outcome.done, outcome.failed))
        except OSError as error:
            outcome.failed.append((INDEX, f"{output / INDEX}: {error.strerror or error}"))
    tell(outcome, recognizer, output, len(request.endings))
    return not outcome.failed


def make_folder(output: Path) -> None:
    """Make a folder for results; :class:`ConfigError` where that cannot be."""
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output}: is a file: give a folder for the results")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be made: {error.strerror or error}") from None


def known_hashes(recognizer: Recognizer, request: Request) -> dict[str, str]:
    """Hash the model, and all that a result depends on but the recording's content."""
    model = model_hash(recognizer.network)
    settings = request.facts() | {
        "snnkd": snnkd.__version__,
        "model": model,
        "input": recognizer.input,
        "temperature": recognizer.temperature,
    }
    return {"model": model, "settings": settings_hash(settings)}


def _refuse_own(job: Job, request: Request) -> None:
    for ending in request.endings:
        target = named(job.place, ending)
        if target.exists() and job.path.exists() and target.samefile(job.path):
            raise ConfigError(f"{job.path}: would be overwritten by its own result: choose another output folder")


def tell(outcome: Outcome, recognizer: Recognizer, output: Path, each: int) -> None:
    """Print what was recognised, and on standard error what was not."""
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


def _summary(done: list[tuple[str, Said]]) -> Table:
    from snnkd.energy import joules_text

    table = Table(title="Emotions over time", title_justify="left")
    table.add_column("recording", overflow="fold")
    for heading in ("events", "duration", "sensor", "windows"):
        table.add_column(heading, justify="right", no_wrap=True)
    powered = any(said["watts"] is not None for _, said in done)
    if powered:
        table.add_column("energy", justify="right", no_wrap=True)
    table.add_column("told most", no_wrap=True)
    for name, said in done:
        facts = said["recording"]
        width, height = facts["sensor_size"]
        shares = sorted(said["shares"].items(), key=lambda item: -item[1])[:2]
        table.add_row(
            name.replace("[", r"\["),
            f"{facts['events']:,}",
            f"{facts['duration_us'] / 1e6:.2f} s",
            f"{width}×{height}",
            str(said["totals"]["windows"]),
            *(["" if said["watts"] is None else f"{joules_text(said['watts'])}/s"] if powered else []),
            "\n".join(f"{emotion} {share:.0%}" for emotion, share in shares if share > 0),
        )
    return table
