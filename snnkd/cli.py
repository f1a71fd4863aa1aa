"""The command line. It imports nothing heavy until a command needs it."""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from snnkd import __version__
from snnkd.errors import ModelError, RecordingError, SnnkdError, SnnkdWarning

if TYPE_CHECKING:
    from snnkd.datasets import EyeDataset
    from snnkd.inference import Recognizer

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``snnkd``; return the exit status: 0, or 2 after one line on standard error that says what to mend."""
    warnings.showwarning = _show_warning
    # OpenMP's threads spin while they wait, by default; on a machine with other work each spin takes the time of a
    # thread that is waited for, and a training step was seen to take ten times as long. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments[:1] == ["train"]:  # its arguments are typed by the signatures of what it builds
            return _train(arguments[1:])
        options = _parser().parse_args(arguments)
        command: Command = options.command
        return command(options)
    except SnnkdError as error:
        print(f"snnkd: error: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"snnkd: error: {where}{error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt as interrupt:
        print(": ".join(["snnkd: interrupted", *map(str, interrupt.args)]), file=sys.stderr)
        return 130
    return 2


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, SnnkdWarning):
        print(f"snnkd: warning: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), file=file or sys.stderr, end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snnkd", description="Emotions from one eye: an SNN student on events, taught by an ANN on frames."
    )
    parser.add_argument("--version", action="version", version=f"snnkd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=command)
        return sub

    sub = add("demo", _demo, "everything below, small, on the synthetic dataset, with no download")
    sub.add_argument("-o", "--output", type=Path, default=Path("demo"), metavar="DIR", help="default: demo")
    sub.add_argument("--persons", type=_positive, default=48, help="synthetic persons (default: 48)")
    sub.add_argument("--takes", type=_positive, default=1, help="takes per person and emotion (default: 1)")
    sub.add_argument("--epochs", type=_positive, default=20, help="epochs of each training (default: 20)")
    sub.add_argument("--seed", type=_seed, default=2, help="of persons and training (default: 2)")
    sub.add_argument("--workers", type=_positive, default=2, help="processes that make data (default: 2)")

    sub = add("info", _info, "what is in a recording or a dataset")
    sub.add_argument("path", type=Path, metavar="FILE", help="a recording, or a dataset's folder")
    sub.add_argument("--json", action="store_true", help="print JSON")

    sub = commands.add_parser("data", help="make datasets and recordings", description="Make datasets and recordings.")
    kinds = sub.add_subparsers(title="commands", metavar="COMMAND", required=True)
    synth = kinds.add_parser("synth", help="write a synthetic EyeSim dataset", description="Write an EyeSim dataset.")
    synth.set_defaults(command=_synth)
    synth.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    synth.add_argument("--persons", type=_positive, default=60)
    synth.add_argument("--takes", type=_positive, default=2)
    synth.add_argument("--size", type=_positive, default=64, help="frame height and width in pixels (default: 64)")
    synth.add_argument("--duration", type=float, default=1.0, metavar="S", help="seconds per take (default: 1)")
    synth.add_argument("--seed", type=_seed, default=0)
    synth.add_argument("--workers", type=_positive, default=2, help="processes (default: 2)")

    convert = kinds.add_parser(
        "convert", help="write a recording of any format as HDF5 or NPZ",
        description="Write a recording of any format as HDF5 or NPZ, with its events, frames and metadata.",
    )  # fmt: skip
    convert.set_defaults(command=_convert)
    convert.add_argument("source", type=Path, metavar="RECORDING")
    convert.add_argument("destination", type=Path, metavar="FILE", help="ends in .h5, .hdf5 or .npz")
    convert.add_argument("--overwrite", action="store_true", help="replace FILE where it is there")
    simulate = kinds.add_parser(
        "simulate", help="make events from a video or a folder of images",
        description="Make the events that a sensor would have sent for a video, a folder of images, or the frames of "
        "a recording.",
    )  # fmt: skip
    simulate.set_defaults(command=_simulate)
    simulate.add_argument("source", type=Path, metavar="VIDEO")
    simulate.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="ends in .h5 or .hdf5")
    simulate.add_argument("--sensor", choices=("davis346", "noiseless"), default="davis346", help="default: davis346")
    simulate.add_argument("--threshold", type=float, metavar="C", help="contrast of ON and OFF, in log units")
    simulate.add_argument("--fps", type=float, help="frames a second, where the source does not say")
    simulate.add_argument("--seed", type=_seed, default=0, help="of noise and threshold spread (default: 0)")
    simulate.add_argument("--overwrite", action="store_true", help="replace FILE where it is there")

    commands.add_parser(
        "train", help="train a teacher or student, or distil: snnkd train --config FILE.yaml", add_help=False
    )

    for name, command, text in (
        ("evaluate", _evaluate, "WAR, UAR and recalls of a model on a dataset"),
        ("energy", _energy, "what a model costs per clip of a dataset, layer by layer"),
    ):
        sub = add(name, command, text)
        sub.add_argument("model", metavar="MODEL", help="a model folder, or a Hub id")
        sub.add_argument("--data", type=Path, required=True, metavar="DIR", help="an EyeSim or SEE dataset")
        sub.add_argument("--subset", choices=("train", "val", "test"), default="test")
        sub.add_argument("--json", action="store_true", help="print JSON")
        if name == "energy":
            sub.add_argument("--hardware", default="45nm-fp32", help="a profile's name or YAML file")
            sub.add_argument("--clips", type=_positive, default=64, help="clips to run (default: 64)")

    sub = add("infer", _infer, "emotions over time in recordings")
    sub.add_argument("model", metavar="MODEL", help="a model folder, or a Hub id")
    sub.add_argument("recordings", type=Path, nargs="+", metavar="RECORDING")
    sub.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    return parser


def _positive(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return value


def _seed(text: str) -> int:
    value = int(text) if text.isdigit() else -1
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2**32 - 1, got {text!r}")
    return value


def _demo(options: argparse.Namespace) -> int:
    from snnkd.demo import Settings, run

    run(
        options.output,
        Settings(options.persons, options.takes, options.epochs, options.seed, options.workers),
    )
    return 0


def _info(options: argparse.Namespace) -> int:
    from snnkd.datasets import summary as datasets
    from snnkd.recordings import open_recording
    from snnkd.recordings import summary as recordings

    if datasets.holds_dataset(options.path):
        facts = datasets.describe(options.path)
        text = datasets.table(facts)
    else:
        facts = recordings.describe(open_recording(options.path))
        text = recordings.table(facts)
    print(json.dumps(facts, indent=2) if options.json else text)
    return 0


def _synth(options: argparse.Namespace) -> int:
    from snnkd.datasets.eyesim import generate
    from snnkd.terminal import bar

    with bar() as progress:
        task = progress.add_task("generating", total=None, note="")
        generate(
            options.output,
            persons=options.persons,
            takes=options.takes,
            seed=options.seed,
            size=(options.size, options.size),
            duration_s=options.duration,
            workers=options.workers,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(f"wrote {options.output}")
    return 0


def _convert(options: argparse.Namespace) -> int:
    from snnkd.recordings.convert import convert

    written = convert(options.source, options.destination, overwrite=options.overwrite)
    frames = f", {len(written.frames)} frames" if written.frames is not None else ""
    print(f"wrote {options.destination}: {written.event_count:,} events{frames}")
    return 0


def _simulate(options: argparse.Namespace) -> int:
    import dataclasses

    from snnkd.recordings import SensorModel
    from snnkd.recordings.convert import refuse_existing
    from snnkd.recordings.simulate import simulate_recording
    from snnkd.terminal import bar

    refuse_existing(options.output, options.overwrite, (".h5", ".hdf5"))
    sensor = SensorModel.noiseless() if options.sensor == "noiseless" else SensorModel.davis346()
    given = {"seed": options.seed}
    if options.threshold is not None:
        given |= {"threshold_on": options.threshold, "threshold_off": options.threshold}
    try:
        sensor = dataclasses.replace(sensor, **given)
    except ValueError as error:
        raise RecordingError(f"--threshold: {error}") from error
    if options.fps is not None and not 0 < options.fps < float("inf"):
        raise RecordingError(f"--fps: must be a finite number above 0, got {options.fps}")
    with bar() as progress:
        task = progress.add_task("simulating", total=None, note="")
        made = simulate_recording(
            options.source,
            options.output,
            sensor,
            fps=options.fps,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(f"wrote {options.output}: {made.events:,} events of {made.frames:,} frames")
    return 0


def _train(arguments: list[str]) -> int:
    from snnkd.training import train

    print(f"wrote {train(arguments)}")
    return 0


def _dataset(recognizer: "Recognizer", options: argparse.Namespace) -> "EyeDataset":
    """Open the data as the model's training cut and split it, and refuse to score on persons that trained it."""
    from snnkd.datasets import EMOTIONS, open_dataset
    from snnkd.training.evaluate import refuse_known_persons

    if recognizer.emotions != EMOTIONS:
        raise ModelError(f"{options.model}: its emotions are not the datasets' {', '.join(EMOTIONS)}, in this order")
    for key, kind in (("split", dict), ("training_persons", list)):
        if "population" in recognizer.input and not isinstance(recognizer.input.get(key), kind):
            raise ModelError(f"{options.model}: config.json: input.{key} is missing or no {kind.__name__}")
    clip = {key: recognizer.input[key] for key in ("steps", "window_us", "stride") if key in recognizer.input}
    size = recognizer.network.input_size
    dataset = open_dataset(options.data, options.subset, size=size, **clip)
    if dataset.population == recognizer.input.get("population"):
        split = recognizer.input["split"]
        dataset = open_dataset(options.data, options.subset, size=size, **clip, **split)
    if options.subset != "train":
        refuse_known_persons(recognizer.input, dataset, f"{options.model}: was trained on", "its own split")
    return dataset


