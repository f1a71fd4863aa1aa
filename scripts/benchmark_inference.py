"""What recognising costs: from file to CSV, offline, live, memory over an hour, and agreement with the network.

Usage: python scripts/benchmark_inference.py [-o FILE] [--recording NEAR_EYE] [--model DIR] [--minutes 60]
       python scripts/benchmark_inference.py --device cuda [-o FILE] [--model DIR]
Offline and live rows are of this process, whose kernels are compiled; file to CSV and memory are of processes of
their own. Without ``--recording`` the first row is left out. On a GPU only live, offline and agreement are measured.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inference_benchmark.material import SENSOR, WINDOW_US, near_eye, spikes_of, student, write_raw
from make_assets import machine

import snnkd
from snnkd.events import Events, bin_events, centre_square
from snnkd.inference import Recognizer, Settings
from snnkd.inference.engine import Dense, EventDriven, make_engine
from snnkd.models import SEENNetwork
from snnkd.recordings import open_recording, write_hdf5

RESULTS = Path(__file__).parents[1] / "assets" / "results"
GOALS = {
    "file_to_csv_s": 4.0,
    "after_load_s": 0.3,
    "times_real_time": 60.0,
    "live_median_ms": 1.5,
    "live_99_ms": 4.0,
    "peak_mb": 700.0,
    "spikes_that_differ": 1e-5,
}
INSIDE = """
import sys, time, warnings
began = time.perf_counter()
from pathlib import Path
import snnkd.recordings
from snnkd.inference import Request, load
from snnkd.inference.files import infer_files
model = load(sys.argv[1]).ready()  # as the command does
loaded = time.perf_counter()
warnings.simplefilter("ignore")
infer_files(model, [Path(sys.argv[2])], Path(sys.argv[3]), Request(plot=False))
print("SECONDS", loaded - began, time.perf_counter() - loaded)
"""


def file_to_csv(model: Path, recording: Path, rounds: int) -> dict[str, Any]:
    """Process start to CSV, and the part after imports and loading the model."""
    whole, after = [], []
    for _ in range(rounds + 1):  # the first compiles
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", INSIDE, str(model), str(recording), folder]
            began = time.perf_counter()
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            whole.append(time.perf_counter() - began)
            after.append(float(out.split("SECONDS")[1].split()[1]))
    return {"file_to_csv_s": statistics.median(whole[1:]), "after_load_s": statistics.median(after[1:])}


def offline(recognizer: Recognizer, path: Path, held: bool, rounds: int) -> dict[str, Any]:
    """Seconds of recording that are read, or ``held`` in memory, and recognised in one second."""
    times = []
    recording = open_recording(path)
    for _ in range(rounds + 1):
        if held:
            assert len(recording.events)
        else:
            recording = open_recording(path)
        began = time.perf_counter()
        timeline = recognizer.recognize(recording)
        times.append(time.perf_counter() - began)
    seconds = recording.duration_us / 1e6
    taken = statistics.median(times[1:])
    return {
        "windows": len(timeline),
        "events": recording.event_count,
        "recording_s": seconds,
        "taken_s": taken,
        "times_real_time": seconds / taken,
    }


def live(recognizer: Recognizer, events: Events, settings: Settings) -> dict[str, float]:
    """From the events of a window to its label, in ms."""
    stream = recognizer.live(SENSOR, 0, None, settings)
    edges = np.arange(0, int(events["t"][-1]), recognizer.step_us)
    cuts = np.searchsorted(events["t"], edges)
    times = []
    for number, (a, b) in enumerate(itertools.pairwise(cuts)):
        window = events[a:b]
        began = time.perf_counter()
        told = [*stream.feed(window), *stream.until(int(edges[number + 1]))]
        times.append((time.perf_counter() - began) * 1e3)
        assert len(told) == 1
    return percentiles(times)


def live_seen(events: Events, device: str = "cpu") -> dict[str, float]:
    """One clip of SEEN's for each window, at its authors' size and four steps, its frames being there already."""
    network = SEENNetwork((90, 90)).eval().to(device)
    frames = torch.rand(4, 1, 1, 90, 90, device=device)
    times = []
    for number in range(40):
        begin = int(np.searchsorted(events["t"], number * WINDOW_US))
        end = int(np.searchsorted(events["t"], (number + 4) * WINDOW_US))
        began = time.perf_counter()
        bins = bin_events(
            events[begin:end], SENSOR, number * WINDOW_US, WINDOW_US, 4, size=(90, 90), crop=centre_square(SENSOR)
        )
        with torch.inference_mode():
            x = torch.from_numpy(bins.astype(np.float32)).unsqueeze(1).to(device)
            network(torch.cat([frames, x], 2)).mean(0).argmax(1).item()
        times.append((time.perf_counter() - began) * 1e3)
    return percentiles(times[5:])


def percentiles(times: list[float]) -> dict[str, float]:
    """Median and 99th percentile in ms."""
    return {"median_ms": float(np.median(times)), "percentile_99_ms": float(np.percentile(times, 99))}


def memory(model: Path, seconds: float, size: int) -> dict[str, float]:
    """Peak memory of the command over a recording of that length and size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.raw"
        write_raw(path, seconds, size)
        command = [sys.executable, "-m", "snnkd.cli", "infer", str(model), str(path), "-o", folder + "/out"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_kib(process.pid))
            time.sleep(0.02)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        return {
            "recording_s": seconds,
            "file_bytes": path.stat().st_size,
            "taken_s": time.perf_counter() - began,
            "peak_mb": peak * 1024 / 1e6,
        }


