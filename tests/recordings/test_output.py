"""Writing under real faults: full disks, forks, interrupts, folders that cannot be written to; links; long names."""

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
from array_files import EVENTS, some_frames

from snnkd.errors import RecordingError
from snnkd.recordings import open_recording, write_hdf5, write_npz
from snnkd.recordings.convert import convert
from snnkd.recordings.hdf5_writer import ROWS, Hdf5Writer

WRITERS = {".h5": write_hdf5, ".npz": write_npz}

HEAD = """
import os, resource, signal, sys
import numpy as np
from snnkd.events import make_events
from snnkd.recordings import Hdf5Writer, convert, open_recording, write_hdf5, write_npz
folder = sys.argv[1]
rng = np.random.default_rng(0)
n = 1 << 18
events = make_events(rng.integers(0, 346, n), rng.integers(0, 260, n), np.arange(n) * 7, rng.integers(0, 2, n))
"""


def in_a_child(folder, code):
    """Run code in a process of its own; its status, output and errors."""
    command = [sys.executable, "-c", HEAD + textwrap.dedent(code), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("limit", [0, 1000, 100_000, 300_000])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_a_full_disk_leaves_what_was_there(tmp_path, ending, before, limit):
    path = tmp_path / f"o{ending}"
    if before:
        WRITERS[ending](path, EVENTS, (40, 30))
    there = path.read_bytes() if before else None
    code = f"""
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    write = {{".h5": write_hdf5, ".npz": write_npz}}["{ending}"]
    try:
        write(folder + "/o{ending}", events, (346, 260), overwrite=True)
    except OSError as error:
        print(error.filename, error.strerror)
    """
    status, out, errors = in_a_child(tmp_path, code)
    assert (status, errors) == (0, "")
    assert out == f"{path} File too large\n"
    assert list(tmp_path.iterdir()) == ([path] if before else [])
    assert not before or path.read_bytes() == there


def test_a_conversion_to_a_full_disk_is_one_line(tmp_path):
    count = 200_000
    events = np.zeros((count, 4), np.int64)
    events[:, 0], events[:, 1] = np.arange(count) * 11, np.random.default_rng(0).integers(0, 200, count)
    np.save(tmp_path / "a.npy", events)
    write_hdf5(tmp_path / "o.h5", EVENTS, (40, 30))
    there = (tmp_path / "o.h5").read_bytes()
    code = """
    from snnkd.cli import main
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    sys.exit(main(["data", "convert", folder + "/a.npy", folder + "/o.h5", "--overwrite"]))
    """
    status, _, errors = in_a_child(tmp_path, code)
    assert status == 2
    assert errors.splitlines()[-1] == f"snnkd: error: {tmp_path / 'o.h5'}: File too large"
    assert (tmp_path / "o.h5").read_bytes() == there
    assert len(list(tmp_path.iterdir())) == 2


def test_a_child_that_is_forked_leaves_the_file_alone(tmp_path):
    code = """
    with Hdf5Writer(folder + "/o.h5", (346, 260)) as writer:
        writer.append(events[:100_000])
        child = os.fork()
        if not child:
            try:
                writer.append(events[100_000:])
            except ValueError as error:
                print(error, flush=True)
            sys.exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        writer.append(events[100_000:])
    np.testing.assert_array_equal(open_recording(folder + "/o.h5").events, events)
    """
    status, out, errors = in_a_child(tmp_path, code)
    assert (status, errors) == (0, "")
    assert out == f"{tmp_path / 'o.h5'}: the writer belongs to the process that made it\n7\n"
    assert [path.name for path in tmp_path.iterdir()] == ["o.h5"]


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1])
def test_an_interrupt_at_any_time_publishes_nothing(tmp_path, after):
    """The alarm comes in the midst of writing; who goes on after it and closes must not get half a file."""
    code = f"""
    class Alarm(Exception): pass
    def ring(*_): raise Alarm
    signal.signal(signal.SIGALRM, ring)
    writer = Hdf5Writer(folder + "/o.h5", (346, 260))
    try:
        signal.setitimer(signal.ITIMER_REAL, {after} or 1e-4)
        while True:
            writer.append(events)
            events["t"] += n * 7
    except Alarm:
        alive = writer._forget.alive
        writer.close()
    if alive:  # it rang between two calls
        print("whole" if open_recording(folder + "/o.h5").event_count % len(events) == 0 else "half")
    else:
        print(os.listdir(folder))
    """
    status, out, errors = in_a_child(tmp_path, code)
    assert (status, errors) == (0, "")
    assert out in ("whole\n", "[]\n")


