from itertools import pairwise

import numpy as np
import pytest

from snnkd.datasets.eyesim import Person, Settings, simulate_sequence, simulate_session
from snnkd.datasets.eyesim.expression import PROTOTYPES, Course, apex, express, minimum_jerk
from snnkd.datasets.eyesim.motion import wander
from snnkd.datasets.eyesim.state import ACTION_UNITS, State
from snnkd.datasets.labels import EMOTIONS
from snnkd.errors import DatasetError
from snnkd.recordings import SensorModel

SMALL = Settings(size=(32, 32), duration_s=0.5)


def same(a, b) -> bool:
    return (
        np.array_equal(a.events, b.events)
        and np.array_equal(a.frames.images, b.frames.images)
        and a.metadata == b.metadata
    )


def test_a_take_is_the_same_whatever_was_made_before():
    first = simulate_sequence(0, 2, "fear", 1, SMALL)
    simulate_sequence(0, 3, "anger", 0, SMALL)
    np.random.seed(4)  # noqa: NPY002 - the global generator must not matter
    assert same(first, simulate_sequence(0, 2, "fear", 1, SMALL))


@pytest.mark.parametrize("key", [(1, 2, "fear", 1), (0, 1, "fear", 1), (0, 2, "anger", 1), (0, 2, "fear", 0)])
def test_every_part_of_the_key_matters(key):
    assert not np.array_equal(simulate_sequence(0, 2, "fear", 1, SMALL).events, simulate_sequence(*key, SMALL).events)


def test_what_carries_no_label_is_drawn_anew_for_each_emotion():
    """Else a network could compare two takes of a person and subtract all that is not the expression."""
    first = [simulate_sequence(0, 2, e, 1, SMALL).frames.images[0].mean() for e in EMOTIONS]
    assert np.ptp(first) > 5  # light, slip and gaze before the onset


def test_the_sensor_sees_more_than_the_camera():
    """Images between two frames reach the sensor, so events come all the time and not in bursts."""
    settings = Settings(size=(48, 48), duration_s=0.8, sensor=SensorModel.noiseless(0.15))
    made = simulate_sequence(0, 1, "surprise", 0, settings)
    phase = (made.events["t"] - 1) % 33_333 // 8_334  # quarter of the frame period
    assert np.bincount(phase, minlength=4).min() > 0.15 * len(made.events)


def test_times_sizes_and_metadata():
    made = simulate_sequence(0, 0, "angry", 3, size=(40, 32), duration_s=0.4)
    assert made.frames.images.shape == (13, 32, 40)
    assert made.frames.timestamps_us.tolist() == [33_333 * i for i in range(13)]
    assert made.events["t"].min() > 0
    assert made.events["t"].max() <= 12 * 33_333
    assert made.events["x"].max() < 40
    assert made.events["y"].max() < 32
    facts = made.metadata
    assert (facts["person"], facts["emotion"], facts["take"], facts["lighting"]) == (
        "p000",
        "anger",
        3,
        "normal",
    )
    (segment,) = facts["segments"]
    assert 0 <= segment["start_us"] < segment["end_us"] <= 12 * 33_333


def test_events_are_the_change_of_the_frames():
    """With an ideal sensor, a pixel's ON minus OFF events, times the threshold, are its log change."""
    theta = 0.15
    settings = Settings(size=(48, 48), duration_s=0.6, sensor=SensorModel.noiseless(theta), frame_noise=0.0)
    made = simulate_sequence(0, 1, "surprise", 0, settings)
    net = np.zeros((48, 48))
    np.add.at(net, (made.events["y"], made.events["x"]), np.where(made.events["p"], theta, -theta))
    first, last = made.frames.images[[0, -1]].astype(float)
    bright = (first > 25) & (last > 25)  # above the linear part of the sensor's response
    change = np.log(last[bright] / first[bright])
    assert np.abs(change).max() > 2 * theta
    # One threshold of rest, and 3 sigma of the frames' photon noise
    allowed = theta + 0.6 * (1 / np.sqrt(first[bright]) + 1 / np.sqrt(last[bright])) + 0.03
    assert (np.abs(net[bright] - change) < allowed).mean() > 0.99


