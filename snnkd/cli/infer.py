"""The command ``infer``: recordings in, emotions over time out."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from snnkd.cli import types
from snnkd.errors import ConfigError

if TYPE_CHECKING:
    from snnkd.events.array import Events
    from snnkd.inference import Live, Reading, Recognizer, Request


LOOKED_AT_US = 1_000_000
"""Of a file that is followed, before the first window is told"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be typed after ``snnkd infer``."""
    parser.add_argument("model", metavar="MODEL", help="a model folder, or a Hub id")
    parser.add_argument(
        "recordings", nargs="+", metavar="RECORDING", help="files, folders that hold recordings, or patterns in quotes"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder for the results")

    reading = parser.add_argument_group("how a recording is read")
    reading.add_argument(
        "--mode", choices=("stream", "clips"), default="stream",
        help="carry the network's state from window to window, or average over clips as long as those of its training",
    )  # fmt: skip
    reading.add_argument(
        "--hop", type=types.positive, metavar="N",
        help="in mode clips, windows from one clip to the next (default: a third of a clip)",
    )  # fmt: skip
    reading.add_argument(
        "--reset", type=types.duration, metavar="SECONDS", help="begin from rest after a silence of this length"
    )
    reading.add_argument(
        "--region", default="centre", metavar="X,Y,W,H",
        help="of the sensor that the network sees; auto: where events are (default: the centred square)",
    )  # fmt: skip
    reading.add_argument(
        "--simulate", action="store_true", help="make events of a recording's frames where it has no events"
    )
    reading.add_argument(
        "--hardware", default="45nm-fp32", metavar="NAME",
        help="estimate energy on it: a profile's name or YAML file, or none (default: 45nm-fp32)",
    )  # fmt: skip

    valid = parser.add_argument_group("which windows are valid")
    valid.add_argument(
        "--least-events", type=types.positive, default=1, metavar="N", help="fewer are silence (default: 1)"
    )
    valid.add_argument(
        "--saturated", type=types.share, default=0.6, metavar="P",
        help="with this share of all pixels firing the sensor is saturated (default: 0.6)",
    )  # fmt: skip
    valid.add_argument(
        "--blink", type=types.share, default=0.03, metavar="P",
        help="from this share on, five times the usual is a blink (default: 0.03; 0 for never)",
    )  # fmt: skip

    telling = parser.add_argument_group("how windows become segments")
    telling.add_argument(
        "--margin", type=types.share, default=0.0, metavar="P",
        help="tell another emotion once it is more probable by P (default: 0)",
    )  # fmt: skip
    telling.add_argument(
        "--minimum", type=types.number, default=0.0, metavar="SECONDS", help="no segment is shorter (default: 0)"
    )
    telling.add_argument(
        "--abstain", type=types.share, default=0.0, metavar="P", help="tell nothing less probable than P (default: 0)"
    )

    files = parser.add_argument_group("what is written, beside CSV and JSON")
    files.add_argument("--no-plot", action="store_true", help="write no plot (PNG)")
    files.add_argument("--parquet", action="store_true", help="write Parquet, with the logits")
    files.add_argument("--page", action="store_true", help="write a page a recording, and an index of all (HTML)")
    files.add_argument("--video", action="store_true", help="write a video a recording (MP4)")
    files.add_argument("--again", action="store_true", help="compute what is there already, too")

    work = parser.add_argument_group("who works it off")
    work.add_argument("--workers", type=types.positive, default=1, metavar="N", help="processes (default: 1)")
    work.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda, or cuda:N (default: cpu)")
    work.add_argument(
        "--batch", type=types.positive, default=1, metavar="N",
        help="recordings that go through the network together, which a GPU gains from (default: 1)",
    )  # fmt: skip
    work.add_argument(
        "--engine", choices=("local", "ray"), default="local",
        help="this machine, or a Ray cluster, which writes one Parquet data set",
    )  # fmt: skip
    work.add_argument(
        "--address", metavar="HOST:PORT", help="of the Ray cluster (default: RAY_ADDRESS, or this machine)"
    )
    work.add_argument(
        "--follow", action="store_true", help="of one AEDAT4, RAW or DAT file that still grows: print each window"
    )
    work.add_argument(
        "--idle", type=types.duration, default=10.0, metavar="SECONDS",
        help="with --follow: end when the file has not grown for this long (default: 10)",
    )  # fmt: skip


def infer(options: argparse.Namespace) -> int:
    """Write the timelines of recordings."""
    from snnkd.inference import load

    request = request_of(options)
    _refuse_misfits(options, request)
    recognizer = load(options.model, options.device).ready()
    if options.follow:
        return follow(recognizer, request, options)
    from snnkd.inference.sources import find_recordings

    recordings = find_recordings(options.recordings, options.output)
    if options.engine == "ray":
        from snnkd.inference.cluster import infer_on_cluster

        return 0 if infer_on_cluster(recognizer, recordings, options.output, request, options.address) else 2
    return 0 if _infer_here(recognizer, recordings, request, options) else 2


def request_of(options: argparse.Namespace) -> "Request":
    """Return what is asked for; a wrong name is told before anything is read."""
    from snnkd.inference import Request, Settings, Smoothing, Validity
    from snnkd.inference.windowing import parse_region

    hardware = None if options.hardware == "none" else options.hardware
    if hardware is not None:
        from snnkd.energy import load_hardware

        load_hardware(hardware)
    return Request(
        hardware,
        Smoothing(options.margin, round(options.minimum * 1e6), options.abstain),
        Settings(
            options.mode,
            options.hop,
            None if options.reset is None else max(1, round(options.reset * 1e6)),
            parse_region(options.region),
            Validity(options.least_events, options.saturated or 1.0, options.blink or 1.0),
        ),
        plot=not options.no_plot,
        parquet=options.parquet,
        page=options.page,
        video=options.video,
        simulate=options.simulate,
    )


def follow(recognizer: "Recognizer", request: "Request", options: argparse.Namespace) -> int:
    """Print each window of a file that still grows; with an output, write its files when it has come to its end."""
    import numpy as np

    from snnkd.events import hot_pixels
    from snnkd.recordings.follow import follow as follow_file

    path = Path(options.recordings[0])
    print(f"following {path}, until it has not grown for {options.idle:g} s or Ctrl+C", file=sys.stderr)
    following = follow_file(path, idle_s=options.idle)
    first: list[Events] = []
    live: Live | None = None

    def begin() -> "Live":
        """Go through the first second, in which hot pixels show."""
        events, size = np.concatenate(first), following.sensor_size
        begun = recognizer.live(size, int(events["t"][0]), request.hardware, request.settings, hot_pixels(events, size))
        for reading in begun.feed(events):
            _print(reading)
        return begun

    try:
        for events in following.chunks():
            if live is not None:
                for reading in live.feed(events):
                    _print(reading)
                continue
            first.append(events)
            if int(events["t"][-1]) - int(first[0]["t"][0]) >= LOOKED_AT_US:
                live = begin()
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)
    if live is None:
        if not first:
            raise ConfigError(f"{path}: no event has come")
        live = begin()
    for reading in live.finish():
        _print(reading)
    return 0 if options.output is None or _infer_here(recognizer, [path], request, options) else 2


