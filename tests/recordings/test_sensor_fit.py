"""Fitting the sensor model: it finds what made the events, and a real camera is met."""

from dataclasses import replace

import numpy as np
import pytest

from snnkd.errors import SnnkdWarning
from snnkd.events import drop_pixels, empty_events, hot_pixels, make_events
from snnkd.recordings import Frames, SensorModel, open_recording, simulate_events
from snnkd.recordings.sensor_fit import compare_events, fit_sensor


def moving_scene(count=20, shape=(40, 50)):
    """A bright disc that crosses a scene from dark to bright."""
    rows, columns = np.indices(shape)
    images = []
    for i in range(count):
        disc = (rows - 20) ** 2 + (columns - 5 - 2 * i) ** 2 < 80
        images.append(np.clip(5 + 4 * columns + 60 * disc + 20 * np.sin(rows / 3 + i), 0, 255))
    return Frames(np.array(images).astype(np.uint8), np.arange(count) * 20_000)


@pytest.mark.parametrize("noise", [{}, {"leak_jitter": 0.1, "cutoff_hz": 100.0, "refractory_us": 100}])
def test_finds_the_thresholds_that_made_the_events(noise):
    frames = moving_scene()
    truth = SensorModel(0.21, 0.27, linear_below=40, seed=1, **noise)
    real = simulate_events(frames.images, frames.timestamps_us, truth)
    fitted = fit_sensor(frames, real, SensorModel(seed=2, **noise), linear_below=[10, 20, 40, 80])
    assert fitted == replace(truth, seed=2, threshold_on=fitted.threshold_on, threshold_off=fitted.threshold_off)
    assert fitted.threshold_on == pytest.approx(0.21, rel=0.03)
    assert fitted.threshold_off == pytest.approx(0.27, rel=0.03)
    assert fit_sensor(frames, real, SensorModel(linear_below=30, **noise)).linear_below == 30
    for knees in (np.array([20.0, 40.0]), np.array([40])):
        assert fit_sensor(frames, real, SensorModel(seed=2, **noise), linear_below=knees).linear_below == 40
    assert fit_sensor(frames, real, SensorModel(**noise), linear_below=np.array([])).linear_below == 20


@pytest.fixture
def near_eye(sample):
    """Frames of a real near-eye recording, its events without those of hot pixels, and the sensor's size."""
    path, _ = sample("evbeye_user9/0/events.aerdat")
    with pytest.warns(SnnkdWarning, match="cut record"):
        recording = open_recording(path.parent)
    size = recording.sensor_size
    hot = hot_pixels(recording.events, size)
    assert hot.sum() == 4
    return recording.frames, drop_pixels(recording.events, hot), size