def _evaluate(options: argparse.Namespace) -> int:
    from snnkd.inference import load
    from snnkd.training import evaluate

    recognizer = load(options.model)
    dataset = _dataset(recognizer, options)
    scores = evaluate(recognizer.network, dataset)
    if options.json:
        recalls = dict(zip(recognizer.emotions, scores.recalls, strict=True))
        facts = {"clips": len(dataset), "war": scores.war, "uar": scores.uar, "recalls": recalls}
        print(json.dumps({**facts, "confusion": scores.confusion.tolist()}, indent=2))
    else:
        print(scores.table(recognizer.emotions))
    return 0


def _energy(options: argparse.Namespace) -> int:
    from snnkd.datasets import collate
    from snnkd.energy import load_hardware, profile
    from snnkd.inference import load

    hardware = load_hardware(options.hardware)
    recognizer = load(options.model)
    dataset = _dataset(recognizer, options)
    number = min(options.clips, len(dataset))
    batch = collate([dataset[i * len(dataset) // number] for i in range(number)])  # spread over persons and emotions
    report = profile(recognizer.network, batch[recognizer.network.modality], options.hardware)
    if options.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print(report.table())
        rate = "" if report.spike_rate is None else f", {report.spike_rate:.1%} of neurons fire per step"
        print(f"{report.samples} clips{rate}. Constants: {hardware.mac.source}.")
    return 0


def _infer(options: argparse.Namespace) -> int:
    from snnkd.inference import load
    from snnkd.inference.files import infer_files

    recognizer = load(options.model)
    return 0 if infer_files(recognizer, options.recordings, options.output) else 2


if __name__ == "__main__":
    sys.exit(main())
