"""The process around a command: terminals that know no more than ASCII, names that are no text, and signals."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from snnkd.cli import main
from snnkd.cli.process import INSTEAD, clean_exit, cleaned, heed
from snnkd.events import make_events
from snnkd.recordings import write_hdf5

RUN = [sys.executable, "-m", "snnkd.cli"]


def scene(path, **metadata):
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 100_000, 500))
    events = make_events(rng.integers(0, 64, 500), rng.integers(0, 48, 500), t, rng.integers(0, 2, 500))
    write_hdf5(path, events, (64, 48), metadata=metadata)
    return path


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_a_terminal_of_ascii_is_sent_ascii(tmp_path, environment):
    scene(tmp_path / "a.h5", place="Zürich")
    ran = subprocess.run([*RUN, "info", str(tmp_path / "a.h5")], capture_output=True, env=os.environ | environment)
    assert ran.returncode == 0, ran.stderr
    text = ran.stdout.decode("ascii")
    assert "64x48" in text
    assert "Z\\xfcrich" in text
    chart = next(line for line in text.splitlines() if line.startswith("activity"))
    assert set(chart.removeprefix("activity").strip()) <= set(".:-=+*#@ ")
    assert "@" in chart
    failed = subprocess.run([*RUN, "info", str(tmp_path / "é")], capture_output=True, env=os.environ | environment)
    assert failed.returncode == 2
    assert failed.stderr.startswith(b"snnkd: error: ")
    assert failed.stderr.count(b"\n") == 1


def test_what_stands_instead_is_ascii():
    assert all(text.isascii() for text in INSTEAD.values())


def test_a_file_whose_name_is_no_text_is_read(tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9.h5")
    os.rename(scene(tmp_path / "a.h5"), name)
    ran = subprocess.run([*map(os.fsencode, RUN), b"info", name], capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0].endswith(b"caf\\xe9.h5")
    ran = subprocess.run([*map(os.fsencode, RUN), b"info", b"--json", name], capture_output=True, check=True)
    assert os.fsencode(json.loads(ran.stdout)["path"]) == name


def test_a_message_does_not_steer_the_terminal(tmp_path, capsys):
    assert cleaned("a\x1b[31mb\nc\x9bd") == r"a\x1b[31mb\nc\x9bd"
    assert main(["info", str(tmp_path / "a\x1b[2Jb")]) == 2
    assert r"a\x1b[2Jb: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_leaves_nothing_half_written(tmp_path, tmp_path_factory, number):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (320, 240))
    rng = np.random.default_rng(0)
    for _ in range(400):
        writer.write(rng.integers(0, 255, (240, 320, 3), np.uint8))
    writer.release()
    command = [*RUN, "data", "simulate", str(tmp_path / "v.avi"), "-o", str(tmp_path / "out.h5")]

    def by_default():  # where the tests themselves run under nohup, what they start would ignore it
        signal.signal(number, signal.SIG_DFL)

    # A cache of compiled kernels that is empty, so that the signal comes while they are compiled: there the first
    # exception may get lost.
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=by_default, env=environment
    ) as process:
        for _ in range(1200):
            if len(list(tmp_path.iterdir())) > 1 or process.poll() is not None:
                break
            time.sleep(0.05)
        assert len(list(tmp_path.iterdir())) == 2, process.stderr.read()  # the video, and what is being written
        process.send_signal(number)
        error = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert f"snnkd: ended by {signal.Signals(number).name}\n" in error
    assert "error" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["v.avi"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_exception_that_gets_lost_is_raised_again(number):
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with clean_exit():
            heed()
            with contextlib.suppress(SystemExit):  # as a C callback does
                signal.raise_signal(number)
            with pytest.raises(SystemExit) as ended:
                heed()
        assert ended.value.code == 128 + number
        with clean_exit():
            heed()  # what an earlier command was told does not count
    finally:
        signal.signal(number, before)


def test_handlers_of_signals_are_put_back(tmp_path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert main(["info", str(tmp_path / "none")]) == 2
    assert signal.getsignal(signal.SIGTERM) == before
