"""Time what brings data to a training, in one run, and write assets/results/data.json.

- EyeSim: takes of 45 frames at 128x128, events included, made by two processes; with --standard the whole standard set
  (60 persons x 7 emotions x 2 takes) made, and cached as it is.
- A tree in SEE's layout, of images at 346x260 that this script draws: a scene that drifts, and its event images. The
  first epoch is what fills the clip cache; without --large the tree has fewer sequences. "Cold" is after the system was
  told to drop the files from memory.
- The loader: clips of T = 8 at 96x96 out of that cache, shuffled, at random starts, 32 a batch, with events and frames
  as the float32 tensors that a network takes; "augmented" with all that training does by default.
- One training step of the student on such a batch, and the augmentation's part of its time.

Figures are medians of several passes, but for what is made once. Each has its goal beside it, where there is one.

Usage: python scripts/benchmark_data.py [--standard] [--large] [--passes 5] [--folder DIR] [-o FILE]
(--standard: 20 minutes and 1.5 GB; --large: all 128,000 image pairs, 10 minutes and 8 GB)
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmark_scenes import near_eye
from make_assets import machine
from torch.utils.data import DataLoader

from snnkd.datasets import SEE, EyeSim
from snnkd.datasets.eyesim import generate
from snnkd.models import EventStudent
from snnkd.spiking import keep_freed_memory
from snnkd.training import Augmentation, Classification
from snnkd.training.clips import ByteClips, EpochShuffle, as_floats, whole

ROOT = Path(__file__).parents[1]
FOLDERS = ("angry", "disgust", "fear", "happiness", "neutraL", "sadness", "surprise")
LIGHTINGS = ("normal", "Overexposed", "Low", "HDR")
LENGTH = 53
"""Images of a sequence: SEE has 128,000 pairs in 2,405."""
SENSOR, SIZE, STEPS, BATCH = (346, 260), (96, 96), 8, 32

Row = dict[str, Any]


def row(what: str, value: float, unit: str, goal: float | None = None, more: bool = True, **facts: Any) -> Row:
    """One figure; ``more`` says whether the goal is a floor or a ceiling."""
    reached = None if goal is None else bool(value >= goal if more else value <= goal)
    side = "" if goal is None else f"   goal {'≥' if more else '≤'} {goal:,g}: {'reached' if reached else 'MISSED'}"
    print(f"{what:56} {value:12,.1f} {unit}{side}", flush=True)
    return {"what": what, "value": value, "unit": unit, "goal": goal, "reached": reached, **facts}


def size_of(folder: Path) -> int:
    """Bytes that files take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def forget(folder: Path) -> None:
    """Write files to the disk and drop them from memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def eyesim(folder: Path, standard: bool) -> list[Row]:
    shape: dict[str, Any] = {"size": (128, 128), "duration_s": 1.5, "workers": 2}
    generate(folder / "compiled", persons=1, takes=1, **shape)
    takes = 6 * 7
    seconds = timed(lambda: generate(folder / "few", persons=6, takes=1, **shape))
    rows = [
        row("EyeSim: takes made, 45 frames, 128x128, 2 processes", takes / seconds * 60, "a minute", 60, takes=takes)
    ]
    if standard:
        root, cache = folder / "standard", folder / "standard-cache"
        made = timed(lambda: generate(root, persons=60, takes=2, **shape))
        cached = timed(lambda: EyeSim(root, "all", steps=1).use_cache(cache))
        facts = {"make_s": made, "cache_s": cached, "set_bytes": size_of(root), "cache_bytes": size_of(cache)}
        rows += [
            row("EyeSim: standard set made and cached", (made + cached) / 60, "minutes", 20, more=False, **facts),
            row("EyeSim: standard set and its cache", (size_of(root) + size_of(cache)) / 1e9, "GB", 1.5, more=False),
        ]
    return rows


def draw_tree(root: Path, sequences: int) -> None:
    """A tree in SEE's layout whose sequences all differ."""
    film = near_eye(LENGTH + 1, 30, SENSOR)
    change = np.diff(np.log(film + 20), axis=0)
    marks = 128 + 70 * (change > 0.1) - 70.0 * (change < -0.1)
    pictures = {"frame": film[1:].clip(0, 255).astype(np.uint8), "event": marks.astype(np.uint8)}
    database = {}
    for i in range(sequences):
        emotion, person = FOLDERS[i % 7], i % 111
        name = f"{i + 1}_{person:03d}_man_24_Master_{LIGHTINGS[i // 7 % 4]}_{emotion}_{LENGTH}_take{i:04d}"
        database[name] = {"subset": "training", "annotations": {"label": emotion, "segment": [0, LENGTH]}}
        for kind, images in pictures.items():
            place = root / kind / emotion / name
            place.mkdir(parents=True)
            for n, image in enumerate(np.roll(images, (i % 23, i // 23), (1, 2))):
                cv2.imwrite(str(place / f"{n:05d}.jpg"), image)
    (root / "emotion.json").write_text(json.dumps({"labels": list(FOLDERS), "database": database}))


def first_epoch(root: Path, cache: Path, sequences: int) -> list[Row]:
    images = 2 * sequences * LENGTH
    bytes_each = sum(path.stat().st_size for path in next((root / "frame").glob("*/*")).iterdir()) / LENGTH
    rows = []
    for state in ("cold", "warm"):
        if state == "cold":
            forget(root)
        shutil.rmtree(cache, ignore_errors=True)
        data = open_tree(root)
        seconds = timed(lambda data=data: data.use_cache(cache))
        facts = {"images": images, "seconds": seconds, "frame_bytes": bytes_each, "cache_bytes": size_of(cache)}
        goal = 2000 if state == "cold" else None
        rows.append(row(f"SEE tree: first epoch fills the cache, {state}", images / seconds, "images/s", goal, **facts))
    for state in ("cold", "warm"):
        data = open_tree(root)
        if state == "cold":
            forget(root)
            forget(cache)
        seconds = timed(lambda data=data: data.use_cache(cache))
        rows.append(row(f"SEE tree: a whole cache opened and checked, {state}", seconds, "s", windows=images // 2))
    return rows


def open_tree(root: Path) -> SEE:
    return SEE(root, "person-disjoint", subset="all", steps=STEPS, stride=1, size=SIZE, start="random")


def batches(data: SEE, workers: int, augmentation: Augmentation | None) -> Iterator[dict[str, torch.Tensor]]:
    """Epoch after epoch, as training has them."""
    sampler = EpochShuffle(len(data))
    clips = ByteClips(data, augmentation)
    loader = DataLoader(
        clips, BATCH, sampler=sampler, num_workers=workers, persistent_workers=workers > 0, collate_fn=whole
    )
    for epoch in count():
        sampler.set_epoch(epoch)
        yield from map(as_floats, loader)


def loader(root: Path, cache: Path, passes: int) -> list[Row]:
    rows = []
    for source in ("cache", "files"):
        data = open_tree(root)
        if source == "cache":
            data.use_cache(cache)
        for workers in (0, 2):
            for name, augmentation in (("as they are", None), ("augmented", Augmentation())):
                if source == "files" and augmentation:
                    continue
                rates = []
                stream = batches(data, workers, augmentation)
                wanted = 4000 if source == "cache" else 300
                for _ in zip(range(16), stream, strict=False):
                    pass
                for _ in range(passes if source == "cache" else 1):
                    began, clips = time.perf_counter(), 0
                    while clips < wanted:
                        clips += len(next(stream)["labels"])
                    rates.append(clips / (time.perf_counter() - began))
                stream.close()
                goal = 1500 if source == "cache" else None
                what = f"loader from {source}, {workers} workers, {name}"
                rows.append(row(what, statistics.median(rates), "clips/s", goal, passes=rates))
    return rows


def step(root: Path, cache: Path, passes: int) -> list[Row]:
    data = open_tree(root).use_cache(cache)
    module = Classification(EventStudent(SIZE))
    keys = [(i % len(data), i) for i in range(BATCH)]
    batch = as_floats(ByteClips(data).__getitems__(keys))

    def train() -> None:
        loss, _ = module.loss(batch)
        loss.backward()
        module.zero_grad()

    seeds = np.arange(BATCH, dtype=np.uint64)
    events, frames = data.clips([i for i, _ in keys], np.tile(np.arange(STEPS), (BATCH, 1)))
    calls = {
        "step": train,
        "augmentation": lambda: Augmentation().apply(events.copy(), frames.copy(), seeds, data.window_us),
    }
    seconds = {}
    for name, call in calls.items():
        call()
        seconds[name] = statistics.median(timed(call) for _ in range(passes))
    share = seconds["augmentation"] / (seconds["step"] + seconds["augmentation"])
    return [row("augmentation's part of a training step of the student", 100 * share, "%", seconds=seconds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--standard", action="store_true", help="make and cache EyeSim's standard set")
    parser.add_argument("--large", action="store_true", help="a tree as large as SEE")
    parser.add_argument("--sequences", type=int, default=200, help="of the tree, without --large (default: 200)")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "assets" / "results" / "data.json")
    options = parser.parse_args()
    keep_freed_memory()  # as training does
    sequences = -(-128_000 // LENGTH) if options.large else options.sequences
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        tree, cache = folder / "see", folder / "cache"
        rows = eyesim(folder, options.standard)
        draw_tree(tree, sequences)
        rows += first_epoch(tree, cache, sequences)
        rows += loader(tree, cache, options.passes)
        rows += step(tree, cache, options.passes)
    result = {"machine": machine() | {"cores": os.cpu_count()}, "sequences": sequences, "rows": rows}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Wrote {options.output}")


if __name__ == "__main__":
    main()
