"""Many recordings: what is meant, what is done already, what a killed run leaves."""

import json
import signal
import subprocess
import sys
import time

import pytest

import snnkd
from snnkd.cli import main
from snnkd.datasets.eyesim import simulate_sequence
from snnkd.errors import ConfigError
from snnkd.events import empty_events
from snnkd.inference import Request
from snnkd.inference.sources import find_recordings
from snnkd.recordings import write_hdf5


@pytest.fixture
def model(small_model):
    return small_model


@pytest.fixture
def many(tmp_path):
    """Recordings in folders, and files that are none."""
    made = simulate_sequence(0, 1, "surprise", 0, size=(32, 32), duration_s=0.5)
    for name in ("a.h5", "deep/b.h5", "deep/deeper/c.h5", 'deep/[d] & "e".h5'):
        path = tmp_path / "many" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_hdf5(path, made.events, (32, 32), made.frames, made.metadata)
    (tmp_path / "many" / "notes.md").write_text("no recording")
    (tmp_path / "many" / ".hidden.h5").write_bytes((tmp_path / "many" / "a.h5").read_bytes())
    return tmp_path / "many"


def names(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


def test_what_is_meant(many):
    every = ["a.h5", 'deep/[d] & "e".h5', "deep/b.h5", "deep/deeper/c.h5"]
    assert names(find_recordings([many]), many) == every
    assert names(find_recordings([many / "deep", many / "a.h5", many]), many) == [*every[1:], "a.h5"]
    assert names(find_recordings([f"{many}/*.h5"]), many) == ["a.h5"]
    assert names(find_recordings([f"{many}/**/c.h5"]), many) == ["deep/deeper/c.h5"]
    assert find_recordings([many / "deep" / '[d] & "e".h5'])  # a name that looks like a pattern is a name
    assert find_recordings(["absent.h5"])  # which opening then tells
    with pytest.raises(ConfigError, match="matches no recording"):
        find_recordings([f"{many}/*.aedat4"])
    (many / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: holds no recording"):
        find_recordings([many / "empty"])


def test_results_among_recordings_are_no_recordings(model, many, capsys):
    """An output folder inside the input, and one that is the input: what was written is not read again."""
    for out in (many / "results", many):
        for _ in range(2):
            assert main(["infer", str(model), str(many), "-o", str(out)]) == 0
    assert len(find_recordings([many], many / "results")) == 4
    assert capsys.readouterr().out.count("4 were there already") == 2
    with pytest.raises(ConfigError, match="path is empty"):
        find_recordings([""])


def test_a_recording_is_never_overwritten_by_its_result(model, tmp_path, capsys):
    text = tmp_path / "here" / "events.csv"
    text.parent.mkdir()
    made = simulate_sequence(0, 1, "fear", 0, size=(32, 32), duration_s=0.3).events
    text.write_text("t,x,y,p\n" + "".join(f"{e['t']},{e['x']},{e['y']},{int(e['p'])}\n" for e in made))
    before = text.read_bytes()
    assert main(["infer", str(model), str(text), "-o", str(text.parent)]) == 2
    assert "would be overwritten by its own result" in capsys.readouterr().err
    assert text.read_bytes() == before
    assert main(["infer", str(model), str(text), "-o", str(tmp_path / "elsewhere")]) == 0


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_what_is_done_is_not_done_again_unless_something_changed(model, many, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["infer", str(model), str(many), "-o", str(out)]) == 0
    first = stamps(out)
    assert len(first) == 4 * len(Request().endings)
    assert main(["infer", str(model), str(many), "-o", str(out)]) == 0
    assert stamps(out) == first
    assert "4 were there already" in capsys.readouterr().out
    # Another content: only this one is computed.
    made = simulate_sequence(0, 1, "fear", 0, size=(32, 32), duration_s=0.5)
    write_hdf5(many / "a.h5", made.events, (32, 32), overwrite=True)
    assert main(["infer", str(model), str(many), "-o", str(out)]) == 0
    changed = {name for name, stamp in stamps(out).items() if stamp != first[name]}
    assert changed == {f"a.{ending}" for ending in Request().endings}
    # Other settings, or one file gone: computed.
    second = stamps(out)
    (out / "b.csv").unlink()
    assert main(["infer", str(model), str(many), "-o", str(out)]) == 0
    assert {n for n, s in stamps(out).items() if s != second.get(n)} == {f"b.{ending}" for ending in Request().endings}
    assert main(["infer", str(model), str(many), "-o", str(out), "--margin", "0.2"]) == 0
    assert all(stamp != first[name] for name, stamp in stamps(out).items())
    third = stamps(out)
    assert main(["infer", str(model), str(many), "-o", str(out), "--margin", "0.2", "--again"]) == 0
    assert all(stamp != third[name] for name, stamp in stamps(out).items())


def test_pages_and_videos_are_written_once_for_each_result(model, many, tmp_path, capsys):
    out, every = tmp_path / "out", 4
    assert main(["infer", str(model), str(many), "-o", str(out), "--page"]) == 0
    assert len(list(out.glob("*.html"))) == every + 1  # and the index
    assert f"wrote {every * 4} files" in capsys.readouterr().out
    first = stamps(out)
    assert main(["infer", str(model), str(many), "-o", str(out)]) == 0  # asks for less than there is
    assert stamps(out) == first
    # Another result without a page: the page beside it is an older one's, and is not taken for its own.
    one = ["infer", str(model), str(many / "a.h5"), "-o", str(out), "--margin", "0.2"]
    assert main(one) == 0
    assert stamps(out)["a.html"] == first["a.html"]
    assert main([*one, "--page", "--video"]) == 0
    assert stamps(out)["a.html"] != first["a.html"]
    again = stamps(out)
    assert {name for name in again if name.endswith("mp4")} == {"a.mp4"}
    assert main([*one, "--page", "--video"]) == 0
    assert {name for name, stamp in stamps(out).items() if stamp != again[name]} == {"index.html"}


def test_the_index_names_what_failed(model, many, tmp_path):
    (many / "none.h5").write_bytes(b"")
    out = tmp_path / "out"
    assert main(["infer", str(model), str(many), "-o", str(out), "--page"]) == 2
    text = (out / "index.html").read_text()
    assert "none.h5: the file is empty" in text
    assert not (out / "none.html").exists()


def test_one_bad_recording_never_stops_the_others(model, many, tmp_path, capsys):
    write_hdf5(many / "deep" / "silent.h5", empty_events(), (32, 32))
    whole = (many / "a.h5").read_bytes()
    (many / "cut.h5").write_bytes(whole[: len(whole) // 3])
    (many / "none.h5").write_bytes(b"")
    (many / "back.csv").write_text("t,x,y,p\n" + "".join(f"{t},1,2,1\n" for t in (10_000, 20_000, 9_000, 30_000)))
    out = tmp_path / "out"
    assert main(["infer", str(model), str(many), "absent.h5", "-o", str(out)]) == 2
    error = capsys.readouterr().err
    for part in (
        "silent.h5: holds no events",
        "cut.h5",
        "none.h5: the file is empty",
        "absent.h5: no such file",
        "back.csv: time runs backwards",
    ):
        assert part in error
    assert "5 of 9 recordings failed." in error
    assert len(list(out.glob("*.json"))) == 4


def test_a_run_that_was_killed_is_gone_on_with(model, tmp_path):
    """SIGKILL over fifty recordings: every result whole, none computed twice, nothing half-written under a name."""
    made = simulate_sequence(0, 2, "anger", 0, size=(32, 32), duration_s=0.4)
    folder, out = tmp_path / "fifty", tmp_path / "out"
    folder.mkdir()
    for number in range(50):
        write_hdf5(folder / f"{number:02d}.h5", made.events[: -1 - number], (32, 32))
    command = [sys.executable, "-m", "snnkd.cli", "infer", str(model), str(folder), "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(out.glob("*.json"))) < 5 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = {path.name: path.stat().st_mtime_ns for path in out.glob("*.json") if not path.name.startswith(".")}
    assert 5 <= len(left) < 50
    for name in left:
        assert json.loads((out / name).read_text())["format"] == "snnkd-timeline"
    assert main(["infer", str(model), str(folder), "-o", str(out)]) == 0
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("[0-9]*.json")}
    assert len(after) == 50
    assert {name: after[name] for name in left} == left  # none twice
    expected = snnkd.load(model).recognize(snnkd.open_recording(folder / "07.h5"), "45nm-fp32")
    assert json.loads((out / "07.json").read_text())["windows"] == json.loads(expected.json_bytes())["windows"]


def test_two_runs_into_one_folder_do_not_harm_each_other(model, many, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "snnkd.cli", "infer", str(model), str(many), "-o", str(out), "--page"]
    runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    for path in out.glob("*.json"):
        assert json.loads(path.read_text())["of"]["files"] == ["csv", "png", "html", "json"]
    assert len(list(out.iterdir())) == 4 * 4 + 1  # nothing half-written is left


def test_an_output_that_cannot_be_written_is_told_at_once(model, many, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["infer", str(model), str(many), "-o", str(tmp_path / "file")]) == 2
    assert main(["infer", str(model), str(many), "-o", str(tmp_path / "file" / "below")]) == 2
    error = capsys.readouterr().err
    assert "is a file: give a folder" in error
    assert "cannot be made" in error


def test_a_name_as_long_as_the_file_system_takes(model, many, tmp_path):
    long = many / f"{'n' * 250}.h5"
    (many / "a.h5").rename(long)
    out = tmp_path / "out"
    assert main(["infer", str(model), str(long), "-o", str(out), "--no-plot"]) == 0
    assert sorted(len(path.name) for path in out.iterdir()) == [254, 255]