def test_an_interrupt_within_an_addition_discards_the_writer(tmp_path, monkeypatch):
    writer = Hdf5Writer(tmp_path / "o.h5", (40, 30))

    pwrite = os.pwrite

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return pwrite(*arguments)

    monkeypatch.setattr("os.pwrite", interrupted)
    events = np.resize(EVENTS, 40 * ROWS)
    events["t"] = np.arange(len(events))
    with pytest.raises(KeyboardInterrupt):
        writer.append(events)
    monkeypatch.undo()
    writer.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="the writer is closed"):
        writer.append(EVENTS)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    code = """
    os.chmod(folder, 0o555)
    path = os.path.dirname(folder)
    while path != "/":  # so that another user gets there
        os.chmod(path, os.stat(path).st_mode | 0o111)
        path = os.path.dirname(path)
    # What is imported late may be readable for this user only.
    for write, name in ((write_hdf5, "w.h5"), (write_npz, "w.npz")):
        warm = f"/dev/shm/{os.getpid()}{name}"
        write(warm, events[:9], (346, 260))
        os.unlink(warm)
    if os.geteuid() == 0:
        os.seteuid(65534)
    for write, name in ((write_hdf5, "o.h5"), (write_npz, "o.npz")):
        try:
            write(folder + "/" + name, events, (346, 260))
        except OSError as error:
            print(error.filename, error.strerror)
    """
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("nowhere to warm up")
    folder = tmp_path / "shut"
    folder.mkdir()
    status, out, errors = in_a_child(folder, code)
    assert (status, errors) == (0, "")
    assert out == f"{folder} not writable\n" * 2


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_one_rule_for_names_and_what_is_there(tmp_path, ending):
    write, other = WRITERS[ending], {".h5": ".npz", ".npz": ".h5"}[ending]
    for name in (f"a{other}", "a.dat", "a"):
        with pytest.raises(RecordingError, match=rf"{name}: the file's name must end in .*\{ending}"):
            write(tmp_path / name, EVENTS, (40, 30))
    write(tmp_path / f"a{ending.upper()}", EVENTS, (40, 30))
    there = (tmp_path / f"a{ending.upper()}").read_bytes()
    for again in (write, lambda path, *_: convert(path, path)):
        with pytest.raises(RecordingError, match="is there already; choose another name, or give overwrite=True"):
            again(tmp_path / f"a{ending.upper()}", EVENTS[:1], (40, 30))
    (tmp_path / f"folder{ending}").mkdir()
    with pytest.raises(RecordingError, match="is a folder"):
        write(tmp_path / f"folder{ending}", EVENTS, (40, 30), overwrite=True)
    assert (tmp_path / f"a{ending.upper()}").read_bytes() == there


def test_frames_in_npz_are_frames(tmp_path):
    with pytest.raises(TypeError, match=r"frames must be Frames\(images, timestamps_us\), got ndarray"):
        write_npz(tmp_path / "x.npz", EVENTS, (40, 30), some_frames().images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_a_link_is_written_through(tmp_path, ending):
    real, link = tmp_path / "disk" / "real.bin", tmp_path / f"link{ending}"
    real.parent.mkdir()
    real.write_bytes(b"old")
    link.symlink_to(Path("disk") / "real.bin")
    WRITERS[ending](link, EVENTS, (40, 30), overwrite=True)
    assert link.is_symlink()
    np.testing.assert_array_equal(open_recording(real).events, EVENTS)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["disk", link.name, "real.bin"]


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_every_name_that_the_file_system_takes(tmp_path, ending):
    path = tmp_path / ("n" * (255 - len(ending)) + ending)
    WRITERS[ending](path, EVENTS, (40, 30))
    assert open_recording(path).event_count == len(EVENTS)
    assert zipfile.is_zipfile(path) == (ending == ".npz")
