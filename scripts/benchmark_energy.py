"""What profiling costs: time and memory of a profiled forward pass beside a plain one, in turn, in one run.

Usage: python scripts/benchmark_energy.py [-o FILE] [--rounds 15] [--threads 1]
Peak memory is that of processes of their own, less what they hold before the pass.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from make_assets import machine

from snnkd.energy.counting import Counter
from snnkd.models import EventStudent, EyeNetwork, FrameTeacher, SEENNetwork

RESULTS = Path(__file__).parents[1] / "assets" / "results" / "energy.json"
NETWORKS: dict[str, tuple[type[EyeNetwork], dict[str, Any]]] = {
    "nano student": (EventStudent, {"size": "nano"}),
    "small student": (EventStudent, {"size": "small"}),
    "teacher": (FrameTeacher, {}),
    "SEEN": (SEENNetwork, {"input_size": (64, 64)}),
}
STEPS, BATCH = 15, 16
GOALS = {"time": 2.0, "memory": 1.2}


def made(name: str) -> tuple[EyeNetwork, torch.Tensor]:
    """A network whose neurons fire, and a batch for it."""
    kind, options = NETWORKS[name]
    torch.manual_seed(0)
    network = kind(**options).eval()
    width, height = network.input_size
    frames = torch.rand(STEPS, BATCH, 1, height, width)
    events = (torch.rand(STEPS, BATCH, 2, height, width) < 0.05).float()
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key.endswith("threshold"):
                value.fill_(0.1)
    return network, network.take({"frames": frames, "events": events})


@torch.no_grad()
def times(name: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of plain and of profiled passes, in turn."""
    network, x = made(name)
    found: dict[str, list[float]] = {"plain": [], "profiled": []}
    for number in range(rounds + 2):
        began = time.perf_counter()
        network(x)
        middle = time.perf_counter()
        with Counter(network):
            network(x)
        if number >= 2:  # kernels are compiled and the allocator has settled
            found["plain"].append(middle - began)
            found["profiled"].append(time.perf_counter() - middle)
    return found


@torch.no_grad()
def peak(name: str, profiled: bool) -> None:
    """Print how far one pass raised this process's memory."""
    network, x = made(name)
    network(x[:2, :1])
    with Counter(network):
        network(x[:2, :1])
    before = _highest()
    if profiled:
        with Counter(network):
            network(x)
    else:
        network(x)
    held = sum(p.numel() * p.element_size() for p in (*network.parameters(), x)) / 1024
    print(_highest() - before + held)


def _highest() -> int:
    """Most memory that this process had, in KiB; what ``getrusage`` tells a child begins at its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def memory(name: str, profiled: bool, threads: int) -> float:
    """Peak memory of a pass in KiB: weights, input, and what the pass adds; the median of three processes."""
    command = [
        sys.executable,
        __file__,
        "--threads",
        str(threads),
        "--peak",
        name,
        *(["--profiled"] if profiled else []),
    ]
    return statistics.median(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(3))


def main() -> None:
    """Measure all and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--profiled", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak:
        peak(options.peak, options.profiled)
        return
    rows = []
    for name in NETWORKS:
        seconds = times(name, options.rounds)
        plain, profiled = (memory(name, each, options.threads) for each in (False, True))
        pairs = [b / a for a, b in zip(seconds["plain"], seconds["profiled"], strict=True)]
        rows.append(
            {
                "network": name,
                "plain_s": statistics.median(seconds["plain"]),
                "profiled_s": statistics.median(seconds["profiled"]),
                "times": statistics.median(pairs),
                "plain_kib": plain,
                "profiled_kib": profiled,
                "memory_times": profiled / plain,
            }
        )
        print(f"{name:<16} time {rows[-1]['times']:.2f}×  memory {rows[-1]['memory_times']:.2f}×")
    result = {
        "machine": machine(),
        "steps": STEPS,
        "batch": BATCH,
        "rounds": options.rounds,
        "goals": GOALS,
        "rows": rows,
    }
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
