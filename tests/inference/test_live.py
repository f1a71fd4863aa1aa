"""Streams whose events are still to come, and files that still grow."""

import threading
import time

import numpy as np
import pytest
from evt2_file import evt2_bytes

import snnkd
from snnkd.cli import main
from snnkd.datasets.eyesim import simulate_session
from snnkd.errors import ConfigError, ModelError
from snnkd.events import make_events
from snnkd.inference import Settings, Validity
from snnkd.recordings import write_hdf5


@pytest.fixture
def recording(tmp_path):
    made = simulate_session(0, 1, ["surprise", "anger"], size=(32, 32), seconds_each=0.6, rest_s=0.3)
    write_hdf5(tmp_path / "r.h5", made.events, (32, 32), made.frames, made.metadata)
    return snnkd.open_recording(tmp_path / "r.h5")


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(mode="clips"), Settings(mode="clips", hop=1), Settings(reset_us=20_000)]
)
def test_windows_one_by_one_are_those_of_the_timeline(small_model, recording, settings):
    recognizer = snnkd.load(small_model)
    timeline = recognizer.recognize(recording, "45nm-fp32", settings=settings)
    for told in (
        list(recognizer.stream(recording, "45nm-fp32", settings)),
        fed_live(recognizer, recording, settings, 371),
        fed_live(recognizer, recording, settings, 1),
    ):
        assert [reading.start_us for reading in told] == timeline.start_us.tolist()
        assert np.array([reading.logits for reading in told], np.float32).tobytes() == timeline.logits.tobytes()
        assert [reading.label for reading in told] == timeline.labels
        assert [reading.quality for reading in told] == timeline.qualities
        assert [reading.valid for reading in told] == timeline.valid.tolist()
        assert [reading.events for reading in told] == timeline.events.tolist()
        np.testing.assert_allclose([reading.joules for reading in told], timeline.joules)
        np.testing.assert_allclose([reading.confidence for reading in told], timeline.confidence)
        assert told[3].start_s == pytest.approx(0.06)


def fed_live(recognizer, recording, settings, chunk):
    hot = np.zeros((32, 32), np.bool_)
    live = recognizer.live((32, 32), recording.start_us, "45nm-fp32", settings, hot)
    told = []
    for begin in range(0, recording.event_count, chunk):
        told += live.feed(recording.events[begin : begin + chunk])
    return [*told, *live.finish()]


def test_a_window_is_told_once_it_is_over_even_in_silence(small_model):
    live = snnkd.load(small_model).live((32, 32), 1_000)
    assert list(live.feed(make_events([1], [1], [5_000], [1]))) == []
    (first,) = live.until(21_000)
    assert (first.start_us, first.end_us, first.events, first.quality) == (1_000, 21_000, 1, "good")
    assert [reading.quality for reading in live.until(81_000)] == ["silent"] * 3
    with pytest.raises(ValueError, match="time runs backwards"):
        list(live.feed(make_events([1], [1], [5_000], [1])))


def test_settings_that_cannot_be_are_refused(small_model):
    for arguments, message in [
        ({"mode": "clip"}, "mode: must be stream or clips"),
        ({"hop": 3}, "hop: a number of windows"),
        ({"mode": "clips", "reset_us": 5}, "reset: a time above zero"),
        ({"backend": "cuda"}, "backend: must be one of"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Settings(**arguments)
    recognizer = snnkd.load(small_model)
    with pytest.raises(ConfigError, match="a clip has 8 windows"):
        recognizer.live((32, 32), settings=Settings(mode="clips", hop=9))
    recognizer.input.pop("steps")
    with pytest.raises(ModelError, match=r"input.steps must be a whole number"):
        recognizer.live((32, 32), settings=Settings(mode="clips"))
    with pytest.raises(ConfigError, match="auto looks at where events are"):
        snnkd.load(small_model).live((32, 32), settings=Settings(region="auto"))
    with pytest.raises(ConfigError, match="must lie inside the sensor of 32×32"):
        snnkd.load(small_model).live((32, 32), settings=Settings(region=(0, 0, 40, 10)))


def test_a_temperature_makes_less_sure_and_changes_no_label(small_model, recording):
    import json

    path = small_model / "config.json"
    plain = snnkd.load(small_model).recognize(recording)
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"training": {"temperature": 2.0}}))
    timeline = snnkd.load(small_model).recognize(recording)
    assert timeline.labels == plain.labels
    assert (timeline.confidence < plain.confidence).all()
    np.testing.assert_allclose(
        timeline.probabilities**2 / (timeline.probabilities**2).sum(1, keepdims=True), plain.probabilities
    )
    assert timeline.model["temperature"] == 2.0
    for wrong in (0, "hot", True):
        path.write_text(json.dumps(config | {"training": {"temperature": wrong}}))
        with pytest.raises(ModelError, match=r"training.temperature must be from"):
            snnkd.load(small_model)


def test_a_silent_half_hour_and_a_region(small_model, tmp_path):
    events = make_events([3, 4, 20], [3, 4, 20], [0, 1_800_000_000, 1_800_000_001], [1, 0, 1])
    write_hdf5(tmp_path / "silent.h5", events, (64, 48))
    recording = snnkd.open_recording(tmp_path / "silent.h5")
    timeline = snnkd.load(small_model).recognize(recording, settings=Settings(region=(0, 0, 10, 10)))
    assert len(timeline) == 90_001
    assert timeline.events[[0, -1]].tolist() == [1, 1]
    assert timeline.qualities.count("silent") == 89_999
    assert timeline.recording["crop"] == [0, 0, 10, 10]
    strict = Settings(validity=Validity(least_events=3))
    assert not snnkd.load(small_model).recognize(recording, settings=strict).valid[0]


def raw(path, seconds):
    """Write an EVT2 file as a camera does, a part at a time."""
    made = simulate_session(0, 2, ["fear"], size=(32, 32), seconds_each=seconds, rest_s=0.2).events
    data = evt2_bytes(made, (32, 32))
    with open(path, "wb") as file:
        for start in range(0, len(data), 4_001):  # within words, too
            file.write(data[start : start + 4_001])
            file.flush()
            time.sleep(0.01)


def test_the_command_follows_a_file_that_grows(small_model, tmp_path, capsys):
    path, out = tmp_path / "live.raw", tmp_path / "out"
    camera = threading.Thread(target=raw, args=(path, 0.8))
    camera.start()
    command = ["infer", str(small_model), str(path), "--follow", "--idle", "1.5", "-o", str(out), "--no-plot"]
    assert main(command) == 0
    camera.join()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith(("events", ")")) and " s " in line]
    timeline = snnkd.load(small_model).recognize(snnkd.open_recording(path))
    assert len(lines) == len(timeline)
    assert [line.split()[2] for line in lines] == timeline.labels
    assert (out / "live.csv").exists()


def test_what_cannot_be_followed_is_told(small_model, tmp_path, recording, capsys):
    base = ["infer", str(small_model)]
    for command, message in [
        ([*base, "a.raw", "b.raw", "--follow"], "--follow: follows one file"),
        ([*base, "a.raw"], "-o: give a folder"),
        ([*base, "a.raw", "--follow", "--region", "auto"], "none has come yet"),
        ([*base, "a.raw", "--follow", "--simulate"], "reads events"),
        ([*base, str(tmp_path / "absent.raw"), "--follow", "--idle", "0.1"], "did not appear within 0.1 s"),
        ([*base, str(recording.path), "--follow"], "only AEDAT4, RAW and DAT files can be followed"),
    ]:
        assert main(command) == 2
        assert message in capsys.readouterr().err
