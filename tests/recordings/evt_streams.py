"""Streams of EVT2, EVT2.1 and EVT3: events for the encoders, and words one by one."""

import encoders
import numpy as np
from encoders import EVT2_HEADER, EVT3_HEADER, evt21_header

FORMATS = {
    "EVT2": (EVT2_HEADER, encoders.evt2, 4),
    "EVT2.1 little": (evt21_header("little"), encoders.evt21, 8),
    "EVT2.1 legacy": (evt21_header("legacy"), lambda *a, **k: encoders.evt21(*a, order="legacy", **k), 8),
    "EVT3": (EVT3_HEADER, encoders.evt3, 2),
}
WRAP = {"EVT2": 2**34, "EVT2.1 little": 2**34, "EVT2.1 legacy": 2**34, "EVT3": 2**24}


def some_columns(count, seed=0, start=0, rate=1.0, size=(1280, 720)):
    """Events in runs along a row, as edges make them, about ``rate`` runs a µs."""
    rng = np.random.default_rng(seed)
    runs = rng.integers(1, 12, count)
    runs = runs[np.cumsum(runs) <= count]
    run = np.repeat(np.arange(len(runs)), runs)
    t = start + np.cumsum(rng.exponential(1 / rate, len(runs))).astype(np.int64)
    x = np.concatenate([np.sort(rng.choice(32, n, replace=False)) for n in runs]) if len(runs) else np.empty(0, int)
    first = rng.integers(0, size[0] - 32, len(runs))
    y, p = rng.integers(0, size[1], len(runs)), rng.integers(0, 2, len(runs))
    return first[run] + x, y[run], t[run], p[run]


def written(path, head, data):
    path.write_bytes(head + data)
    return path


def evt3_words(*words):
    return np.array(words, "<u2").tobytes()


def evt2_words(*words):
    return np.array(words, "<u4").tobytes()


H, L, Y, X, V, V12, V8 = 0x8000, 0x6000, 0x0000, 0x2000, 0x3000, 0x4000, 0x5000
ON = 0x800
