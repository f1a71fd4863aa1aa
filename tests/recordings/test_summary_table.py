"""What ``snnkd info`` shows: every width, what a file claims of itself, where it comes from, and words for numbers."""

import json
import math

import numpy as np
import pytest

from snnkd.events import make_events
from snnkd.recordings import Frames, SensorModel, convert, open_recording, simulate_recording, write_hdf5
from snnkd.recordings.summary import describe
from snnkd.recordings.summary_table import counted, dumps, events_per_second, plain, seconds, table

SIZE = (64, 48)


def scene(path, metadata, frames=None, count=3000):
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 1_500_000, count))
    x, y = rng.integers(0, 64, count), rng.integers(0, 48, count)
    x[: count // 3], y[: count // 3] = np.arange(count // 3) % 12 * 5, 7  # twelve hot pixels
    write_hdf5(path, make_events(x, y, t, t % 2), SIZE, frames, metadata)
    return path


def facts_of(path, **options):
    return describe(open_recording(path, **options))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 300])
def test_lines_keep_to_the_width_and_end_in_no_blanks(tmp_path, width):
    long = "word " * 40
    metadata = {"note": long, "a_key_of_some_length_that_is_long": [1, 2], "x": "y" * 150}
    facts = facts_of(scene(tmp_path / "a.h5", metadata))
    facts["path"] = "a.h5"
    lines = table(facts, width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() and line for line in lines)
    hot = "\n".join(lines).partition("hot pixels")[2].partition("frames")[0]
    assert len(facts["hot_pixels"]) == 12
    for line in hot.splitlines():
        assert line.count("(") == line.count(")"), line  # no pair is broken
    assert "and 4 more" in " ".join(hot.split())


def test_what_a_file_claims_does_not_take_the_place_of_what_was_measured(tmp_path):
    claims = {"events": "5,000,000", "frames": 4, "sensor": "1×1", "format": "other", "warning": "none"}
    images = np.zeros((5, 48, 64), np.uint8)
    frames = Frames(images, np.arange(5) * 40_000)
    facts = facts_of(scene(tmp_path / "a.h5", claims, frames))
    measured, _, claimed = table(facts).partition("\nmetadata\n")
    assert "events         3,000, 2.0 kev/s" in measured
    assert "frames         5, 25.0 a second for 160 ms, from 0 µs" in measured
    assert "5,000,000" not in measured
    assert [line.split() for line in claimed.splitlines()] == [[key, str(value)] for key, value in claims.items()]


def test_escapes_do_not_reach_the_terminal(tmp_path):
    facts = facts_of(scene(tmp_path / "a.h5", {"note": "\x1b[31mred\x9b0m\u202e", "k\x1b[2J": 1}))
    facts["path"], facts["warnings"] = "a\x1b]0;title\x07", ["cut\r\x1b[1A"]
    text = table(facts)
    assert not set(text) & {"\x1b", "\x9b", "\x07", "\r", "\u202e"}
    for spelt in (r"\x1b[31mred\x9b0m\u202e", r"k\x1b[2J", r"a\x1b]0;title\x07", r"cut\r\x1b[1A"):
        assert spelt in text


def test_a_size_that_was_guessed_is_said_to_be(tmp_path):
    (tmp_path / "x.txt").write_text("1 3 2 1\n2 5 7 0\n")
    assert "sensor         6×8 (guessed: all that the events span)\n" in table(facts_of(tmp_path / "x.txt"))
    assert "sensor         64×48\n" in table(facts_of(tmp_path / "x.txt", sensor_size=SIZE))


def test_frames_alone_are_not_told_of_events(tmp_path):
    frames = Frames(np.zeros((3, 48, 64), np.uint8), np.array([5, 40_005, 80_005]))
    write_hdf5(tmp_path / "a.h5", make_events([], [], [], []), SIZE, frames)
    keys = [line.split()[0] for line in table(facts_of(tmp_path / "a.h5")).splitlines()[1:]]
    assert keys == ["format", "sensor", "events", "frames"]


