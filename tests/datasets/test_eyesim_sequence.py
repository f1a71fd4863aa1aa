from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import ks_2samp

from snnkd.datasets.eyesim import Person, Settings, sequence, simulate_sequence, simulate_session
from snnkd.datasets.eyesim.expression import PROTOTYPES, Course, apex, dialect, express, minimum_jerk, strays
from snnkd.datasets.eyesim.lighting import EXPOSURE, Lighting, draw_lighting, photograph
from snnkd.datasets.eyesim.motion import wander
from snnkd.datasets.eyesim.state import ACTION_UNITS, State
from snnkd.datasets.labels import EMOTIONS, LIGHTINGS
from snnkd.errors import DatasetError
from snnkd.recordings import SensorModel

SMALL = Settings(size=(32, 32), duration_s=0.5, substeps=4)


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


def test_what_carries_no_label_is_drawn_alike_for_all_emotions(monkeypatch):
    """Blinks, gaze, pupil, slip, light: over takes, no emotion has them otherwise than another (Kolmogorov-Smirnov)."""
    shown: dict[str, list[list[float]]] = {emotion: [] for emotion in EMOTIONS}

    def note(who, states, times_us, settings, condition, metadata, rng):
        light = draw_lighting(condition, times_us * 1e-6, rng)
        mute = states[:, len(ACTION_UNITS) - 1 :]
        facts = [*mute.mean(0), *np.abs(np.diff(mute, axis=0)).sum(0), light.lights[0].level, light.lights[0].x]
        shown[metadata["emotion"]].append(facts)

    monkeypatch.setattr(sequence, "_film", note)
    for emotion in EMOTIONS:
        for take in range(250):
            simulate_sequence(3, take % 5, emotion, take, Settings(substeps=1))
    table = {emotion: np.array(rows) for emotion, rows in shown.items()}
    for emotion in EMOTIONS[1:]:
        for a, b in zip(table["happiness"].T, table[emotion].T, strict=True):
            assert ks_2samp(a, b).pvalue > 1e-4


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
    # Frames are the drawn scene times the headroom: the sensor's response is a logarithm above 5 DN of it.
    sensor = SensorModel.noiseless(theta, linear_below=5.0)
    settings = Settings(size=(48, 48), duration_s=0.6, sensor=sensor, frame_noise=0.0, substeps=4)
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
    assert units.shape == (400, 9)
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
    """Over many takes each unit of the prototype is shown as often and as strongly as it says, and nothing else is."""
    rng = np.random.default_rng(1)
    takes = np.array([apex(emotion, Person(), rng) for _ in range(600)])
    expected = {unit.name: unit for unit in PROTOTYPES[emotion]}
    for name, shown in zip(ACTION_UNITS, takes.T, strict=True):
        if name not in expected:
            assert shown.max() == 0
            continue
        unit = expected[name]
        assert (shown > 0).mean() == pytest.approx(unit.probability, abs=0.07)
        assert shown[shown > 0].mean() == pytest.approx((unit.low + unit.high) / 2, abs=0.06)
        assert unit.low <= shown[shown > 0].min() <= shown.max() <= unit.high


def test_persons_show_an_emotion_in_their_own_way():
    """A dialect is a person's own and stays; over persons its probabilities lie around the textbook's."""
    textbook = dialect(None)
    assert textbook["fear", "au5"] == (0.80, 1.0)
    assert dialect(7) == dialect(7) != dialect(8)
    odds = [np.log(p / (1 - p)) for p in (dialect(i)["fear", "au5"][0] for i in range(500))]
    assert np.mean(odds) == pytest.approx(np.log(4), abs=0.15)
    assert np.std(odds) == pytest.approx(1.0, abs=0.1)


def test_stray_movements_are_faint_and_never_blinks():
    times, rng = np.linspace(0, 1.5, 100), np.random.default_rng(0)
    tracks = np.stack([strays(times, rng) for _ in range(300)])
    assert tracks.max() < 0.5
    assert tracks[..., ACTION_UNITS.index("au45")].max() == 0
    assert 0.5 < (tracks.max(axis=(1, 2)) > 0.03).mean() < 0.9


