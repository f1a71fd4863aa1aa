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


def test_meets_a_real_camera(sample):
    """The near-eye pair: total within 10%, rate correlation 0.95, spatial correlation 0.75, and more."""
    path, _ = sample("evbeye_user9/0/events.aerdat")
    with pytest.warns(SnnkdWarning, match="cut record"):
        recording = open_recording(path.parent)
    frames, size = recording.frames, recording.sensor_size
    real = drop_pixels(recording.events, hot_pixels(recording.events, size))
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
