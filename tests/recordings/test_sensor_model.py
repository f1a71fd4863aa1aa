"""The sensor model's parameters and presets, and what its functions say to bad input."""

import dataclasses
import math
import warnings

import numpy as np
import pytest
from sensor_scenes import EVERYTHING, moving_frames

from snnkd.errors import SnnkdWarning
from snnkd.recordings import EventSimulator, SensorModel, simulate_events


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold_on", 0.0),
        ("threshold_off", -0.3),
        ("threshold_on", math.nan),
        ("threshold_spread", -1e-9),
        ("linear_below", 1.0),
        ("refractory_us", -1),
        ("refractory_us", 0.5),
        ("refractory_us", 1 << 61),
        ("leak_rate_hz", math.inf),
        ("leak_rate_hz", 2e6),
        ("shot_noise_hz", -1.0),
        ("leak_jitter", 0.6),
        ("leak_jitter", -0.1),
        ("cutoff_hz", -1.0),
        ("cutoff_hz", math.nan),
        ("leak_spread_decades", -0.1),
        ("leak_spread_decades", 1.1),
        ("leak_spread_decades", math.nan),
        ("seed", -1),
        ("seed", True),
    ],
)
def test_a_bad_parameter_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        SensorModel(**{field: value})


GOOD = np.zeros((2, 3, 4), np.uint8)


@pytest.mark.parametrize(
    ("frames", "times", "message"),
    [
        (GOOD, [0], "more frames"),
        (GOOD, [0, 1, 2], "2 frames and 3 timestamps"),
        (GOOD[:0], [], "0 frames"),
        (GOOD, [5, 5], "grow strictly"),
        (GOOD, [5, 4], "grow strictly"),
        (GOOD, [0.0, 1.0], "integers"),
        (GOOD, [0, 1 << 62], "2\\^61"),
        ([GOOD[0], np.zeros((4, 3), np.uint8)], [0, 1], "frame 1 has shape"),
        ([GOOD[0], GOOD[0] + np.nan], [0, 1], "frame 1 has values"),
        ([GOOD[0], np.full((3, 4), 256.0)], [0, 1], "frame 1 has values"),
        ([np.full((3, 4), -1)], [0], "frame 0 has values"),
        ([np.full((3, 4), "a")], [0], "frame 0 has type"),
        (np.zeros((2, 3, 4, 3), np.uint8), [0, 1], "N, H, W"),
        (np.zeros((2, 0, 4), np.uint8), [0, 1], "shape"),
    ],
)
def test_bad_input_is_told(frames, times, message):
    with pytest.raises(ValueError, match=message):
        simulate_events(frames, times)


def test_a_refused_frame_leaves_the_simulator_as_it_was():
    frames, times = moving_frames()
    a, b = (EventSimulator(SensorModel(), frames.shape[1:]) for _ in range(2))
    for i, (frame, t) in enumerate(zip(frames, times, strict=True)):
        if i == 5:
            with pytest.raises(ValueError, match="values"):
                b.step(frame.astype(float) - 1e6, t)
            with pytest.raises(ValueError, match="grow"):
                b.step(frame, times[0])
        np.testing.assert_array_equal(a.step(frame, t), b.step(frame, t))


@pytest.mark.parametrize("threads", [0, -2])
def test_threads_must_be_some(threads):
    with pytest.raises(ValueError, match="threads"):
        EventSimulator(EVERYTHING, (4, 5), threads=threads)


@pytest.mark.parametrize("shape", [(2.7, 3.2), (3,), (3, 4, 1), (0, 4), (4, 32_769), ("3", "4"), 5, None])
def test_a_shape_is_two_integers(shape):
    with pytest.raises(ValueError, match=r"shape must be \(H, W\), two integers in 1\.\.32768"):
        EventSimulator(EVERYTHING, shape)


def test_a_shape_may_be_of_numpys_integers():
    assert EventSimulator(EVERYTHING, np.array([3, 4], np.int16)).shape == (3, 4)


@pytest.mark.parametrize("sensor", ["davis346", SensorModel.davis346, {}, ""])
def test_what_is_no_sensor_is_told(sensor):
    with pytest.raises(TypeError, match=r"sensor must be a SensorModel, such as SensorModel\.davis346\(\), got"):
        simulate_events(GOOD, [0, 1], sensor)


PRESETS = ["noiseless", "clean", "noisy", "davis346", "davis346_near_eye"]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_take_changes(preset):
    make = getattr(SensorModel, preset)
    changed = make(seed=7, threshold_on=0.123, linear_below=33.0)
    assert (changed.seed, changed.threshold_on, changed.linear_below) == (7, 0.123, 33.0)
    assert changed == dataclasses.replace(make(), seed=7, threshold_on=0.123, linear_below=33.0)
    with pytest.raises(TypeError, match="threshhold"):
        make(threshhold=0.2)
    with pytest.raises(ValueError, match="leak_jitter"):
        make(leak_jitter=2)


def test_what_is_left_out_is_a_davis346s():
    assert SensorModel() == SensorModel.davis346()
    assert SensorModel.noiseless(0.15) == SensorModel.noiseless(threshold_on=0.15, threshold_off=0.15)
    frames, times = moving_frames()
    events = simulate_events(frames, times, SensorModel.davis346())
    np.testing.assert_array_equal(simulate_events(frames, times), events)


def test_clean_and_noisy_have_v2es_values():
    """``set_dvs_params`` of v2e's emulator, its refractory period in seconds and ours in µs."""
    ours = {
        "pos_thres": "threshold_on", "neg_thres": "threshold_off", "sigma_thres": "threshold_spread",
        "cutoff_hz": "cutoff_hz", "leak_rate_hz": "leak_rate_hz", "leak_jitter_fraction": "leak_jitter",
        "noise_rate_cov_decades": "leak_spread_decades", "shot_noise_rate_hz": "shot_noise_hz",
        "refractory_period_s": "refractory_us",
    }  # fmt: skip
    for preset, values in (
        (SensorModel.clean(), [0.2, 0.2, 0.02, 0, 0, 0, 0, 0, 0]),
        (SensorModel.noisy(), [0.2, 0.2, 0.05, 30, 0.1, 0.1, 0.1, 5.0, 0]),
    ):
        assert [getattr(preset, name) for name in ours.values()] == values
        assert preset.linear_below == 20


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_frames_of_0_to_1_are_told_once(dtype):
    frames, times = moving_frames(6)
    small = (frames / 255).astype(dtype)
    with pytest.warns(SnnkdWarning, match="floats of at most [01].*, expected 0..255; multiply") as caught:
        simulate_events(small, times)
    assert len(caught) == 1
    small[:2] = 0  # black at first: that says nothing
    with pytest.warns(SnnkdWarning, match="multiply") as caught:
        simulate_events(small, times)
    assert len(caught) == 1
    simulator = EventSimulator(SensorModel(), frames.shape[1:])
    for frame, t in zip(small[:3], times[:2], strict=False):
        simulator.step(frame, t)
    with pytest.warns(SnnkdWarning, match="multiply"):
        simulator.step(small[2], times[2])


def test_other_frames_are_not_told_of_their_scale():
    frames, times = moving_frames(6)
    dim = [np.minimum(frames, 1), np.minimum(frames, 1).astype(np.int64), np.zeros(frames.shape), frames * 1.0]
    dim.append(frames * 0.9)
    dim[-1][1:] = 0.5  # the first frame was bright
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for images in dim:
            simulate_events(images, times)
        simulate_events(frames[:1] / 255, times[:1])  # one frame makes no events
