"""Damage to files, and what a reader may make of it: events with or without a warning, or one clean refusal."""

import os
import time
import warnings
from collections import Counter

import numpy as np

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording

SECONDS = 5.0
"""A file of some KB that takes longer than this is a hang, on the slowest machine that tests run on."""

TIMES, SEED = (int(os.environ.get(f"SNNKD_FUZZ_{name}", default)) for name, default in (("TIMES", "1"), ("SEED", "0")))
"""How many times as many copies, and from which seed on: ``scripts/fuzz.sh`` sets them."""


def mutations(data, count, seed=0):
    """Yield ``count`` damaged copies of ``data``, each with a word for what was done to it."""
    rng = np.random.default_rng(seed)
    head = min(len(data), 256)
    for i in range(count):
        kind = ("cut", "flip", "flip in the head", "overwrite", "promise", "remove", "insert", "swap")[i % 8]
        damaged = bytearray(data)
        at = int(rng.integers(len(data)))
        if kind == "cut":
            del damaged[at:]
        elif kind.startswith("flip"):
            for _ in range(int(rng.integers(1, 9))):
                damaged[int(rng.integers(head if "head" in kind else len(data)))] ^= 1 << int(rng.integers(8))
        elif kind == "overwrite":
            damaged[at : at + 64] = rng.bytes(min(64, len(data) - at))
        elif kind == "promise":
            at = int(rng.integers(head))
            damaged[at : at + 4] = b"\xff\xff\xff\x7f"[: len(data) - at]
        elif kind == "remove":
            del damaged[at : at + int(rng.integers(1, 64))]
        elif kind == "insert":
            damaged[at:at] = rng.bytes(int(rng.integers(1, 64)))
        else:
            other = int(rng.integers(len(data)))
            a, b = sorted((at, other))
            damaged[a : a + 16], damaged[b : b + 16] = damaged[b : b + 16], damaged[a : a + 16]
        yield kind, bytes(damaged)


def outcome(path, multiple):
    """Read a file to its end: ``"read"``, ``"warned"`` or ``"refused"``; anything else is raised.

    Events take no more than ``multiple`` times the file's size, lie inside the sensor, and never go back in time.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SnnkdWarning)
        began = time.monotonic()
        try:
            recording = open_recording(path)
            width, height = recording.sensor_size
            size, last = 0, None
            for chunk in recording.chunks():
                size += chunk.nbytes
                assert chunk["x"].min() >= 0
                assert chunk["x"].max() < width
                assert chunk["y"].min() >= 0
                assert chunk["y"].max() < height
                assert last is None or chunk["t"][0] >= last
                assert (np.diff(chunk["t"]) >= 0).all()
                last = chunk["t"][-1]
            assert size <= multiple * max(path.stat().st_size, 1)
        except RecordingError as error:
            said = str(error)
        else:
            said = None
        finally:
            assert time.monotonic() - began < SECONDS
    if said is None:
        return "warned" if told else "read"
    assert str(path) in said
    assert "\n" not in said
    return "refused"


def hold(path, data, multiple, count=2000, seed=0):
    """Hold the reader of ``path``'s format to ``count`` damaged copies of ``data``; counts of what came of them."""
    found = Counter()
    for kind, damaged in mutations(data, count * TIMES, seed + SEED):
        path.write_bytes(damaged)
        found[kind, outcome(path, multiple)] += 1
    print({f"{kind}: {what}": n for (kind, what), n in sorted(found.items())})
    return found
