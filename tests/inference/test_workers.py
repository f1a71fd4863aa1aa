"""Several processes, one of which may die; frames alone; Parquet."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import snnkd
from snnkd.cli import main
from snnkd.datasets.eyesim import simulate_sequence
from snnkd.events import empty_events
from snnkd.inference import Request, load, pool
from snnkd.recordings import write_hdf5


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(5):
        made = simulate_sequence(0, number, "disgust", 0, size=(32, 32), duration_s=0.4)
        write_hdf5(folder / f"{number}.h5", made.events, (32, 32), made.frames)
    (folder / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n nothing more")
    return folder


def test_workers_write_what_one_process_writes(small_model, many, tmp_path, capsys):
    command = ["infer", str(small_model), str(many), "--no-plot", "-o"]
    assert main([*command, str(tmp_path / "one")]) == 2
    assert main([*command, str(tmp_path / "two"), "--workers", "2"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("bad.h5: ") == 2
    assert captured.err.count("1 of 6 recordings failed.") == 2
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [f"{n}.{ending}" for n in range(5) for ending in ("csv", "json")]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert main([*command, str(tmp_path / "two"), "--workers", "2"]) == 2
    assert "5 were there already" in capsys.readouterr().out


def hold(job, task, noted):
    """In place of the work: the first recording waits for what kills its process."""
    if job.number == 0:
        Path(os.environ["SNNKD_TEST_PID"]).write_text(str(os.getpid()))
        time.sleep(60)
    return pool.Done(job, {"name": job.name})


def test_a_worker_that_dies_fails_its_recording_alone(small_model, many, tmp_path, monkeypatch):
    told = tmp_path / "pid"
    monkeypatch.setenv("SNNKD_TEST_PID", str(told))
    monkeypatch.setattr(pool, "_work_here", held)
    jobs = [pool.Job(n, str(n), many / f"{n}.h5", tmp_path / str(n)) for n in range(5)]

    def kill():
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if told.exists() and told.read_text():
                os.kill(int(told.read_text()), signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    task = (load(small_model), Request(), {}, False)
    done = {each.job.number: each for each in pool.work_off(jobs, task, 2, lambda job: None)}
    killer.join()
    assert sorted(done) == [0, 1, 2, 3, 4]
    assert done[0].said is None
    assert "was ended from outside" in done[0].failure
    assert all(done[n].said == {"name": str(n)} for n in range(1, 5))


def held(job):
    return hold(job, None, None)


def test_frames_alone_go_through_the_sensor_model_when_asked(small_model, tmp_path, capsys):
    made = simulate_sequence(0, 1, "surprise", 0, size=(32, 32), duration_s=0.6)
    write_hdf5(tmp_path / "frames.h5", empty_events(), (32, 32), made.frames)
    out = tmp_path / "out"
    command = ["infer", str(small_model), str(tmp_path / "frames.h5"), "-o", str(out), "--no-plot"]
    assert main(command) == 2
    assert "holds frames and no events: --simulate makes events of them" in capsys.readouterr().err
    assert main([*command, "--simulate", "--page"]) == 0
    said = json.loads((out / "frames.json").read_text())
    assert said["recording"]["simulated"] is True
    assert said["recording"]["path"] == str(tmp_path / "frames.h5")
    assert said["totals"]["events"] > 0
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_parquet_says_what_csv_says_and_the_logits(small_model, many, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    timeline = load(small_model).recognize(snnkd.open_recording(many / "1.h5"), "45nm-fp32")
    timeline.to_parquet(tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet")
    columns = table.to_pydict()
    for name, values in timeline.columns().items():
        assert columns[name] == values
    np.testing.assert_array_equal(np.array(columns["z_fear"], np.float32), timeline.logits[:, 5])
    about = json.loads(table.schema.metadata[b"snnkd"])
    assert about["format"] == "snnkd-timeline"
    assert "windows" not in about
