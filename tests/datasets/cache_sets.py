"""A small dataset of arrays on disk, for the tests of the clip cache, and children that use it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snnkd.datasets.labels import EMOTIONS
from snnkd.datasets.sample import EyeDataset, Sequence, Windows

SIZE = (12, 10)
LENGTH = 9


@dataclass(frozen=True)
class Piece(Sequence):
    """A sequence that starts somewhere in its file."""

    first: int = 0


class Arrays(EyeDataset):
    """``<root>/<name>/counts.npy`` (N, 2, H, W) and ``frames.npy`` (N, H, W); ``gain`` is a setting of the reading."""

    split_keys = ()
    population = "arrays"

    def __init__(self, root, gain=1, steps=4, stride=1, start="random", delay=0.0, first=0):
        self._set_clip(steps, stride, 1000, start)
        self.root, self.gain, self.delay = Path(root), gain, delay
        self.input_size = SIZE
        self.split_config = {}
        names = sorted(path.name for path in self.root.iterdir())
        self.sequences = [
            Piece(name, f"p{i % 3}", EMOTIONS[i % 7], "normal", LENGTH - first, first) for i, name in enumerate(names)
        ]
        self.reads = []

    def read(self, index, windows):
        self.reads.append(index)
        time.sleep(self.delay)
        folder = self.root / self.sequences[index].name
        windows = windows + self.sequences[index].first
        counts, frames = np.load(folder / "counts.npy")[windows], np.load(folder / "frames.npy")[windows]
        return Windows(np.minimum(counts.astype(int) * self.gain, 255).astype(np.uint8), frames)

    def sources(self, index):
        return [self.root / self.sequences[index].name]

    def reading(self):
        return {"dataset": "arrays", "version": 1, "gain": self.gain, "size": list(self.input_size)}


def fill(folder, seed):
    """One sequence: sparse counts of all sizes, and frames of which some repeat."""
    rng = np.random.default_rng(seed)
    shape = (LENGTH, 2, SIZE[1], SIZE[0])
    counts = rng.integers(0, 256, shape) * (rng.random(shape) < 0.02) + (rng.random(shape) < 0.1)
    frames = rng.integers(0, 256, (LENGTH, SIZE[1], SIZE[0]), dtype=np.uint8)
    frames[4] = frames[3]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "counts.npy", np.minimum(counts, 255).astype(np.uint8))
    np.save(folder / "frames.npy", frames)


def make(root, number=12, aged=True):
    """A dataset of so many sequences; ``aged`` waits until the times of its files are old enough to be relied on."""
    for i in range(number):
        fill(root / f"s{i:02d}", i)
    if aged:
        time.sleep(2.2)
    return root


def same(data, cached):
    """Whether all windows of both are equal."""
    for i, sequence in enumerate(data.sequences):
        windows = np.arange(sequence.length)
        a, b = data.read(i, windows), cached.cache.read(i, windows)
        if not ((a.events == b.events).all() and (a.frames == b.frames).all()):
            return False
    return True


CHILD = """
import json, sys
from cache_sets import Arrays, same
if __name__ == "__main__":
    root, folder, delay, workers = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    told = []
    data = Arrays(root, delay=delay)
    done = lambda done, total: print(done, total, flush=True)
    data.use_cache(folder, workers=workers, progress=done)
    print(json.dumps({"same": same(Arrays(root), data), "reads": len(data.reads)}), flush=True)
"""


def child(root, folder, delay=0.0, workers=0, **options):
    """Start a process that builds and compares; its last line of output is JSON."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root), str(folder), str(delay), str(workers)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def result(process):
    """What a child printed last."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])