@pytest.mark.parametrize(
    ("preset", "count", "rates", "places", "early"),
    [("davis346", 259_644, 0.992, 0.742, 0.46), ("davis346_near_eye", 259_447, 0.995, 0.910, 0.44)],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_presets_make_what_a_real_camera_made(near_eye, preset, count, rates, places, early, seed):
    """The figures in the presets' docstrings; another seed is another camera, of which they hold nearly."""
    frames, real, size = near_eye
    made = simulate_events(frames.images, frames.timestamps_us, getattr(SensorModel, preset)(seed))
    agreement = compare_events(real, made, frames.timestamps_us, size)
    assert agreement.real == 259_579
    assert agreement.made == pytest.approx(count, rel=1e-2 if seed else 1e-3)
    assert agreement.made_on == pytest.approx(agreement.real_on, abs=0.01)
    assert agreement.rate_correlation == pytest.approx(rates, abs=0.001)
    assert agreement.spatial_correlation == pytest.approx(places, abs=0.004)
    # From the start: a leak that began at a random phase made 72% of them ON.
    start = compare_events(real, made, frames.timestamps_us[:3], size)
    assert start.real_on == pytest.approx(0.41, abs=0.005)
    assert start.made_on == pytest.approx(early, abs=0.01)
    assert start.made == pytest.approx(start.real, rel=0.2)


def test_the_near_eye_preset_is_what_the_fit_finds(near_eye):
    frames, real, _ = near_eye
    fitted = fit_sensor(frames, real, SensorModel.davis346(), linear_below=[20, 40, 60, 70, 80, 90, 100, 120])
    preset = SensorModel.davis346_near_eye()
    assert replace(fitted, threshold_on=preset.threshold_on, threshold_off=preset.threshold_off) == preset
    assert fitted.threshold_on == pytest.approx(preset.threshold_on, rel=0.01)
    assert fitted.threshold_off == pytest.approx(preset.threshold_off, rel=0.01)


def test_meets_a_real_camera(near_eye):
    """The near-eye pair: total within 10%, rate correlation 0.95, spatial correlation 0.75, and more."""
    frames, real, size = near_eye
    knees = [20.0, 80.0, 100.0]
    for base in (SensorModel.davis346(), SensorModel.noiseless()):
        fitted = fit_sensor(frames, real, base, linear_below=knees)
        made = simulate_events(frames.images, frames.timestamps_us, fitted)
        agreement = compare_events(real, made, frames.timestamps_us, size)
        assert abs(agreement.made / agreement.real - 1) < 0.01
        assert abs(agreement.made_on - agreement.real_on) < 0.01
        assert agreement.rate_correlation > 0.98
        assert agreement.spatial_correlation > 0.88
    # Fitted to one half, it holds for the other.
    halves = [Frames(frames.images[part], frames.timestamps_us[part]) for part in (slice(0, 16), slice(15, 31))]
    for seen, unseen in (halves, halves[::-1]):
        fitted = fit_sensor(seen, real, SensorModel.davis346(), linear_below=knees)
        made = simulate_events(unseen.images, unseen.timestamps_us, fitted)
        agreement = compare_events(real, made, unseen.timestamps_us, size)
        assert abs(agreement.made / agreement.real - 1) < 0.25
        assert agreement.rate_correlation > 0.95
        assert agreement.spatial_correlation > 0.75


def test_figures_of_a_comparison():
    times = np.array([0, 100, 200, 300])
    real = make_events([0, 1, 1, 2, 2, 2, 0], [0] * 7, [0, 1, 100, 101, 200, 300, 301], [1, 1, 0, 1, 1, 0, 1])
    made = make_events([1, 2], [0, 0], [50, 250], [1, 1])
    agreement = compare_events(real, made, times, (4, 1))
    assert (agreement.real, agreement.made) == (5, 2)  # after the first frame, up to the last
    assert (agreement.real_on, agreement.made_on) == (0.6, 1.0)
    assert agreement.rate_correlation == pytest.approx(np.corrcoef([2, 2, 1], [1, 0, 1])[0, 1])
    counts = np.array([0.0, 2, 3, 0])
    clipped = np.minimum(counts, np.percentile(counts, 99))
    assert agreement.spatial_correlation == pytest.approx(np.corrcoef(clipped, [0, 1, 1, 0])[0, 1])
    nothing = compare_events(real, empty_events(), times, (4, 1))
    assert nothing.made == 0
    assert np.isnan([nothing.made_on, nothing.rate_correlation, nothing.spatial_correlation]).all()


def test_what_cannot_be_fitted_is_told():
    frames = moving_scene(4)
    real = simulate_events(frames.images, frames.timestamps_us, SensorModel())
    with pytest.raises(ValueError, match="at least two frames"):
        fit_sensor(Frames(frames.images[:1], frames.timestamps_us[:1]), real)
    with pytest.raises(ValueError, match="ON and OFF events"):
        fit_sensor(frames, real[real["p"]])
    with pytest.raises(ValueError, match="no thresholds make"):  # a still scene cannot make them
        fit_sensor(Frames(frames.images[[0, 0]], frames.timestamps_us[:2]), real, SensorModel.noiseless())
    with pytest.raises(ValueError, match="outside the sensor"):
        fit_sensor(Frames(frames.images[:, :9], frames.timestamps_us), real)
