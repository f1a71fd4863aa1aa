"""Time the spiking core against its peers, all in one run, and write assets/results/spiking-DEVICE.json.

The contenders of a case take turns, several rounds of them: a busy moment of the machine falls on all alike. Times are
the median and the minimum of each measurement; of the rounds, the medians' median and the minima's minimum. On a CPU
every measurement is a process of its own, as what one leaves of memory changes the next one's page faults; on a GPU one
process takes all of them, and gives its memory back in between.

Usage: python scripts/benchmark_spiking.py [--peers FOLDER] [--device cpu|cuda] [--rounds 3] [--only CASE] [-o FILE]
(--peers: an environment made by scripts/spiking_benchmark/setup.sh; made there if it does not exist)
       [--without NAME ...]: contenders to leave out, such as a peer that cannot be installed there; the file says so
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "scripts" / "spiking_benchmark"
LIBRARIES = ["snnkd", "spikingjelly", "snntorch", "norse", "reference", "compiled_reference"]
PEERS = LIBRARIES[1:4]
NEURON = [16, 16, 32, 32, 32]
FEW = ["snnkd", "spikingjelly", "snnkd_two_bit"]
LARGE = [32, 64, 65536]
STUDENT_LAYERS = [[8, 32, 16, 48, 48], [8, 32, 32, 24, 24], [8, 32, 64, 12, 12], [8, 32, 128, 6, 6]]


def jobs(device: str, without: list[str]) -> list[dict[str, Any]]:
    """Every case with its contenders; the first one named is what the others are set against."""
    half = ["bfloat16"] if device == "cpu" else ["bfloat16", "float16"]
    cases = [
        {"case": "lif", "shape": NEURON, "dtype": "float32", "contenders": [*LIBRARIES, "snnkd_two_bit"]},
        *({"case": "lif", "shape": NEURON, "dtype": d, "contenders": FEW} for d in half),
        {"case": "lif", "shape": LARGE, "dtype": "float32", "contenders": ["snnkd", "spikingjelly", "snntorch"]},
        {"case": "lif", "shape": LARGE, "dtype": "bfloat16", "contenders": FEW},
        {"case": "linear", "shape": [500, 16, 512], "dtype": "float32", "contenders": LIBRARIES[:4]},
        {"case": "linear", "shape": [500, 16, 4096], "dtype": "float32", "contenders": LIBRARIES[:4]},
        *(
            {"case": "norm", "shape": s, "dtype": d, "channels_last": True, "contenders": ["norm_lif", "norm_then_lif"]}
            for s in STUDENT_LAYERS
            for d in ("float32", "bfloat16")
        ),
        *(
            {"case": "student", "shape": [8, 32, 96], "dtype": d, "contenders": ["snnkd", "snnkd_packed", "snntorch"]}
            for d in ("float32", "bfloat16")
        ),
    ]  # fmt: skip
    for case in cases:
        case["contenders"] = [name for name in case["contenders"] if name not in without]
    # A GPU is not shared with others, and its calls take a fraction of a CPU's.
    return [{**case, "device": device, "seconds": 1.0 if device == "cpu" else 0.3} for case in cases]


class Workers:
    """Where jobs are run: a process for each, or on a GPU one for all."""

    def __init__(self, python: Path, lasting: bool) -> None:
        # Waiting threads that spin would take the cores from whoever else is on this machine, and time slices from us.
        self._environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        self._environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._python, self._lasting = python, lasting
        self._process: subprocess.Popen[str] | None = None

    def measure(self, job: dict[str, Any]) -> dict[str, Any]:
        """The result of a job; where its process fails, it has said why."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [self._python, FOLDER / "worker.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=self._environment,
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not self._lasting or not line:
            self._process.stdin.close()
            self._process.wait()
            self._process = None
        if not line:
            raise SystemExit(f"{job['contender']} on {job['case']} {job['shape']} failed, as said above")
        return json.loads(line)


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """One row out of the rounds."""
    row = {name: value for name, value in results[-1].items() if not isinstance(value, dict)}
    for name in ("times", "bound"):
        if name in results[0]:
            row[name] = {
                "median": statistics.median(r[name]["median"] for r in results),
                "minimum": min(r[name]["minimum"] for r in results),
                "rounds": [r[name]["median"] for r in results],
            }
    return row


def compare(workers: Workers, case: dict[str, Any], rounds: int) -> list[dict[str, Any]]:
    """Measure the contenders of a case in turns."""
    # Ours keeps freed memory, as its training does; the others run as they come, and two of them with it as well.
    turns = [(name, name.startswith(("snnkd", "norm", "reference", "compiled"))) for name in case["contenders"]]
    if case["device"] == "cpu" and case["case"] in ("lif", "student") and case["shape"] != LARGE:
        turns += [(name, True) for name in ("spikingjelly", "snntorch") if name in case["contenders"]]
    job = {name: value for name, value in case.items() if name != "contenders"}
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {turn: [] for turn in turns}
    for _ in range(rounds):
        for name, keep in turns:
            found[name, keep].append(workers.measure({**job, "contender": name, "keep_memory": keep}))
    rows = [{"contender": name, "keeps_memory": keep, **summary(found[name, keep])} for name, keep in turns]
    first = rows[0]["times"]["median"]
    for row in rows:
        row["times_ours"] = row["times"]["median"] / first
        if "bound" in row:
            row["times_bound"] = row["times"]["median"] / row["bound"]["median"]
        print(f"{case['case']:8} {case['shape']!s:22} {case['dtype']:9} {row['contender']:18}"
              f"{'kept memory' if row['keeps_memory'] else '':12} {row['times']['median'] * 1e3:9.2f} ms"
              f" {row['times_ours']:7.2f} x ours  {row.get('times_bound', float('nan')):6.2f} x bound"
              f" {row['kept_bytes'] / 2**20:9.1f} MiB kept", flush=True)  # fmt: skip
    return [{**job, **row} for row in rows]


def machine(python: Path, device: str) -> dict[str, Any]:
    """Describe what it ran on."""
    code = (
        "import importlib.metadata as m, json, torch;"
        "names = ['torch', 'triton', 'numba', 'numpy', 'snntorch', 'spikingjelly', 'norse'];"
        "have = {d.metadata['Name'].lower() for d in m.distributions()};"
        "gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None;"
        "print(json.dumps({'versions': {n: m.version(n) for n in names if n in have},"
        " 'threads': torch.get_num_threads(), 'gpu': gpu, 'cpu_capability': torch.backends.cpu.get_cpu_capability()}))"
    )
    found = json.loads(subprocess.check_output([python, "-c", code], text=True).splitlines()[-1])
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return {"device": device, "cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), **found}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="one case: lif, linear, norm or student")
    parser.add_argument("--without", nargs="+", default=[], choices=PEERS, metavar="NAME")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    python = given.peers / "bin" / "python"
    if not python.exists():
        subprocess.run(
            ["bash", FOLDER / "setup.sh", given.peers], check=True, env={**os.environ, "PYTHON": sys.executable}
        )
    rows, workers = [], Workers(python, lasting=given.device == "cuda")
    for case in jobs(given.device, given.without):
        if given.only in (None, case["case"]):
            rows += compare(workers, case, given.rounds)
    output = given.output or ROOT / "assets" / "results" / f"spiking-{given.device}.json"
    output.write_text(
        json.dumps({"machine": machine(python, given.device), "without": given.without, "rows": rows}, indent=1) + "\n"
    )
    print(f"Wrote {output}")


if __name__ == "__main__":
    main()
