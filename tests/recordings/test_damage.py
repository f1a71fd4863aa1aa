"""Two thousand damaged copies each for the readers whose own test files do not hold them to it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzzing import TIMES, hold

from snnkd.events import make_events
from snnkd.recordings import write_hdf5
from snnkd.recordings.evbeye import RECORD

NATIVE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fuzzing import hold
path = Path(sys.argv[2])
hold(path, path.read_bytes(), multiple=float(sys.argv[3]), count=int(sys.argv[4]), seed=int(sys.argv[5]))
"""


def scene(count=400):
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 50_000, count))
    return make_events(rng.integers(0, 346, count), rng.integers(0, 260, count), t, rng.integers(0, 2, count))


def in_a_process_of_its_own(path, multiple, count=2000, seed=0):
    """Native decoders may crash or hang: then it is the child that does."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", NATIVE, here, str(path), str(multiple), str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240 * TIMES, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)


def test_evbeye(tmp_path):
    events = scene()
    records = np.empty(len(events), RECORD)
    for name in "pxyt":
        records[name] = events[name]
    found = hold(tmp_path / "made.aerdat", records.tobytes(), multiple=13 / 9)
    assert {what for _, what in found} == {"read", "warned", "refused"}


def test_our_hdf5(tmp_path):
    write_hdf5(tmp_path / "made.h5", scene(), (346, 260), metadata={"person": "p1"})
    in_a_process_of_its_own(tmp_path / "made.h5", 20)


def test_aedat4(tmp_path):
    dv = pytest.importorskip("dv_processing")
    path = tmp_path / "made.aedat4"
    writer = dv.io.MonoCameraWriter(str(path), dv.io.MonoCameraWriter.EventOnlyConfig("made", (346, 260)))
    store = dv.EventStore()
    for x, y, t, p in scene().tolist():
        store.push_back(t, x, y, p)
    writer.writeEvents(store)
    del writer, store
    in_a_process_of_its_own(path, 100)