@pytest.mark.parametrize(
    ("sensor", "told"),
    [
        (SensorModel.davis346(seed=3), "davis346, seed 3"),
        (SensorModel.noiseless(), "noiseless, seed 0"),
        (SensorModel.davis346_near_eye(threshold_on=0.7), "davis346_near_eye with threshold_on 0.7, seed 0"),
    ],
)
def test_where_a_recording_comes_from_is_told_through_every_step(tmp_path, sensor, told):
    images = np.zeros((4, 48, 64), np.uint8)
    for i, image in enumerate(images):
        image[:, 10 + i : 20 + i] = 200
    frames = Frames(images, np.arange(4) * 33_333)
    write_hdf5(tmp_path / "v.h5", make_events([], [], [], []), SIZE, frames)
    simulate_recording(tmp_path / "v.h5", tmp_path / "s.h5", sensor, fps=30)
    convert(tmp_path / "s.h5", tmp_path / "t.npz")
    convert(tmp_path / "t.npz", tmp_path / "u.h5")
    facts = facts_of(tmp_path / "u.h5")
    made = [line[15:] for line in table(facts, 200).splitlines() if line.startswith("made")]
    assert made == [
        f"simulated from v.h5 at 30 frames a second, {told}",
        "converted from s.h5 (snnkd HDF5)",
        "converted from t.npz (NPZ)",
    ]
    assert facts["metadata"]["simulated_from"]["name"] == "v.h5"
    assert facts["metadata"]["sensor_model"]["threshold_on"] == sensor.threshold_on
    assert "metadata" not in table(facts, 200).split()  # nothing else is left to tell


def test_what_was_lost_before_a_conversion_is_still_told(tmp_path):
    (tmp_path / "x.txt").write_text("t_us x y p\n1 3 2 1\n2 5 7 0\n3 5 ")
    with pytest.warns(UserWarning, match="may be cut"):
        convert(tmp_path / "x.txt", tmp_path / "y.h5")
    text = table(facts_of(tmp_path / "y.h5"), 200)
    assert "converted from x.txt (text); then: the last line, at byte 27, has no end and may be cut" in text


def test_json_holds_no_nan_and_a_list_of_numbers_on_one_line():
    value = {"a": math.nan, "b": [1.0, math.inf], "c": np.int64(3), "d": (np.float32(0.5), {"e": np.arange(3)}), 5: {1}}
    assert plain(value) == {"a": None, "b": [1.0, None], "c": 3, "d": [0.5, {"e": [0, 1, 2]}], "5": [1]}
    facts = {"many": list(range(900)), "pairs": [[1, 2], [3, 4]], "of": [{"x": 1}, {}], "none": {}, "text": "µ\n{"}
    text = dumps(facts)
    assert json.loads(text) == facts
    assert len(text.splitlines()) == 12
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"a": math.nan})


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (0, "0 µs"), (5, "5 µs"), (999, "999 µs"), (1000, "1 ms"), (50_000, "50 ms"), (999_499, "999 ms"),
        (999_999, "1.00 s"), (5_426_153, "5.43 s"), (599_000_000, "599.00 s"), (660_000_000, "11 min (660 s)"),
        (2**32, "1 h 11 min (4,295 s)"),
    ],
)  # fmt: skip
def test_times_in_words(us, said):
    assert seconds(us) == said


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.5, "0.5 ev/s"), (999, "999 ev/s"), (999.9, "1.0 kev/s"), (76_700, "76.7 kev/s"), (999_999, "1.0 Mev/s"),
        (10_789_600, "10.8 Mev/s"), (1.25e9, "1.2 Gev/s"),
    ],
)  # fmt: skip
def test_rates_in_words(rate, said):
    assert events_per_second(rate) == said
    assert (counted(0, "event"), counted(1, "event"), counted(2000, "event")) == ("0 events", "1 event", "2,000 events")


def test_the_date_of_an_epoch_and_of_no_other_time(tmp_path):
    (tmp_path / "x.txt").write_text("1605537493718345 3 2 1\n1605537493718349 5 7 0\n")
    assert "1,605,537,493,718,345 µs (2020-11-16 14:38:13 UTC)" in table(facts_of(tmp_path / "x.txt"))
    (tmp_path / "x.txt").write_text("-5 3 2 1\n2 5 7 0\n")
    assert "start          -5 µs\n" in table(facts_of(tmp_path / "x.txt"))
