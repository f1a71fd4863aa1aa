"""``snnkd infer``: recordings in, files out."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from snnkd.errors import ConfigError, SnnkdError
from snnkd.inference.drawing import png_bytes
from snnkd.inference.recognizer import Recognizer
from snnkd.inference.timeline import Timeline, write_whole
from snnkd.recordings import open_recording
from snnkd.terminal import bar

HARDWARE = "45nm-fp32"


def infer_files(recognizer: Recognizer, recordings: list[Path], output: Path, hardware: str | None = HARDWARE) -> bool:
    """Write ``NAME.csv``, ``NAME.json`` and ``NAME.png`` into ``output`` for every recording.

    Energy is estimated for ``hardware``; None leaves it out. A recording that cannot be read is named on standard error
    and the others go on. Returns whether all could.
    """
    recognizer.check()
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output}: is a file: give a folder for the results")
    done: list[tuple[str, Timeline]] = []
    failed: list[str] = []
    with bar() as progress:
        task = progress.add_task("recognising", total=len(recordings), note="")
        for path, name in zip(recordings, output_names(recordings), strict=True):
            progress.update(task, note=name.replace("[", r"\["))
            try:
                recording = open_recording(path)
                timeline = recognizer.recognize(recording, hardware)
                # All three are made before any is written, so that a failure leaves older ones as they were.
                files = {
                    "csv": timeline.csv_bytes(),
                    "json": timeline.json_bytes(),
                    "png": png_bytes(timeline.plot(recording)),
                }
                output.mkdir(parents=True, exist_ok=True)
                for ending, data in files.items():
                    write_whole(output / f"{name}.{ending}", data)
                done.append((name, timeline))
            except SnnkdError as error:
                failed.append(str(error))
            except OSError as error:
                failed.append(f"{error.filename or path}: {error.strerror or error}")
            progress.advance(task)
    if done:
        Console(highlight=False).print(_summary(done))
        print(f"wrote {3 * len(done)} files into {output}")
        for name, timeline in done:
            facts = timeline.recording
            if facts["hot_pixels"]:
                print(f"{name}: {facts['hot_pixels']} hot pixels with {facts['hot_events']:,} events left out.")
        if hardware is not None:
            print(f"Energy per second of recording: arithmetic on {done[0][1].model['hardware']}, an estimate.")
        if recognizer.caution:
            print(f"Note: the model was {recognizer.caution}.")
    for message in failed:
        print(f"snnkd: error: {message}", file=sys.stderr)
    return not failed


def output_names(recordings: list[Path]) -> list[str]:
    """Name each recording's outputs: the file's stem, with its folder before it where two stems are the same."""
    stems = [path.resolve().stem or "recording" for path in recordings]
    for i, path in enumerate(recordings):
        if path.is_dir():  # the last folder of a path is often a bare number
            stems[i] = f"{path.resolve().parent.name}-{path.resolve().name}"
    names: list[str] = []
    for path, stem in zip(recordings, stems, strict=True):
        name = f"{path.resolve().parent.name}-{stem}" if stems.count(stem) > 1 else stem
        number = 2
        unique = name
        while unique in names:
            unique, number = f"{name}-{number}", number + 1
        names.append(unique)
    return names


def _summary(done: list[tuple[str, Timeline]]) -> Table:
    table = Table(title="Emotions over time", title_justify="left")
    table.add_column("recording", overflow="fold")
    for heading in ("events", "duration", "sensor", "windows"):
        table.add_column(heading, justify="right", no_wrap=True)
    powered = any(timeline.watts is not None for _, timeline in done)
    if powered:
        table.add_column("energy", justify="right", no_wrap=True)
    table.add_column("told most")
    for name, timeline in done:
        facts = timeline.recording
        width, height = facts["sensor_size"]
        shares = sorted(timeline.shares().items(), key=lambda item: -item[1])[:2]
        table.add_row(
            name.replace("[", r"\["),
            f"{facts['events']:,}",
            f"{facts['duration_us'] / 1e6:.2f} s",
            f"{width}×{height}",
            str(len(timeline)),
            *([_power(timeline)] if powered else []),
            ", ".join(f"{emotion} {share:.0%}" for emotion, share in shares if share > 0),
        )
    return table


def _power(timeline: Timeline) -> str:
    """Energy per second of recording."""
    from snnkd.energy import joules_text

    return "" if timeline.watts is None else f"{joules_text(timeline.watts)}/s"
