"""Any recording to a file of ours, and what is in a recording, as the command line tells it."""

import json
import warnings

import encoders
import numpy as np
import pytest

from snnkd.cli import main
from snnkd.errors import SnnkdWarning
from snnkd.events import make_events
from snnkd.recordings import Frames, convert, open_recording, write_hdf5


def scene(count=5000, seed=0):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 1_000_000, count)) + 50_000
    return make_events(rng.integers(0, 64, count), rng.integers(0, 48, count), t, rng.integers(0, 2, count))


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_raw_becomes_ours(tmp_path, ending, capsys):
    events = scene()
    words = encoders.evt3(*(events[name] for name in "xytp"))
    (tmp_path / "a.raw").write_bytes(encoders.header("evt 3.0", "geometry 64x48") + bytes(words))
    target = tmp_path / f"b{ending}"
    assert main(["data", "convert", str(tmp_path / "a.raw"), str(target)]) == 0
    assert "5,000 events" in capsys.readouterr().out
    written = open_recording(target)
    np.testing.assert_array_equal(written.events, open_recording(tmp_path / "a.raw").events)
    assert written.sensor_size == (64, 48)
    assert written.metadata["converted_from"]["format"] == "EVT3"


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_frames_and_metadata_go_along(tmp_path, ending):
    images = np.random.default_rng(0).integers(0, 255, (4, 48, 64), np.uint8)
    frames = Frames(images, np.array([0, 10, 20, 30]))
    write_hdf5(tmp_path / "a.h5", scene(), (64, 48), frames, {"person": "p1"})
    assert main(["data", "convert", str(tmp_path / "a.h5"), str(tmp_path / f"b{ending}")]) == 0
    written = open_recording(tmp_path / f"b{ending}")
    np.testing.assert_array_equal(written.frames.images, images)
    assert written.frames.timestamps_us.tolist() == [0, 10, 20, 30]
    assert written.metadata["person"] == "p1"


@pytest.mark.filterwarnings("always::snnkd.errors.SnnkdWarning")
def test_the_real_near_eye_recording(sample, digest, tmp_path, capsys):
    path, facts = sample("evbeye_user9/0/events.aerdat")
    assert main(["data", "convert", str(path.parent), str(tmp_path / "eye.h5")]) == 0
    assert "8 bytes are a cut record" in capsys.readouterr().err
    written = open_recording(tmp_path / "eye.h5")
    assert digest(written.events) == facts["sha256_events_t8x2y2p1"]
    assert len(written.frames) == 31
    assert "8 bytes" in written.metadata["converted_from"]["warnings"][0]