def _infer_here(
    recognizer: "Recognizer", recordings: list[Path], request: "Request", options: argparse.Namespace
) -> bool:
    from snnkd.inference.files import infer_files

    return infer_files(recognizer, recordings, options.output, request, options.again, options.workers, options.batch)


def _print(reading: "Reading") -> None:
    """One line a window; a note beside what is not valid."""
    note = "" if reading.valid else f"  ({reading.quality})"
    filled = round(20 * reading.confidence)
    told = f"{reading.label:<9} {reading.confidence:4.0%} {'█' * filled:<20}"
    line = f"{reading.end_s:8.2f} s  {told} {reading.events:>9,} events"
    try:
        print(f"{line}{note}", flush=True)
    except BrokenPipeError:  # who read this has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise KeyboardInterrupt from None


def _refuse_misfits(options: argparse.Namespace, request: "Request") -> None:
    if options.follow:
        if len(options.recordings) != 1:
            raise ConfigError("--follow: follows one file")
        if options.engine == "ray":
            raise ConfigError("--follow: works on this machine: leave --engine ray out")
        if request.settings.region == "auto":
            raise ConfigError("--follow: --region auto looks at where events are, and none has come yet: give X,Y,W,H")
        if request.simulate:
            raise ConfigError("--follow: reads events: leave --simulate out")
        if options.batch > 1:
            raise ConfigError("--follow: follows one file: leave --batch out")
    elif options.output is None:
        raise ConfigError("-o: give a folder for the results")
    if options.device != "cpu" and (options.workers > 1 or options.engine == "ray"):
        raise ConfigError(f"--device {options.device}: one process runs it: give --batch in place of --workers or Ray")
    if options.batch > 1 and (options.workers > 1 or options.engine == "ray"):
        raise ConfigError("--batch: one process runs it: leave --workers and --engine ray out")
    if options.engine == "ray":
        for name in ("page", "video", "again"):
            if getattr(options, name):
                raise ConfigError(f"--{name}: is not there with --engine ray, which writes one Parquet data set")
        if options.workers != 1:
            raise ConfigError("--workers: with --engine ray the cluster's CPUs are the workers")
    elif options.address is not None:
        raise ConfigError("--address: is of a Ray cluster: add --engine ray")
