"""The recognizer: windows in chunks give what one call gives, and a model that does not fit is refused."""

import json

import numpy as np
import pytest
import torch

import snnkd
from snnkd.datasets.eyesim import simulate_sequence
from snnkd.errors import ModelError, RecordingError
from snnkd.events import bin_events, empty_events
from snnkd.recordings import write_hdf5


@pytest.fixture
def model(small_model):
    return small_model


@pytest.fixture
def recording(tmp_path):
    made = simulate_sequence(0, 1, "surprise", 0, size=(32, 32), duration_s=0.7)
    write_hdf5(tmp_path / "r.h5", made.events, (32, 32), made.frames, made.metadata)
    return snnkd.open_recording(tmp_path / "r.h5")


def test_a_timeline_is_the_networks_output_over_the_windows(model, recording):
    recognizer = snnkd.load(model)
    timeline = recognizer.recognize(recording)
    n = len(timeline)
    assert n == recording.duration_us // 20_000 + 1
    bins = bin_events(recording.events, (32, 32), recording.start_us, 20_000, n)
    with torch.no_grad():
        logits = recognizer.network(torch.from_numpy(bins.astype(np.float32)).unsqueeze(1))[:, 0]
    np.testing.assert_allclose(timeline.logits, logits.numpy(), rtol=1e-4, atol=1e-5)
    assert timeline.events.sum() == recording.event_count
    assert len(set(timeline.logits[:, 0])) > n // 2


def test_a_recording_without_events_is_refused(model, tmp_path):
    write_hdf5(tmp_path / "empty.h5", empty_events(), (32, 32))
    with pytest.raises(RecordingError, match=r"empty.h5: holds no events"):
        snnkd.load(model).recognize(snnkd.open_recording(tmp_path / "empty.h5"))


@pytest.mark.parametrize("window", [None, 0, "33", True])
def test_a_model_without_its_window_is_refused(model, window):
    path = model / "config.json"
    config = json.loads(path.read_text())
    config["input"] = {} if window is None else {"window_us": window}
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"config.json: input.window_us must be a whole number"):
        snnkd.load(model)


def test_energy_of_windows_adds_up_to_that_of_the_recording(model, recording):
    recognizer = snnkd.load(model)
    timeline, plain = recognizer.recognize(recording, "45nm-fp32"), recognizer.recognize(recording)
    np.testing.assert_array_equal(timeline.logits, plain.logits)
    n = len(timeline)
    bins = bin_events(recording.events, (32, 32), recording.start_us, 20_000, n)
    report = snnkd.energy.profile(recognizer.network, torch.from_numpy(bins.astype(np.float32)).unsqueeze(1))
    np.testing.assert_allclose(timeline.joules, report.per_step(), rtol=1e-9)
    assert timeline.watts == pytest.approx(timeline.joules.sum() / (n * 0.02))
    assert timeline.model["hardware"] == "45nm-fp32"
    header, first, *_ = timeline.csv_bytes().decode().splitlines()
    assert float(dict(zip(header.split(","), first.split(","), strict=True))["joules"]) == pytest.approx(
        timeline.joules[0], rel=1e-3
    )
    assert "joules" not in plain.csv_bytes().decode().splitlines()[0]
    assert json.loads(timeline.json_bytes())["watts"] == pytest.approx(timeline.watts)
