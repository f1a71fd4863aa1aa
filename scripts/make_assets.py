"""Make everything under assets/: run the demo at its defaults and keep its student, recording, pictures and figures.

Usage: python scripts/make_assets.py [--demo FOLDER]     (FOLDER: a finished demo to take instead of a new one)
Afterwards: python scripts/report.py
"""

import argparse
import json
import platform
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import snnkd
from snnkd.datasets import EMOTIONS, LIGHTINGS
from snnkd.datasets.eyesim import simulate_sequence
from snnkd.demo import Settings, run
from snnkd.events import bin_events
from snnkd.inference.drawing import EMOTION_COLOURS, INK, png_bytes

ASSETS = Path(__file__).parents[1] / "assets"
PERSONS = (2, 11, 29, 5)
"""One for each lighting"""


def eyes(path: Path) -> None:
    """A sheet of synthetic eyes: a person a lighting, the frame at each emotion's apex, the events that led there."""
    figure = Figure(figsize=(10, 11.6), facecolor="white")
    grid = figure.subplots(2 * len(LIGHTINGS), len(EMOTIONS), gridspec_kw={"wspace": 0.04, "hspace": 0.04})
    figure.subplots_adjust(0.035, 0.005, 0.995, 0.975)
    for i, (lighting, person) in enumerate(zip(LIGHTINGS, PERSONS, strict=True)):
        for j, emotion in enumerate(EMOTIONS):
            take = simulate_sequence(0, person, emotion, 0, size=(128, 128), lighting=lighting)
            start = take.metadata["segments"][-1]["start_us"] if emotion != "neutral" else 300_000
            apex = min(start + 500_000, int(take.frames.timestamps_us[-1]))
            frame = take.frames.images[np.searchsorted(take.frames.timestamps_us, apex)]
            off, on = bin_events(take.events, (128, 128), start, 300_000, 1)[0].astype(float)
            grid[2 * i][j].imshow(frame, cmap="gray", vmin=0, vmax=255)
            grid[2 * i + 1][j].imshow(np.clip(on - off, -3, 3), cmap="RdBu", vmin=-3, vmax=3)
        middle = (grid[2 * i][0].get_position().y0 + grid[2 * i + 1][0].get_position().y1) / 2
        figure.text(0.018, middle, lighting, rotation=90, va="center", ha="center", fontsize=10, color=INK)
    for axes, emotion in zip(grid[0], EMOTIONS, strict=True):
        axes.set_title(emotion, fontsize=10, color=EMOTION_COLOURS.get(emotion, INK), pad=4)
    for axes in grid.flat:
        axes.set_axis_off()
    path.write_bytes(png_bytes(figure))


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())  # fmt: skip
    return {
        "processor": model,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "snnkd": snnkd.__version__,
    }


def main() -> None:
    """Fill assets/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, help="a finished demo")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        demo = options.demo or Path(temporary) / "demo"
        if options.demo is None:
            run(demo, Settings())
        (ASSETS / "results").mkdir(parents=True, exist_ok=True)
        shutil.rmtree(ASSETS / "student", ignore_errors=True)
        shutil.copytree(demo / "models" / "student-distilled", ASSETS / "student")
        shutil.copyfile(demo / "session.h5", ASSETS / "sample.h5")
        shutil.copyfile(demo / "timeline" / "session.png", ASSETS / "timeline.png")
        result = {"machine": machine(), **json.loads((demo / "demo.json").read_text())}
        (ASSETS / "results" / "demo.json").write_text(json.dumps(result, indent=2) + "\n")
    eyes(ASSETS / "eyes.png")


if __name__ == "__main__":
    main()
