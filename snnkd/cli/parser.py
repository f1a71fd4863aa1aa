"""What can be typed after ``snnkd``."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from snnkd import __version__
from snnkd.cli import models, recordings, types
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
    sub.add_argument("--takes", type=types.positive, default=1, help="takes per person and emotion (default: 1)")
    sub.add_argument("--epochs", type=types.positive, default=20, help="epochs of each training (default: 20)")
    sub.add_argument("--seed", type=types.seed, default=2, help="of persons and training (default: 2)")
    sub.add_argument("--workers", type=types.positive, default=2, help="processes that make data (default: 2)")

    sub = add("info", recordings.info, "what is in recordings or datasets")
    sub.add_argument("paths", type=Path, nargs="+", metavar="FILE", help="a recording, or a dataset's folder")
    sub.add_argument("--json", action="store_true", help="print JSON; of several files, a list")
    _add_reading(sub)

    _add_data(commands.add_parser("data", help="make datasets and recordings", description="Make data."))
    commands.add_parser(
        "train", help="train a teacher or student, or distil: snnkd train --config FILE.yaml", add_help=False
    )
    for name, command, text in (
        ("evaluate", models.evaluate, "WAR, UAR and recalls of a model on a dataset"),
        ("energy", models.energy, "what a model costs per clip of a dataset, layer by layer"),
    ):
        sub = add(name, command, text)
        sub.add_argument("model", metavar="MODEL", help="a model folder, or a Hub id")
        sub.add_argument("--data", type=Path, required=True, metavar="DIR", help="an EyeSim or SEE dataset")
        sub.add_argument("--subset", choices=("train", "val", "test"), default="test")
        sub.add_argument("--json", action="store_true", help="print JSON")
        if name == "energy":
            sub.add_argument("--hardware", default="45nm-fp32", help="a profile's name or YAML file")
            sub.add_argument("--clips", type=types.positive, default=64, help="clips to run (default: 64)")

    sub = add("infer", models.infer, "emotions over time in recordings")
    sub.add_argument("model", metavar="MODEL", help="a model folder, or a Hub id")
    sub.add_argument("recordings", type=Path, nargs="+", metavar="RECORDING")
    sub.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    return parser


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


def _add_data(parser: Parser) -> None:
    kinds = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    synth = kinds.add_parser("synth", help="write a synthetic EyeSim dataset", description="Write an EyeSim dataset.")
    synth.set_defaults(command=models.synth)
    synth.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    synth.add_argument("--persons", type=types.positive, default=60)
    synth.add_argument("--takes", type=types.positive, default=2)
    synth.add_argument("--size", type=types.positive, default=64, help="frame height and width in pixels (default: 64)")
    synth.add_argument("--duration", type=types.duration, default=1.0, metavar="S", help="seconds a take (default: 1)")
    synth.add_argument("--seed", type=types.seed, default=0)
    synth.add_argument("--workers", type=types.positive, default=2, help="processes (default: 2)")

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
