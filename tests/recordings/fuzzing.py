"""Damage to files, and what a reader may make of it: events with or without a warning, or one clean refusal.

Where a process is bounded in memory, a reader that takes more fails: the bound holds for native decoders too.
"""

import math
import os
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.summary import describe

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
    """Read a recording to its end: ``"read"``, ``"warned"`` or ``"refused"``; anything else is raised.

    Events take no more than ``multiple`` times the size of the file or folder, lie inside the sensor, and never go back
    in time; nor do frames. What the command line tells of it can be told.
    """
    return examine(path, multiple)[0]


def examine(path, multiple):
    """:func:`outcome`, and the number of events and frames, None where it is refused."""
    held = sum(part.stat().st_size for part in path.rglob("*")) if path.is_dir() else path.stat().st_size
    numbers = None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SnnkdWarning)
        began = time.monotonic()
        try:
            recording = open_recording(path)
            repr(recording)
            width, height = recording.sensor_size
            size, last, count, frames = 0, None, 0, 0
            for chunk in recording.chunks():
                size, count = size + chunk.nbytes, count + len(chunk)
                assert chunk["x"].min() >= 0
                assert chunk["x"].max() < width
                assert chunk["y"].min() >= 0
                assert chunk["y"].max() < height
                assert last is None or chunk["t"][0] >= last
                assert (np.diff(chunk["t"]) >= 0).all()
                last = chunk["t"][-1]
            assert size <= multiple * max(held, 1)
            latest = -math.inf
            for moment, image in recording.iter_frames():
                assert moment >= latest
                assert image.ndim == 2
                latest, frames = moment, frames + 1
            facts = describe(recording)
            assert (facts["events"], facts["frames"]) == (count, frames)
            numbers = count, frames
        except RecordingError as error:
            if isinstance(error.__cause__, MemoryError):
                raise  # memory that ran out is no damage that was seen
            said = str(error)
        else:
            said = None
        finally:
            assert time.monotonic() - began < SECONDS
    if said is None:
        return "warned" if told else "read", numbers
    assert str(path) in said
    assert "\n" not in said
    return "refused", None


def hold(path, data, multiple, count=2000, seed=0, recording=None, silent=None):
    """Hold the reader of ``path``'s format to ``count`` damaged copies of ``data``; counts of what came of them.

    Where the file is one of a folder, ``recording`` is that folder. ``silent`` tells of a length whether a cut there
    may go unnoticed, as between two records of a format that does not count them; any other is warned of or refused,
    unless no event and no frame is lost. Without it cuts are held to no more than other damage.
    """
    path.write_bytes(data)
    whole = examine(recording or path, multiple)[1]
    found = Counter()
    for kind, damaged in mutations(data, count * TIMES, seed + SEED):
        path.write_bytes(damaged)
        what, numbers = examine(recording or path, multiple)
        if silent is not None and kind == "cut" and what == "read":
            assert numbers == whole or silent(len(damaged)), (
                f"cut at byte {len(damaged)}: {numbers} of {whole} are left"
            )
        found[kind, what] += 1
    print({f"{kind}: {what}": n for (kind, what), n in sorted(found.items())})
    return found


def bound_memory(more):
    """Let this process take no more than ``more`` bytes of memory beyond what it has; only Linux tells that."""
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
