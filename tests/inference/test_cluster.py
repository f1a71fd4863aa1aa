"""A Ray cluster gives what one process gives, whoever dies on the way."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from snnkd.cli import main
from snnkd.datasets.eyesim import simulate_sequence
from snnkd.errors import ConfigError
from snnkd.inference import Recognizer, Request, load
from snnkd.recordings import write_hdf5

ray = pytest.importorskip("ray")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made.address
    ray.shutdown()
    made.shutdown()


def processes(title):
    """Processes whose title contains a text: Ray's workers say what they are at."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if title in (entry / "cmdline").read_bytes():
                    yield int(entry.name)
            except OSError:
                continue


@pytest.mark.timeout(600)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the workers in /proc")
def test_two_nodes_give_what_one_process_gives_though_a_worker_dies(small_model, tmp_path, cluster, capsys):
    folder = tmp_path / "many"
    (folder / "deep").mkdir(parents=True)
    for number in range(6):
        made = simulate_sequence(0, number, "fear", 0, size=(32, 32), duration_s=0.5)
        write_hdf5(folder / "deep" / f"{number}.h5", made.events, (32, 32))
    (folder / "none.h5").write_bytes(b"")
    assert main(["infer", str(small_model), str(folder), "-o", str(tmp_path / "here"), "--parquet", "--no-plot"]) == 2
    killed = []

    def kill():
        until = time.monotonic() + 300
        while time.monotonic() < until and not killed:
            for pid in processes(b"ray::MapBatches"):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    out = tmp_path / "there"
    command = ["infer", str(small_model), str(folder), "-o", str(out), "--engine", "ray", "--address", cluster]
    assert main(command) == 2
    killer.join()
    assert killed
    assert "none.h5: the file is empty" in capsys.readouterr().err
    rows = parquet.read_table(out / "timelines.parquet").sort_by(
        [("recording", "ascending"), ("start_us", "ascending")]
    )
    assert rows["recording"].unique().to_pylist() == [str(n) for n in range(6)]
    for number in range(6):
        expected = parquet.read_table(tmp_path / "here" / f"{number}.parquet")
        mine = rows.slice(rows["recording"].to_pylist().index(str(number)), len(expected))
        assert mine.drop_columns(["recording", "path"]).to_pylist() == expected.to_pylist()
    about = json.loads((out / "timelines.json").read_text())
    assert [each["recording"] for each in about["failed"]] == ["none"]
    assert not list(out.glob(".*"))
    # Once more: the data set is replaced as a whole.
    assert main(command) == 2
    assert len(parquet.read_table(out / "timelines.parquet")) == len(rows)


def test_what_does_not_fit_a_cluster_is_refused(small_model, tmp_path, monkeypatch, capsys):
    command = ["infer", str(small_model), str(tmp_path), "-o", str(tmp_path / "out")]
    for more, message in [
        (["--engine", "ray", "--page"], "--page: is not there with --engine ray"),
        (["--engine", "ray", "--workers", "2"], "the cluster's CPUs are the workers"),
        (["--address", "x"], "add --engine ray"),
    ]:
        assert main([*command, *more]) == 2
        assert message in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    from snnkd.inference.cluster import infer_on_cluster

    with pytest.raises(ConfigError, match=r"pip install 'snnkd\[ray\]'"):
        infer_on_cluster(load(small_model), [tmp_path], tmp_path / "out", Request())


class Deadly(Recognizer):
    """One that takes its process along, as running out of memory does, in a recording of that name."""

    def recognize(self, recording, *settings):
        if "deadly" in recording.path.name:
            os._exit(1)
        return super().recognize(recording, *settings)


@pytest.mark.timeout(600)
def test_a_recording_that_kills_every_worker_fails_alone(small_model, tmp_path, cluster, monkeypatch, capsys):
    from snnkd.inference import cluster as module

    monkeypatch.setattr(module, "RETRIES", 1)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test
    made = simulate_sequence(0, 1, "fear", 0, size=(32, 32), duration_s=0.5)
    paths = [tmp_path / "deadly.h5", tmp_path / "good.h5"]
    for path in paths:
        write_hdf5(path, made.events, (32, 32))
    plain = load(small_model)
    deadly = Deadly(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})
    assert not module.infer_on_cluster(deadly, paths, tmp_path / "out", Request(), cluster)
    assert "deadly.h5: its task did not end, however often it was begun" in capsys.readouterr().err
    rows = parquet.read_table(tmp_path / "out" / "timelines.parquet")
    assert rows["recording"].unique().to_pylist() == ["good"]
