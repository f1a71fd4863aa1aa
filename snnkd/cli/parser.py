"""What can be typed after ``snnkd``."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from snnkd import __version__
from snnkd.cli import cache, energy, evaluation, infer, models, recordings, types
from snnkd.datasets.labels import LIGHTINGS
from snnkd.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of the library's are."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        raise ConfigError(f"{message.removeprefix('argument ')} (see {self.prog} --help)")


SENSORS = ("davis346", "davis346_near_eye", "noiseless", "clean", "noisy")
"""The presets of SensorModel."""

FIELDS: dict[str, tuple[Callable[[str], float], str, str]] = {
    "threshold_on": (types.number, "C", "contrast of an ON event, in log units"),
    "threshold_off": (types.number, "C", "contrast of an OFF event, in log units"),
    "threshold_spread": (types.number, "C", "standard deviation of both over the pixels, in log units"),
    "linear_below": (types.number, "DN", "grey level up to which the response is linear"),
    "cutoff_hz": (types.number, "HZ", "bandwidth of the photoreceptor at grey level 255; 0 is without limit"),
    "refractory_us": (types.microseconds, "US", "shortest time between two events of a pixel"),
    "leak_rate_hz": (types.number, "HZ", "leak events per pixel and second"),
    "leak_jitter": (types.number, "PART", "standard deviation of the time between two, as a part of it"),
    "leak_spread_decades": (types.number, "D", "standard deviation of the leak rate over the pixels, in decades"),
    "shot_noise_hz": (types.number, "HZ", "shot noise events per pixel and second in the dark"),
}
"""The fields of SensorModel but ``seed``: type, unit and meaning."""


def make_parser() -> Parser:
    """Return the parser of all commands but ``train``, which parses its own arguments."""
    parser = Parser(
        prog="snnkd", description="Emotions from one eye: an SNN student on events, taught by an ANN on frames."
    )
    parser.add_argument("--version", action="version", version=f"snnkd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> Parser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=command)
        return sub

    sub = add("demo", models.demo, "everything below, small, on the synthetic dataset, with no download")
    sub.add_argument("-o", "--output", type=Path, default=Path("demo"), metavar="DIR", help="default: demo")
    sub.add_argument("--persons", type=types.positive, default=48, help="synthetic persons (default: 48)")
    sub.add_argument("--takes", type=types.positive, default=2, help="takes per person and emotion (default: 2)")
    sub.add_argument("--epochs", type=types.positive, default=30, help="epochs of each training (default: 30)")
    sub.add_argument("--seed", type=types.seed, default=2, help="of persons and training (default: 2)")
    sub.add_argument("--workers", type=types.positive, default=2, help="processes that make data (default: 2)")

    sub = add("info", recordings.info, "what is in recordings, datasets or models")
    sub.add_argument(
        "paths", type=Path, nargs="+", metavar="FILE", help="a recording, or the folder of a dataset or a model"
    )
    sub.add_argument("--json", action="store_true", help="print JSON; of several files, a list")
    sub.add_argument("--check", action="store_true", help="of datasets: all that is missing, broken or does not fit")
    sub.add_argument("--images", action="store_true", help="with --check: read every image and event too")
    _add_reading(sub)

    _add_data(commands.add_parser("data", help="make datasets and recordings", description="Make data."))
    commands.add_parser(
        "train", help="train a teacher or student, or distil: snnkd train --config FILE.yaml", add_help=False
    )
    _add_evaluate(add("evaluate", evaluation.evaluate, "scores of a model on a dataset, or of prediction files"))
    _add_energy(add("energy", energy.energy, "what a model costs per clip of a dataset, layer by layer"))

    infer.add_arguments(add("infer", infer.infer, "emotions over time in recordings"))
    return parser


def _add_energy(parser: Parser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a model folder, or a Hub id")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a dataset's folder")
    parser.add_argument("--subset", choices=("train", "val", "test"), default="test")
    parser.add_argument(
        "--hardware", type=lambda text: text.split(","), default=["45nm-fp32"], metavar="NAME[,NAME…]",
        help="profiles' names or YAML files (default: 45nm-fp32)",
    )  # fmt: skip
    parser.add_argument(
        "--list-hardware", action="store_true", help="list the profiles, constants and sources, and end"
    )
    parser.add_argument("--against", metavar="MODEL", help="another model beside it (default: its teacher, if there)")
    parser.add_argument(
        "--method", choices=("exact", "rate"), default="exact",
        help="count exactly, or rate × FLOPs as papers do (an approximation, to compare with their tables)",
    )  # fmt: skip
    parser.add_argument("--clips", type=types.positive, metavar="N", help="clips to run (default: all of the subset)")
    parser.add_argument("--batch-size", type=types.positive, default=16, metavar="N", help="at once (default: 16)")
    parser.add_argument("--measure", action="store_true", help="tell what this machine draws, too, where it can")
    parser.add_argument("--json", action="store_true", help="print JSON; of several profiles a list")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write JSON, CSV and a picture each here")


def _add_evaluate(parser: Parser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a model folder, or a Hub id")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the dataset; with --predictions it may be left out")
    parser.add_argument(
        "--predictions", type=Path, nargs="+", metavar="FILE", help="files in the form of SEE's authors, one a run"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="count sequences that prediction files lack as wrong"
    )
    group = parser.add_argument_group("what is scored")
    group.add_argument("--subset", choices=("train", "val", "test", "all"), help="default: test")
    group.add_argument("--split", metavar="NAME", help="default: the model's own, else the dataset's")
    group.add_argument("--fold", type=types.index, metavar="K", help="of the split")
    group.add_argument("--folds", type=types.positive, metavar="N", help="of the split")
    group.add_argument("--person-fold", type=types.index, metavar="K", help="of leave-one-lighting-out")
    group.add_argument("--split-seed", type=types.seed, metavar="SEED", help="that dealt the persons into folds")
    group = parser.add_argument_group("how a model is asked")
    group.add_argument(
        "--protocol",
        choices=("whole", "centre", "random-starts"),
        help="the whole sequence in clips, one from its centre, or one clip a run from a random start (default: whole)",
    )
    group.add_argument("--starts", type=types.positive, metavar="N", help="runs of random-starts (default: 20)")
    group.add_argument("--batch-size", type=types.positive, metavar="N", help="clips at once (default: 32)")
    group.add_argument(
        "--early-exit", type=types.share, nargs="?", const=0.01, metavar="LOSS",
        help="tell what stopping at a sure answer saves; the threshold is chosen on validation persons so that UAR "
        "falls by no more than LOSS there (default: 0.01)",
    )  # fmt: skip
    parser.add_argument("--seed", type=types.seed, default=0, help="of random starts and intervals (default: 0)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write predictions, scores.json and pictures here"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that DIR holds already")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_reading(parser: Parser) -> None:
    """What a file may not tell of itself: the options of ``open_recording``."""
    group = parser.add_argument_group("what the file does not tell")
    group.add_argument("--unit", choices=("s", "ms", "us", "ns"), help="unit of time of text, arrays, foreign HDF5")
    group.add_argument("--columns", type=types.columns, metavar="txyp", help="order of a text's columns, - for others")
    group.add_argument("--sensor-size", type=types.size, metavar="WxH", help="size of the sensor in pixels")
    group.add_argument(
        "--camera", choices=("DVS128", "DAVIS240", "DAVIS346", "DAVIS640"), help="what made an AEDAT2 file"
    )
    group.add_argument("--fps", type=types.rate, help="frames a second of a video or a folder of images")


def _add_cache(parser: Parser) -> None:
    parser.set_defaults(command=cache.cache)
    parser.add_argument("dataset", type=Path, metavar="DIR", help="the dataset")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), metavar="DIR", help="default: runs/cache")
    parser.add_argument("--size", type=types.side, metavar="N|WxH", help="the networks' input size, in pixels")
    parser.add_argument("--window-us", type=types.positive, metavar="US", help="length of a window")
    parser.add_argument("--workers", type=types.positive, default=2, help="processes that read (default: 2)")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--list", action="store_true", help="read nothing")
    group.add_argument(
        "--clear", action="store_true", help="remove the dataset's caches, or those of this --size and --window-us"
    )


def _add_data(parser: Parser) -> None:
    kinds = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    synth = kinds.add_parser("synth", help="write a synthetic EyeSim dataset", description="Write an EyeSim dataset.")
    synth.set_defaults(command=models.synth)
    synth.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    synth.add_argument("--persons", type=types.positive, default=60, help="default: 60")
    synth.add_argument("--takes", type=types.positive, default=2, help="takes per person and emotion (default: 2)")
    synth.add_argument(
        "--lighting", dest="lightings", nargs="+", choices=LIGHTINGS, default=LIGHTINGS, metavar="NAME",
        help=f"lightings that takes are dealt to: {', '.join(LIGHTINGS)} (default: all four)",
    )  # fmt: skip
    synth.add_argument(
        "--layout", choices=("recordings", "see"), default="recordings", help="default: recordings (HDF5)"
    )
    synth.add_argument("--size", type=types.side, default=(128, 128), metavar="N|WxH", help="pixels (default: 128)")
    synth.add_argument(
        "--duration", type=types.duration, default=1.5, metavar="S", help="seconds a take (default: 1.5)"
    )
    synth.add_argument("--seed", type=types.seed, default=0, help="of the persons and all that they do (default: 0)")
    synth.add_argument("--workers", type=types.positive, default=2, help="processes (default: 2)")

    _add_cache(
        kinds.add_parser(
            "cache",
            help="read a dataset once for all trainings; list or remove what was read",
            description="Read the windows of all sequences of a dataset into a clip cache, from which trainings take "
            "them, and list the caches that the dataset has. Trainings do so by themselves before their first epoch.",
        )
    )
    convert = kinds.add_parser(
        "convert",
        help="write a recording of any format as HDF5 or NPZ",
        description="Write a recording of any format as HDF5 or NPZ, with its events, frames and metadata.",
    )
    convert.set_defaults(command=recordings.convert)
    convert.add_argument("source", type=Path, metavar="RECORDING")
    convert.add_argument("destination", type=Path, metavar="FILE", help="ends in .h5, .hdf5 or .npz")
    convert.add_argument("--overwrite", action="store_true", help="replace FILE where it is there")
    _add_reading(convert)
    simulate = kinds.add_parser(
        "simulate",
        help="make events from a video or a folder of images",
        description="Make the events that a sensor would have sent for a video, a folder of images, or the frames of "
        "a recording. The preset gives every parameter of the sensor; what is named below takes its place.",
    )
    simulate.set_defaults(command=recordings.simulate)
    simulate.add_argument("source", type=Path, metavar="VIDEO")
    simulate.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="ends in .h5 or .hdf5")
    simulate.add_argument("--overwrite", action="store_true", help="replace FILE where it is there")
    simulate.add_argument("--fps", type=types.rate, help="frames a second, where the source does not say")
    group = simulate.add_argument_group("the sensor")
    group.add_argument("--sensor", choices=SENSORS, default=SENSORS[0], help=f"preset (default: {SENSORS[0]})")
    group.add_argument("--seed", type=types.seed, default=0, help="of noise and threshold spread (default: 0)")
    group.add_argument("--threshold", type=types.number, metavar="C", help="both contrasts at once, ON as OFF")
    for name, (kind, unit, text) in FIELDS.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=unit, help=text)
