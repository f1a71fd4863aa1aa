"""Time the readers, the binning and the sensor model in one run, and write assets/results/recordings.json.

Files are made in a temporary folder by other code than that which reads them: RAW formats by the encoders of the tests,
AEDAT4 by dv-processing where it is installed. A peer that is not installed, or that fails on a file, has no row.
Every figure is the median of several passes; ours and a peer's take turns. The sensor model has all its noise on, and
300 frames for each second of an eye that looks about.

Usage: python scripts/benchmark_recordings.py [--events 3] [--passes 7] [--large] [-o FILE]
(--large: windows over 500 million events as EVT3 and HDF5 too, some 8 GB of disk and a quarter of an hour)
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmark_scenes import edges, near_eye

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "recordings")]

import encoders  # noqa: E402

from snnkd.events import bin_events  # noqa: E402
from snnkd.recordings import EventSimulator, SensorModel, open_recording, write_hdf5  # noqa: E402
from snnkd.recordings.evbeye import RECORD  # noqa: E402

SENSOR = (346, 260)
GOALS = {"AEDAT4": 20, "EVT3": 60, "EVT2": 25, "EVBEYE": 50}
"""Millions of events a second that a reader has to reach."""


def write_evbeye(path: Path, events: Any) -> None:
    records = np.empty(len(events), RECORD)
    for name in "pxyt":
        records[name] = events[name]
    records.tofile(path)


def write_aedat4(path: Path, events: Any) -> bool:
    """Write with iniVation's own library; whether it is installed."""
    try:
        import dv_processing as dv
    except ImportError:
        return False
    config = dv.io.MonoCameraWriter.EventOnlyConfig("DAVIS346_made", SENSOR)
    writer = dv.io.MonoCameraWriter(str(path), config)
    for begin in range(0, len(events), 10_000):
        store = dv.EventStore()
        for x, y, t, p in events[begin : begin + 10_000].tolist():
            store.push_back(t, x, y, p)
        writer.writeEvents(store)
    del writer
    return True


def ours(path: Path) -> int:
    return sum(len(chunk) for chunk in open_recording(path).chunks())


def peers(path: Path, kind: str) -> dict[str, Callable[[], int]]:
    """What other readers there are for a file."""
    found: dict[str, Callable[[], int]] = {}
    try:
        import expelliarmus

        wizard = expelliarmus.Wizard(encoding=kind.lower())
        found["expelliarmus"] = lambda: len(wizard.read(str(path)))
    except (ImportError, ValueError):
        pass
    if kind == "EVT3":
        try:
            import evt3

            found["evt3"] = lambda: len(evt3.decode_file(str(path)))
        except (ImportError, AttributeError):
            pass
    if kind == "AEDAT4":
        import aedat

        def decode() -> int:
            return sum(len(packet["events"]) for packet in aedat.Decoder(path) if "events" in packet)

        found["aedat"] = decode
    return found


