"""The commands on recordings: options that a file needs, several files, JSON, progress, every knob of the sensor."""

import dataclasses
import inspect
import json
import os
import pty
import subprocess
import sys

import cv2
import numpy as np
import pytest

from snnkd.cli import main
from snnkd.cli.parser import FIELDS, SENSORS, make_parser
from snnkd.cli.recordings import READING
from snnkd.events import make_events
from snnkd.recordings import SensorModel, open_recording, write_hdf5
from snnkd.terminal import as_text, counting, plain_table

RUN = [sys.executable, "-m", "snnkd.cli"]


@pytest.fixture
def text(tmp_path):
    (tmp_path / "x.txt").write_text("5 0.001 1 2 1\n5 0.003 2 7 0\n")
    return tmp_path / "x.txt"


@pytest.fixture
def video(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    for i in range(6):
        image = np.full((48, 64, 3), 60, np.uint8)
        image[10:30, 6 * i : 6 * i + 12] = 220
        writer.write(image)
    writer.release()
    return tmp_path / "v.avi"


def folder(path):
    path.mkdir()
    for i in range(4):
        cv2.imwrite(str(path / f"{i}.png"), np.full((48, 64), 40 * i, np.uint8))
    return path


def info(capsys, *arguments):
    assert main(["info", "--json", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_remedies_that_errors_name_can_be_typed(text, tmp_path, capsys):
    assert main(["info", str(text)]) == 2
    assert "has 5 columns without names" in (told := capsys.readouterr().err)
    assert "--columns xypt" in told
    assert main(["info", str(text), "--columns=-txyp"]) == 2
    assert "--unit ms" in capsys.readouterr().err
    arguments = [str(text), "--columns=-txyp", "--unit", "s", "--sensor-size", "30x20"]
    facts = info(capsys, *arguments)
    assert (facts["start_us"], facts["duration_us"], facts["sensor_size"]) == (1000, 2000, [30, 20])
    assert main(["data", "convert", *arguments, str(tmp_path / "y.h5")]) == 0
    capsys.readouterr()
    written = open_recording(tmp_path / "y.h5")
    assert written.events.tolist() == [(1, 2, 1000, True), (2, 7, 3000, False)]
    assert written.sensor_size == (30, 20)
    assert info(capsys, folder(tmp_path / "f"), "--fps", 50)["frames_end_us"] == 60_000
    assert main(["info", str(tmp_path / "y.h5"), "--camera", "DVS128"]) == 2
    assert "is snnkd HDF5, which takes no camera; it takes none" in capsys.readouterr().err


def test_every_option_of_a_reader_of_ours_can_be_typed():
    from snnkd.recordings import registry

    ours = {name for known in registry._formats for name in known.options}
    assert ours - {"margin"} == set(READING)  # margin: of SEE's grey levels, which nobody needs to look into a file


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--unit", "min"),
        ("--columns", "txy"),
        ("--sensor-size", "346"),
        ("--sensor-size", "0x5"),
        ("--fps", "1000000000"),
        ("--fps", "nan"),
        ("--camera", "mine"),
    ],
)
def test_what_an_option_cannot_be_is_one_line(text, option, value, capsys):
    assert main(["info", str(text), option, value]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"snnkd: error: {option}: ")
    assert told.count("\n") == 1


def test_several_files_and_one_that_is_none(text, tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.array([[5, 1, 2, 1]]))
    np.save(tmp_path / "b.npy", np.array([[5, 1, 2, 1], [6, 1, 2, 0]]))
    names = [str(tmp_path / name) for name in ("a.npy", "none.npy", "b.npy")]
    assert main(["info", *names]) == 2
    told = capsys.readouterr()
    assert told.out.index("a.npy") < told.out.index("b.npy")
    assert "\n\n" in told.out
    assert told.err == f"snnkd: error: {names[1]}: no such file or folder\n"
    assert main(["info", "--json", *names]) == 2
    assert [facts["events"] for facts in json.loads(capsys.readouterr().out)] == [1, 2]
    assert main(["info", names[0]]) == 0
    assert "busiest pixel  1 event\n" in capsys.readouterr().out


@pytest.mark.filterwarnings("always::snnkd.errors.SnnkdWarning")
def test_a_warning_is_told_once(tmp_path, capsys):
    (tmp_path / "x.txt").write_text("t_us x y p\n5 1 2 1\n6 1 ")
    assert main(["info", str(tmp_path / "x.txt")]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.count("may be cut") == 1
    assert main(["data", "convert", str(tmp_path / "x.txt"), str(tmp_path / "y.npz")]) == 0
    assert capsys.readouterr().err.count("may be cut") == 1


def test_json_is_json_whatever_the_metadata(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", events=np.array([[5, 1, 2, 1]]), metadata='{"gain": NaN, "of": [Infinity, 1]}')
    assert main(["info", "--json", str(tmp_path / "x.npz")]) == 0

    def refuse(name):
        raise AssertionError(name)

    text = capsys.readouterr().out
    facts = json.loads(text, parse_constant=refuse)
    assert facts["metadata"]["gain"] is None
    assert facts["metadata"]["of"] == [None, 1]


@pytest.mark.parametrize("columns", [50, 90])
def test_info_keeps_to_the_terminal_it_is_in(tmp_path, columns):
    events = make_events(np.arange(200) % 60, np.arange(200) % 40, np.arange(200), np.arange(200) % 2)
    write_hdf5(tmp_path / "a.h5", events, (64, 48), metadata={"note": "word " * 30})
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    code = f"import fcntl, struct, termios; fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('4H', 24, {columns}, 0, 0))"
    command = [sys.executable, "-c", f"{code}\nfrom snnkd.cli import main; main(['info', 'a.h5'])"]
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, env=environment, cwd=tmp_path) as process:
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            text += part
    os.close(master)
    lines = text.decode().splitlines()
    assert process.returncode == 0, text
    assert columns - 12 < max(map(len, lines)) <= columns
    assert all(lines)


def test_every_preset_and_field_of_the_sensor_is_an_option():
    presets = [
        name
        for name, value in inspect.getmembers(SensorModel, inspect.ismethod)
        if value.__func__.__annotations__.get("return") == "SensorModel"
    ]
    assert sorted(SENSORS) == sorted(presets)
    assert {*FIELDS, "seed"} == {field.name for field in dataclasses.fields(SensorModel)}


def test_the_knobs_of_the_sensor_reach_it(video, tmp_path, capsys):
    values = {
        "threshold_on": 0.2, "threshold_off": 0.25, "threshold_spread": 0.01, "linear_below": 12.0, "cutoff_hz": 100.0,
        "refractory_us": 50, "leak_rate_hz": 0.5, "leak_jitter": 0.1, "leak_spread_decades": 0.2, "shot_noise_hz": 0.3,
    }  # fmt: skip
    assert set(values) == set(FIELDS)
    options = [part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = ["data", "simulate", str(video), "-o", str(tmp_path / "e.h5"), "--seed", "7"]
    assert main([*command, *options]) == 0
    assert open_recording(tmp_path / "e.h5").metadata["sensor_model"] == {**values, "seed": 7}
    for arguments, sensor in (
        ([], SensorModel.davis346(seed=7)),
        (["--sensor", "davis346_near_eye"], SensorModel.davis346_near_eye(seed=7)),
        (["--threshold", "0.2"], SensorModel.davis346(seed=7, threshold_on=0.2, threshold_off=0.2)),
        (
            ["--threshold", "0.2", "--threshold-off", "0.4"],
            SensorModel.davis346(seed=7, threshold_on=0.2, threshold_off=0.4),
        ),
    ):
        assert main([*command, "--overwrite", *arguments]) == 0
        assert open_recording(tmp_path / "e.h5").metadata["sensor_model"] == dataclasses.asdict(sensor)
    capsys.readouterr()
    assert main([*command, "--overwrite", "--threshold-off", "0.001"]) == 2
    assert capsys.readouterr().err.startswith("snnkd: error: --threshold-off: threshold_off must be")
    assert main(["info", str(tmp_path / "e.h5")]) == 0
    assert "simulated from v.avi, davis346 with threshold_on 0.2, threshold_off 0.4, seed 7" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize("kind", ["convert", "simulate"])
def test_nothing_is_said_to_begin_before_it_does(tmp_path, kind):
    (tmp_path / "no.h5").write_bytes(b"nothing")
    target = ["-o", "out.h5"] if kind == "simulate" else ["out.h5"]
    ran = subprocess.run([*RUN, "data", kind, "no.h5", *target], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith("snnkd: error: no.h5: ")
    assert ran.stderr.count("\n") == 1


def test_progress_is_told_in_words_that_hold(capsys, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with counting("converting") as progress:
        assert capsys.readouterr().err.strip("\x1b[?25lh\r\n") == ""
        progress(1500, None)
    drawn = capsys.readouterr().err
    assert "1,500" in drawn
    assert "?" not in drawn.replace("[?25", "")
    assert "passed" in drawn
    assert "left" not in drawn


def test_tables_end_their_lines_where_their_words_end():
    grid = plain_table()
    grid.add_column("a")
    grid.add_column("b")
    grid.add_row("x", "longer")
    grid.add_row("longer", "x")
    assert all(line == line.rstrip() for line in as_text("title", grid).splitlines())


def test_help_of_every_command_stands_in_eighty_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("info", "demo", "evaluate", "energy", "infer"):
        with pytest.raises(SystemExit):
            make_parser().parse_args([command, "--help"])
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