def test_where_nothing_moves_there_are_only_the_sensors_own_events():
    quiet = Settings(size=(32, 32), duration_s=0.5, sensor=SensorModel.noiseless(0.15))
    events = simulate_sequence(0, 1, "anger", 0, quiet).events
    busiest = np.bincount(events["y"], minlength=32)
    assert busiest[10:26].sum() > 2 * busiest[:6].sum()  # the eye and the brow, not the forehead


def test_the_expression_rises_holds_and_falls():
    times = np.linspace(0, 2, 400)
    course = Course(onset=0.3, rise=0.3, release=1.2, fall=0.3)
    rng = np.random.default_rng(0)
    units = express("surprise", Person(), times, course, rng)
    assert units.shape == (400, 7)
    raised = units[:, ACTION_UNITS.index("au1")]
    assert raised[times < 0.25].max() == 0
    assert raised[(times > 0.75) & (times < 1.1)].min() > 0.3
    assert raised[times > 1.7].max() == 0
    assert np.abs(np.diff(raised)).max() < 0.05


def test_minimum_jerk_is_a_smooth_step():
    u = np.linspace(-1, 2, 301)
    step = minimum_jerk(u)
    assert (step[0], step[-1]) == (0, 1)
    assert (np.diff(step) >= -1e-12).all()
    assert minimum_jerk(np.array([0.5]))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_each_emotion_shows_its_units(emotion):
    """Averaged over takes, the strong units are those of the prototype and nothing else is."""
    rng = np.random.default_rng(1)
    mean = np.mean([apex(emotion, Person(), rng) for _ in range(300)], axis=0)
    expected = {unit.name for unit in PROTOTYPES[emotion]}
    shown = {name for name, value in zip(ACTION_UNITS, mean, strict=True) if value > 0.06}
    assert shown == expected


def test_unlabelled_movement_has_blinks_saccades_and_slip():
    times = np.arange(0, 60, 1 / 120)
    track = wander(times, np.random.default_rng(3))
    assert track.shape == (len(times), len(State._fields) - len(ACTION_UNITS))
    closure, gaze, slip = track[:, 0], track[:, 1], track[:, 4]
    blinks = int(((closure[1:] > 0.5) & (closure[:-1] <= 0.5)).sum())
    assert 6 <= blinks <= 34  # 18 expected in a minute
    assert closure.min() == 0
    assert closure.max() <= 1
    assert (closure > 0.05).mean() < 0.25
    assert np.abs(gaze).max() < 0.45
    speed = np.abs(np.diff(gaze)) * 120
    assert np.percentile(speed, 50) < 0.1
    assert speed.max() > 1.0
    assert 0 < np.abs(np.diff(slip)).max() < 0.01


def test_a_session_names_what_is_shown_when():
    made = simulate_session(0, 1, ["angry", "surprise"], settings=SMALL, seconds_each=0.8, rest_s=0.6, size=(24, 24))
    segments = made.metadata["segments"]
    assert [s["emotion"] for s in segments] == ["neutral", "anger", "neutral", "surprise", "neutral"]
    assert segments[0]["start_us"] == 0
    assert segments[-1]["end_us"] == made.frames.timestamps_us[-1]
    for before, after in pairwise(segments):
        assert before["end_us"] == after["start_us"]
    assert made.frames.timestamps_us[-1] == pytest.approx((2 * 0.8 + 3 * 0.6) * 1e6, abs=40_000)
    assert made.frames.images.shape[1:] == (24, 24)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: simulate_sequence(0, 0, "bored", 0), "'bored'"),
        (lambda: simulate_sequence(0, 0, "fear", 0, size=(8, 8)), "size"),
        (lambda: simulate_sequence(0, 0, "fear", 0, duration_s=0), "duration_s"),
        (lambda: simulate_sequence(0, 0, "fear", 0, substeps=0), "substeps"),
        (lambda: simulate_sequence(0, 0, "fear", 0, frame_rate=float("nan")), "frame_rate"),
        (lambda: simulate_session(0, 0, []), "at least one emotion"),
    ],
)
def test_settings_out_of_range(call, word):
    with pytest.raises(DatasetError, match=word):
        call()