def turns(calls: dict[str, Callable[[], Any]], passes: int) -> dict[str, list[float]]:
    """Seconds of each call, in turns, after one that is not counted; a call that fails is left out."""
    working = {}
    for name, call in calls.items():
        try:
            call()
            working[name] = call
        except Exception as error:
            print(f"  {name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    times: dict[str, list[float]] = {name: [] for name in working}
    for _ in range(passes):
        for name, call in working.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return times


def readers(folder: Path, count: int, passes: int) -> list[dict[str, Any]]:
    events = edges(count, SENSOR)
    columns = [events[name] for name in "xytp"]
    rows = []
    files: dict[str, Callable[[Path], Any]] = {
        "EVBEYE": lambda path: write_evbeye(path, events),
        "EVT2": lambda path: path.write_bytes(encoders.EVT2_HEADER + bytes(encoders.evt2(*columns))),
        "EVT3": lambda path: path.write_bytes(encoders.EVT3_HEADER + bytes(encoders.evt3(*columns))),
        "DAT": lambda path: path.write_bytes(encoders.DAT_HEADER + bytes(encoders.dat(*columns))),
        "snnkd HDF5": lambda path: write_hdf5(path, events, SENSOR),
        "AEDAT4": lambda path: write_aedat4(path, events[: count // 4]),
    }
    endings = {"EVBEYE": "aerdat", "DAT": "dat", "snnkd HDF5": "h5", "AEDAT4": "aedat4"}
    for kind, write in files.items():
        path = folder / f"made.{endings.get(kind, 'raw')}"
        if write(path) is False:
            print(f"{kind:12} unmeasured: dv-processing is not installed")
            continue
        size, number = path.stat().st_size, ours(path)
        times = turns({"snnkd": lambda path=path: ours(path), **peers(path, kind)}, passes)
        path.unlink()
        for name, found in times.items():
            rate = number / statistics.median(found) / 1e6
            rows.append({"format": kind, "reader": name, "events": number, "bytes": size, "seconds": found,
                         "million_events_per_second": rate, "goal": GOALS.get(kind)})  # fmt: skip
            print(f"{kind:12} {name:14} {rate:8.1f} million events a second")
    return rows


def binning(passes: int) -> dict[str, Any]:
    """5 million events to 300×2×260×346, against tonic's ToFrame."""
    events = edges(5_000_000, SENSOR)
    events["t"] = events["t"] * 10_000_000 // max(int(events["t"][-1]), 1)
    window = int(events["t"][-1]) // 300 + 1
    calls: dict[str, Callable[[], Any]] = {"snnkd": lambda: bin_events(events, SENSOR, 0, window, 300)}
    try:
        from tonic.transforms import ToFrame

        to_frame = ToFrame(sensor_size=(*SENSOR, 2), n_time_bins=300)
        calls["tonic"] = lambda: to_frame(events)
    except ImportError:
        print("  tonic is not installed")
    times = turns(calls, passes)
    medians = {name: statistics.median(found) for name, found in times.items()}
    ratio = medians["tonic"] / medians["snnkd"] if "tonic" in medians else None
    print(f"binning: {medians}, {ratio} times tonic")
    return {"seconds": times, "times_tonic": ratio, "goal": 6}


def sensor_model(passes: int, count: int = 600, rate_hz: int = 300) -> list[dict[str, Any]]:
    """Frames a second that the sensor model takes in, at 346×260 with all noise on, of uint8 and of float32."""
    noise = {"threshold_spread": 0.03, "cutoff_hz": 200, "leak_rate_hz": 0.1, "leak_jitter": 0.1, "shot_noise_hz": 1}
    sensor = SensorModel(0.2, 0.2, refractory_us=67, **noise)
    film, times = near_eye(count, rate_hz, SENSOR), np.arange(count) * 1_000_000 // rate_hz
    made: dict[str, int] = {}

    def simulate(kind: str, frames: Any) -> None:
        simulator = EventSimulator(sensor, film.shape[1:])
        made[kind] = sum(len(simulator.step(frame, t)) for frame, t in zip(frames, times, strict=True))

    films = {"uint8": film.round().astype(np.uint8), "float32": film}
    found = turns({kind: partial(simulate, kind, frames) for kind, frames in films.items()}, passes)
    rows = []
    for kind, seconds in found.items():
        rate = count / statistics.median(seconds)
        per_s = made[kind] / (times[-1] * 1e-6)
        rows.append({"frames": kind, "count": count, "seconds": seconds, "frames_per_second": rate, "goal": 300,
                     "events": made[kind], "events_per_simulated_second": per_s})  # fmt: skip
        print(f"sensor model {kind:8} {rate:6.0f} frames a second, {per_s / 1e6:.2f} million events in each of a scene")
    return rows


WINDOWS = """
import json, re, sys, time
from pathlib import Path
from snnkd.recordings import open_recording
began, events, windows = time.perf_counter(), 0, 0
for window in open_recording(sys.argv[1]):
    events, windows = events + len(window.events), windows + 1
# Not ru_maxrss, which on Linux begins at what the process that started this one has used.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"events": events, "windows": windows, "seconds": time.perf_counter() - began, "peak_bytes": peak}))
"""


def large(folder: Path) -> list[dict[str, Any]]:
    """Windows over 500 million events, in a process of their own whose memory is looked at."""
    from snnkd.recordings.hdf5_writer import Hdf5Writer

    # Ten million events, encoded once, over one turn of EVT3's clock: the next ten million begin where it wraps.
    part = edges(10_000_000, SENSOR)
    turn = 1 << 24
    part["t"] = part["t"] * (turn - 1) // int(part["t"][-1])
    words = bytes(encoders.evt3(*(part[name] for name in "xytp")))
    raw, h5 = folder / "large.raw", folder / "large.h5"
    with raw.open("wb") as file, Hdf5Writer(h5, SENSOR) as writer:
        file.write(encoders.header("evt 3.0", f"geometry {SENSOR[0]}x{SENSOR[1]}"))
        for i in range(50):
            file.write(words)
            moved = part.copy()
            moved["t"] += i * turn
            writer.append(moved)
    rows = []
    for path in (raw, h5):
        done = subprocess.check_output([sys.executable, "-c", WINDOWS, path], text=True, cwd=ROOT)
        rows.append({"file": path.suffix, "bytes": path.stat().st_size, **json.loads(done)})
        print(rows[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=3, help="millions in each file (default: 3)")
    parser.add_argument("--passes", type=int, default=7)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "assets" / "results" / "recordings.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = {
            "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__},
            "readers": readers(Path(folder), options.events * 1_000_000, options.passes),
            "binning": binning(options.passes),
            "sensor_model": sensor_model(options.passes),
        }
        if options.large:
            result["large"] = large(Path(folder))
    result["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Wrote {options.output}")


if __name__ == "__main__":
    main()
