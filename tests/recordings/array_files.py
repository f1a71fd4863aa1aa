"""Events in all shapes that NumPy's own writers give them: what the readers of NPY and NPZ are held against."""

import numpy as np

from snnkd.events import EVENT_DTYPE, make_events
from snnkd.recordings import Frames

T0 = 1_605_537_493_718_345


def some_events(count=500, size=(40, 30), seed=0, start=T0):
    rng = np.random.default_rng(seed)
    t = start + np.sort(rng.integers(0, 10**6, count))
    return make_events(rng.integers(0, size[0], count), rng.integers(0, size[1], count), t, rng.integers(0, 2, count))


def some_frames(count=3, shape=(30, 40)):
    rng = np.random.default_rng(1)
    return Frames(rng.integers(0, 256, (count, *shape), np.uint8), np.arange(count, dtype=np.int64) * 33_333)


EVENTS = some_events()
METADATA = {"person": "p03", "segments": [[0, 5, "neutral"]], "fps": 30.5, "note": "µ\n'\""}


def table(order="txyp", kind=np.int64, signed=False):
    columns = {name: EVENTS[name].astype(np.int64) for name in "txyp"}
    if signed:
        columns["p"] = 2 * columns["p"] - 1
    return np.stack([columns[name] for name in order], axis=1).astype(kind)


def renamed(**names):
    """The events as a structured array with other names and types: ``new=("old", type)``."""
    out = np.empty(len(EVENTS), [(new, kind) for new, (_, kind) in names.items()])
    for new, (old, _) in names.items():
        out[new] = EVENTS[old]
    return out


ARRAYS = {
    "events": EVENTS,
    "other names": renamed(ts=("t", "<u8"), xs=("x", ">u2"), ys=("y", "u1"), on=("p", "?")),
    "floats": renamed(timestamp=("t", "<f8"), x=("x", "<f4"), y=("y", "<f4"), polarity=("p", "<f4")),
    "aligned": np.zeros(len(EVENTS), np.dtype(EVENT_DTYPE.descr, align=True)),
    "txyp": table(),
    "xytp": table("xytp"),
    "xypt": table("xypt"),
    "signed": table(signed=True),
    "float table": table(kind=float),
    "by columns": np.asfortranarray(table()),
    "big-endian": table().astype(">i8"),
    "uint64": table().astype(np.uint64),
}
for name in EVENT_DTYPE.names:
    ARRAYS["aligned"][name] = EVENTS[name]