def peak_kib(pid: int) -> int:
    """The most memory that a process has held; what ``wait4`` tells counts its parent's, too."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")]
    return found[0] if found else 0


def agreement(recognizer: Recognizer, events: Events) -> dict[str, float]:
    """Spikes and labels of the engine beside those of the network's multi-step forward, on the same windows."""
    number = 90
    bins = bin_events(events, SENSOR, 0, WINDOW_US, number, size=(64, 64), crop=centre_square(SENSOR))
    network = recognizer.network.eval()
    x = torch.from_numpy(bins.astype(np.float32)).unsqueeze(1)
    with torch.inference_mode():
        logits = network(x)[:, 0].numpy()
    spikes = spikes_of(network, x)
    engine = EventDriven(network)
    steps = engine.run(bins, engine.rest())
    one, state = [], engine.rest()
    for t in range(number):  # window by window
        one.append(engine.run(bins[t : t + 1], state).logits)
    maps = engine.spike_maps(bins, engine.rest())
    differ = sum(int((a != b).sum()) for a, b in zip(maps, spikes, strict=True))
    neurons = sum(each.size for each in maps)
    return {
        "neuron_steps": neurons,
        "spike_rate": sum(int(each.sum()) for each in maps) / neurons,
        "spikes_that_differ": differ / max(sum(int(each.sum()) for each in maps), 1),
        "labels_that_differ": int((steps.logits.argmax(1) != logits.argmax(1)).sum()),
        "bits_by_window_and_at_once_equal": bool(np.array_equal(np.concatenate(one), steps.logits)),
    }


def on_gpu(model: Path, events: Events, folder: Path, rounds: int) -> dict[str, Any]:
    """Live, offline and agreement of the student on a GPU; the same machine's processor beside it."""
    cpu, gpu = snnkd.load(model), snnkd.load(model)
    gpu.network.to("cuda")
    raw = folder / "events.raw"
    write_raw(raw, 20.0, int(20 * 4 * (1e6 + 15_625)))
    bins = bin_events(events, SENSOR, 0, WINDOW_US, 90, size=(64, 64), crop=centre_square(SENSOR))
    engines = {
        "graph": make_engine(gpu.network),
        "together": Dense(gpu.network),
        "event-driven": EventDriven(cpu.network),
    }
    told = {}
    for name, engine in engines.items():
        state, each = engine.rest(), 1 if name == "graph" else len(bins)
        told[name] = np.concatenate([engine.run(bins[t : t + each], state).logits for t in range(0, len(bins), each)])
    return {
        "device": torch.cuda.get_device_name(),
        "agreement": {
            name: {
                "labels_that_differ": int((logits.argmax(1) != told["event-driven"].argmax(1)).sum()),
                "largest_difference": float(np.abs(logits - told["event-driven"]).max()),
                "windows": len(logits),
            }
            for name, logits in told.items()
        },
        "live": {
            "graph": live(gpu, events, Settings()),
            "dense": live(gpu, events, Settings(backend="dense")),
            "event-driven, processor": live(cpu, events, Settings()),
            "SEEN": live_seen(events, "cuda"),
        },
        "offline": {
            "gpu": offline(gpu, raw, True, rounds),
            "event-driven, processor": offline(cpu, raw, True, rounds),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--recording", type=Path, help="the near-eye recording of 5.4 s")
    parser.add_argument("--model", type=Path, help="a small student; one that was not trained when left out")
    parser.add_argument("--rate", type=float, default=0.091, help="spike rate of a student that was not trained")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the long recording")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    shipped = Path(__file__).parents[1] / "assets" / "student"
    result: dict[str, Any] = {"machine": machine(), "goals": GOALS}
    with tempfile.TemporaryDirectory() as folder:
        events = near_eye(20.0, 1e6)
        model = options.model or student(events, Path(folder) / "model", options.rate)
        recognizer = snnkd.load(model)
        result["trained"] = options.model is not None
        if options.device == "cuda":
            write(options.output or RESULTS / "inference-cuda.json", result | on_gpu(model, events, Path(folder), 3))
            return
        result["agreement"] = agreement(recognizer, events)
        print("agreement", result["agreement"])
        result["live"] = {
            "event-driven": live(recognizer, events, Settings()),
            "dense": live(recognizer, events, Settings(backend="dense")),
            "SEEN": live_seen(events),
        }
        print("live", result["live"])
        result["offline"] = {}
        raw, hdf5 = Path(folder) / "events.raw", Path(folder) / "events.h5"
        write_raw(raw, 20.0, int(20 * 4 * (1e6 + 15_625)))
        write_hdf5(hdf5, events, SENSOR)
        del events
        for name, path in {"EVT2": raw, "HDF5 (compressed)": hdf5, "memory": raw}.items():
            result["offline"][name] = offline(recognizer, path, name == "memory", options.rounds)
            print("offline", name, result["offline"][name])
        if options.recording is not None:
            result["near_eye"] = file_to_csv(shipped, options.recording, options.rounds)
            print("near-eye", result["near_eye"])
        result["memory"] = [
            memory(model, 60 * options.minutes / part, int(2e9 * options.minutes / 60 / part)) for part in (4, 1)
        ]
        print("memory", result["memory"])
    write(options.output or RESULTS / "inference.json", result)


def write(path: Path, result: dict[str, Any]) -> None:
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