@pytest.mark.parametrize("emotion", ["fear", "neutral"])
def test_a_take_is_the_same_performance_under_every_lighting(emotion, monkeypatch):
    """What moves, labelled or not, is equal; what lights and records it is not."""
    played = []
    film = sequence._film
    monkeypatch.setattr(sequence, "_film", lambda *args: played.append(args[1]) or film(*args))
    settings = Settings(size=(64, 64), duration_s=0.6, substeps=4)
    made = {light: simulate_sequence(0, 4, emotion, 0, settings, lighting=light) for light in LIGHTINGS}
    assert len({str(m.metadata["apex"]) + str(m.metadata["segments"]) for m in made.values()}) == 1
    assert [m.metadata["lighting"] for m in made.values()] == list(LIGHTINGS)
    for states in played[1:]:
        np.testing.assert_array_equal(states, played[0])
    mean = {light: m.frames.images.mean() for light, m in made.items()}
    assert mean["low-light"] < 0.8 * mean["normal"] < 0.8 * mean["overexposed"]
    clipped = {light: (m.frames.images == 255).mean() for light, m in made.items()}
    assert clipped["overexposed"] > 0.05 > clipped["normal"]
    with pytest.raises(DatasetError, match="unknown lighting 'dusk'"):
        simulate_sequence(0, 4, emotion, 0, settings, lighting="dusk")


def test_the_side_lamp_leaves_a_dark_and_a_bright_side():
    """Over persons, the range of brightness within a picture, blurred, is much larger than under the normal lamp."""

    def contrast(light: str, person: int) -> float:
        image = simulate_sequence(0, person, "neutral", 0, SMALL, lighting=light).frames.images[0].astype(float)
        low, high = np.percentile(image, [5, 95])
        return (high + 1) / (low + 1)

    assert np.median([contrast("HDR", p) / contrast("normal", p) for p in range(8)]) > 2


@pytest.mark.parametrize("times", [np.arange(0, 2, 1 / 1000), Settings().subframe_times(2.0)[:-1] * 1e-6])
def test_lamps_flicker_at_twice_the_mains_frequency(times):
    for seed in range(4):
        lights = draw_lighting("low-light", times, np.random.default_rng(seed)).lights
        level = np.array([light.level for light in lights])
        spectrum = np.abs(np.fft.rfft(level - level.mean()))
        assert np.fft.rfftfreq(len(times), times[1])[spectrum.argmax()] == pytest.approx(100.0, abs=0.6)
        assert np.ptp(level) / level.mean() < 0.13


def test_gain_shows_noise_and_the_range_clips():
    scene = np.full((40, 32, 32), 10.0, np.float32)

    def taken(scene: np.ndarray, gain: float, exposure: float = EXPOSURE) -> np.ndarray:
        return photograph(scene, Lighting([], gain, exposure, 1.0), 1.5, np.random.default_rng(0)).astype(float)

    plain, raised = taken(scene, 4.0), taken(scene, 12.0)
    assert plain.mean() == pytest.approx(40, abs=0.5)
    assert plain.std() == pytest.approx(np.hypot(1.5, 0.4 * np.sqrt(10)), rel=0.05)
    assert raised.std() == pytest.approx(3 * plain.std(), rel=0.05)
    assert taken(10 * scene, 4.0).min() == 255
    # Twice the exposure and half the gain: as bright, with less noise.
    longer = taken(scene, 2.0, 2 * EXPOSURE)
    assert longer.mean() == pytest.approx(plain.mean(), abs=0.5)
    assert longer.std() < 0.8 * plain.std()


def test_unlabelled_movement_has_blinks_saccades_and_slip():
    times = np.arange(0, 60, 1 / 120)
    track = wander(times, np.random.default_rng(3))
    assert track.shape == (len(times), len(State._fields) - len(ACTION_UNITS) + 1)  # AU45 is among them
    blink, gaze, slip = track[:, 0], track[:, 1], track[:, 4]
    blinks = int(((blink[1:] > 0.5) & (blink[:-1] <= 0.5)).sum())
    assert 4 <= blinks <= 30  # 15 expected in a minute
    assert blink.min() == 0
    assert blink.max() <= 1
    assert (blink > 0.05).mean() < 0.25
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
