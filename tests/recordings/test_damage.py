"""Two thousand damaged copies each for the readers whose own test files do not hold them to it."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fuzzing import TIMES, hold

from snnkd.events import make_events
from snnkd.recordings import Frames, write_hdf5, write_npz
from snnkd.recordings.evbeye import RECORD

MEMORY = 256 << 20
"""Bytes that reading any damaged copy of a file of some KB may take, beyond what the intact one took."""

NATIVE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fuzzing import bound_memory, hold, outcome
path = Path(sys.argv[2])
multiple, (count, seed, memory) = float(sys.argv[3]), map(int, sys.argv[4:7])
recording = Path(sys.argv[7]) if sys.argv[7:] else None
outcome(recording or path, multiple)  # what is imported and compiled on the way is not the damage's doing
if sys.platform == "linux":
    bound_memory(memory)
silent = None if recording else (lambda length: False)
found = hold(path, path.read_bytes(), multiple, count, seed, recording, silent)
print(json.dumps(sorted({what for _, what in found})))
"""


def scene(count=400):
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 50_000, count))
    return make_events(rng.integers(0, 346, count), rng.integers(0, 260, count), t, rng.integers(0, 2, count))


def in_a_process_of_its_own(path, multiple, count=2000, seed=0, recording=None):
    """Native decoders may crash, hang, or fill the memory: then it is the child that does. The set of outcomes."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", NATIVE, here, str(path), str(multiple), str(count), str(seed), str(MEMORY)]
    command += [str(recording)] if recording else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=240 * TIMES, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    return json.loads(done.stdout.splitlines()[-1])


def test_evbeye(tmp_path):
    events = scene()
    records = np.empty(len(events), RECORD)
    for name in "pxyt":
        records[name] = events[name]
    found = hold(tmp_path / "made.aerdat", records.tobytes(), multiple=13 / 9, silent=lambda length: length % 9 == 0)
    assert {what for _, what in found} == {"read", "warned", "refused"}


def test_our_hdf5(tmp_path):
    frames = Frames(np.random.default_rng(0).integers(0, 256, (3, 24, 32), np.uint8), np.array([0, 10, 20]))
    write_hdf5(tmp_path / "made.h5", scene(), (346, 260), frames, metadata={"person": "p1"})
    assert in_a_process_of_its_own(tmp_path / "made.h5", 20) == ["read", "refused"]


def test_our_npz(tmp_path):
    frames = Frames(np.random.default_rng(0).integers(0, 256, (3, 24, 32), np.uint8), np.array([0, 10, 20]))
    write_npz(tmp_path / "made.npz", scene(), (346, 260), frames, metadata={"person": "p1"})
    assert in_a_process_of_its_own(tmp_path / "made.npz", 20) == ["read", "refused"]


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "ZSTD"])
def test_aedat4(tmp_path, compression):
    dv = pytest.importorskip("dv_processing")
    path = tmp_path / "made.aedat4"
    config = dv.io.MonoCameraWriter.Config("made")
    config.compression = getattr(dv.CompressionType, compression)
    config.addEventStream((346, 260))
    config.addFrameStream((32, 24))
    writer = dv.io.MonoCameraWriter(str(path), config)
    store = dv.EventStore()
    for x, y, t, p in scene().tolist():
        store.push_back(t, x, y, p)
    writer.writeEvents(store)
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (3, 24, 32), np.uint8)):
        writer.writeFrame(dv.Frame(1000 * i, image))
    del writer, store
    assert in_a_process_of_its_own(path, 300, count=1000) == ["read", "refused", "warned"]


@pytest.mark.parametrize("kind", ["event", "frame"])
def test_an_image_of_a_see_sequence(tmp_path, kind):
    """JPG has no checksum, so much damage decodes to another picture; an event takes 13 bytes, a pixel maybe 1/512."""
    rng = np.random.default_rng(0)
    folders = {k: tmp_path / k / "angry" / "1_001_man_24_Master_normal_angry_2_take000" for k in ("event", "frame")}
    for folder in folders.values():
        folder.mkdir(parents=True)
        for n in range(2):
            picture = np.full((36, 48), 128, np.uint8)
            picture[8:24, 8:40] = rng.integers(0, 256, (16, 32))
            assert cv2.imwrite(str(folder / f"{n:05d}.jpg"), picture)
    in_a_process_of_its_own(folders[kind] / "00001.jpg", 13 * 512, count=1000, recording=folders["event"])


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_an_image_of_a_folder(tmp_path, ending):
    folder = tmp_path / "frames"
    folder.mkdir()
    for n in range(3):
        picture = np.random.default_rng(n).integers(0, 256, (16, 24), np.uint8)
        assert cv2.imwrite(str(folder / f"{n:05d}.{ending}"), picture)
    found = in_a_process_of_its_own(folder / f"00001.{ending}", 0, count=1000, recording=folder)
    assert "refused" in found