@pytest.mark.parametrize(
    ("target", "message"),
    [("b.csv", "must end in .h5, .hdf5, .npz, got '.csv'"), ("there.h5", "is there already"), ("no/b.h5", "no/b.h5")],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_lost(tmp_path, target, message, capsys):
    write_hdf5(tmp_path / "a.h5", scene(), (64, 48))
    (tmp_path / "there.h5").write_bytes(b"mine")
    assert main(["data", "convert", str(tmp_path / "a.h5"), str(tmp_path / target)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert (tmp_path / "there.h5").read_bytes() == b"mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "there.h5"]


def test_a_source_that_breaks_off_leaves_what_was_there(tmp_path, capsys):
    write_hdf5(tmp_path / "a.h5", scene(400_000), (64, 48))
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.h5").write_bytes(b"mine")
    assert main(["data", "convert", str(tmp_path / "cut.h5"), str(tmp_path / "b.h5"), "--overwrite"]) == 2
    assert (tmp_path / "b.h5").read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 3


def test_info_names_hot_pixels_and_draws_the_activity(tmp_path, capsys):
    events = np.concatenate([scene(), np.repeat(scene(1), 2000)])
    events = events[np.argsort(events["t"], kind="stable")]
    images = np.zeros((5, 48, 64), np.uint8)
    write_hdf5(tmp_path / "a.h5", events, (64, 48), Frames(images, np.arange(5) * 40_000))
    assert main(["info", str(tmp_path / "a.h5"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    x, y, _ = facts["hot_pixels"][0]
    assert (x, y) == (int(scene(1)["x"][0]), int(scene(1)["y"][0]))
    assert sum(facts["activity"]["events"]) == facts["events"] == 7000
    assert (facts["frames"], facts["frames_start_us"], facts["frames_end_us"]) == (5, 0, 160_000)
    assert main(["info", str(tmp_path / "a.h5")]) == 0
    told = capsys.readouterr().out
    assert "█" in told
    assert f"({x}, {y})" in told
    assert "5, 25.0 a second" in told


def test_info_of_a_recording_without_events(tmp_path, capsys):
    write_hdf5(tmp_path / "a.h5", scene(0), (64, 48))
    assert main(["info", str(tmp_path / "a.h5")]) == 0
    told = capsys.readouterr().out
    assert "events  none" in told
    assert "hot pixels" not in told


def test_simulate_a_video(tmp_path, capsys):
    import cv2

    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    for i in range(12):
        image = np.full((48, 64, 3), 60, np.uint8)
        image[10:30, 4 * i : 4 * i + 10] = 220
        writer.write(image)
    writer.release()
    command = ["data", "simulate", str(tmp_path / "v.avi"), "-o", str(tmp_path / "e.h5"), "--sensor", "noiseless"]
    assert main(command) == 0
    assert "of 12 frames" in capsys.readouterr().out
    made = open_recording(tmp_path / "e.h5")
    assert made.event_count > 500
    assert len(made.frames) == 12
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err
    for option, value in (("--threshold", "0"), ("--fps", "-1")):
        assert main([*command, "--overwrite", option, value]) == 2
        assert capsys.readouterr().err.startswith(f"snnkd: error: {option}: ")


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_what_was_only_found_while_reading_is_told_in_what_is_written(tmp_path, ending):
    """A cut record is found at the begin, words of another kind and a last line without its end at the end."""
    events = scene(50)
    words = bytes(encoders.evt3(*(events[name] for name in "xytp")))
    trigger = (0xA000).to_bytes(2, "little")
    unplaced = bytes.fromhex("01 20")  # an event before any time
    data = encoders.header("evt 3.0", "geometry 64x48") + unplaced + words + trigger
    (tmp_path / "a.raw").write_bytes(data)
    with pytest.warns(SnnkdWarning, match="1 event was left out"):
        written = convert(tmp_path / "a.raw", tmp_path / f"b{ending}")
    assert written.event_count == 50
    origin = written.metadata["converted_from"]
    assert [w.split(":")[0] for w in origin["warnings"]] == ["1 event was left out"]
    assert written.metadata["trigger_words"] == 1
    (tmp_path / "a.csv").write_text("t,x,y,p\n1,2,3,1\n2,2,3,1\n3,2")
    with pytest.warns(SnnkdWarning):
        written = convert(tmp_path / "a.csv", tmp_path / f"c{ending}")
    assert any("last line" in warning for warning in written.metadata["converted_from"]["warnings"])


def test_where_it_came_from_first_is_kept(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3 1\n2 5 5 0\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = convert(tmp_path / "a.txt", tmp_path / "b.npz")
    second = convert(first, tmp_path / "c.h5")
    third = convert(tmp_path / "c.h5", tmp_path / "d.npz")
    origin = third.metadata["converted_from"]
    assert (origin["format"], origin["name"]) == ("snnkd HDF5", "c.h5")
    assert origin["converted_from"] == second.metadata["converted_from"]
    assert origin["converted_from"]["converted_from"] == first.metadata["converted_from"]
    assert first.metadata["converted_from"]["name"] == "a.txt"


def test_converting_frames_holds_none_of_them(tmp_path, monkeypatch):
    frames = Frames(np.zeros((50, 48, 64), np.uint8), np.arange(50))
    write_hdf5(tmp_path / "a.h5", scene(), (64, 48), frames)
    source = open_recording(tmp_path / "a.h5")
    monkeypatch.setattr(type(source), "_read_frames", lambda *_: pytest.fail("all frames were read at once"))
    assert convert(source, tmp_path / "b.h5").frame_count == 50
