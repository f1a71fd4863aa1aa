"""The commands on recordings: ``info`` (of datasets and models, too), ``data convert`` and ``data simulate``."""

import argparse
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snnkd.cli.process import cleaned, heed
from snnkd.errors import ConfigError, SnnkdError, SnnkdWarning

READING = ("unit", "columns", "sensor_size", "camera", "fps")
"""Options that are handed to ``open_recording``."""

MODEL = "config.json"
"""What tells a model folder; the package of models would be long in loading for a recording."""

PIPED = 100
"""Characters of a line where no terminal says how wide it is."""


def info(options: argparse.Namespace) -> int:
    """Print what is in recordings, datasets or models; what cannot be read is named, and the others go on."""
    if options.images and not options.check:
        raise ConfigError("--images: goes with --check only; add it")
    found: list[dict[str, Any]] = []
    failed = False
    for path in options.paths:
        try:
            facts, text = _check(path, options) if options.check else _look(path, _reading(options))
        except SnnkdError as error:
            failed = _tell(str(error))
        except OSError as error:
            failed = _tell(f"{error.filename or path}: {error.strerror or error}")
        else:
            if not options.json:
                print(("\n" if found else "") + text)
            found.append(facts)
            failed = failed or facts.get("ok") is False
    if options.json and found:
        from snnkd.recordings.summary_table import dumps

        print(dumps(found[0] if len(options.paths) == 1 else found))
    return 2 if failed else 0


def _tell(error: str) -> bool:
    sys.stdout.flush()
    print(f"snnkd: error: {cleaned(error)}", file=sys.stderr)
    return True


def _check(path: Path, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from snnkd.datasets import check_dataset
    from snnkd.terminal import counting

    with counting("reading") as progress:
        report = check_dataset(path, images=options.images, progress=_heeding(progress))
    return report.to_dict(), report.table()


def _look(path: Path, reading: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from snnkd.datasets import summary as datasets
    from snnkd.recordings import open_recording
    from snnkd.recordings.summary import describe
    from snnkd.recordings.summary_table import table

    if datasets.holds_dataset(path):
        if reading:
            raise ConfigError(f"{path}: is a dataset, which takes no --{next(iter(reading)).replace('_', '-')}")
        facts = datasets.describe(path)
        return facts, datasets.table(facts)
    width = shutil.get_terminal_size((PIPED, 24)).columns
    if (path / MODEL).is_file():
        if reading:
            raise ConfigError(f"{path}: is a model, which takes no --{next(iter(reading)).replace('_', '-')}")
        from snnkd.models import summary as models

        facts = models.describe(path)
        return facts, models.table(facts, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SnnkdWarning)  # the table has them
        facts = describe(open_recording(path, **reading))
    return facts, table(facts, width)


def _heeding(progress: Callable[[int, int | None], None]) -> Callable[[int, int | None], None]:
    """A progress that also ends the command where it was told to end."""

    def show(done: int, total: int | None) -> None:
        heed()
        progress(done, total)

    return show


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(options, name) for name in READING}
    return {name: value for name, value in given.items() if value is not None}


def convert(options: argparse.Namespace) -> int:
    """Write a recording as HDF5 or NPZ."""
    from snnkd.recordings import open_recording
    from snnkd.recordings.convert import convert as write
    from snnkd.recordings.convert import refuse_existing
    from snnkd.recordings.summary_table import counted
    from snnkd.terminal import counting

    refuse_existing(options.destination, options.overwrite, remedy="--overwrite")
    source = open_recording(options.source, **_reading(options))
    with counting("converting") as progress:
        written = write(source, options.destination, overwrite=options.overwrite, progress=_heeding(progress))
    frames = f", {counted(written.frame_count, 'frame')}" if written.frame_count else ""
    print(f"wrote {options.destination}: {counted(written.event_count, 'event')}{frames}")
    return 0


def simulate(options: argparse.Namespace) -> int:
    """Make the events of a video."""
    from snnkd.cli.parser import FIELDS
    from snnkd.recordings import SensorModel
    from snnkd.recordings.convert import refuse_existing
    from snnkd.recordings.simulate import simulate_recording
    from snnkd.recordings.summary_table import counted
    from snnkd.terminal import counting

    refuse_existing(options.output, options.overwrite, (".h5", ".hdf5"), remedy="--overwrite")
    changes = {name: getattr(options, name) for name in FIELDS if getattr(options, name) is not None}
    if options.threshold is not None:
        changes = {"threshold_on": options.threshold, "threshold_off": options.threshold} | changes
    try:
        sensor = getattr(SensorModel, options.sensor)(seed=options.seed, **changes)
    except ValueError as error:
        field = str(error).split()[0]
        both = options.threshold is not None and field in ("threshold_on", "threshold_off")
        raise ConfigError(f"--{'threshold' if both else field.replace('_', '-')}: {error}") from error
    with counting("simulating") as progress:
        made = simulate_recording(
            options.source,
            options.output,
            sensor,
            fps=options.fps,
            overwrite=options.overwrite,
            progress=_heeding(progress),
        )
    print(f"wrote {options.output}: {counted(made.events, 'event')} of {counted(made.frames, 'frame')}")
    return 0
