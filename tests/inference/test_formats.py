"""From files to totals: whatever the format, the same timeline, and no event lost."""

from pathlib import Path

import numpy as np
import pytest
from evt2_file import evt2_bytes

import snnkd
from snnkd.datasets.eyesim import simulate_session
from snnkd.recordings import write_hdf5, write_npz

NEAR_EYE = Path(__file__).parents[3] / "shared" / "samples" / "evbeye_user9" / "0"


def test_formats_give_the_same_timeline(small_model, tmp_path):
    made = simulate_session(0, 3, ["happiness", "fear"], size=(40, 32), seconds_each=0.6, rest_s=0.3)
    events = made.events
    events = np.concatenate([events, np.repeat(events[-1:], 3_000)])  # a hot pixel
    events["x"][-3_000:], events["y"][-3_000:] = 20, 9
    order = np.argsort(events["t"], kind="stable")
    events = events[order]
    write_hdf5(tmp_path / "a.h5", events, (40, 32))
    write_npz(tmp_path / "a.npz", events, (40, 32))
    (tmp_path / "a.raw").write_bytes(evt2_bytes(events, (40, 32)))
    recognizer = snnkd.load(small_model)
    timelines = [recognizer.recognize(snnkd.open_recording(tmp_path / f"a.{kind}")) for kind in ("h5", "npz", "raw")]
    for timeline in timelines:
        facts = timeline.recording
        assert facts["events"] == len(events)
        assert (facts["hot_pixels"], facts["hot_events"]) == (1, int(((events["x"] == 20) & (events["y"] == 9)).sum()))
        inside = (events["x"] >= 4) & (events["x"] < 36)
        assert timeline.events.sum() == inside.sum() - facts["hot_events"]
        assert facts["duration_us"] == events["t"][-1] - events["t"][0]
        assert len(timeline) == facts["duration_us"] // 20_000 + 1
        assert timeline.logits.tobytes() == timelines[0].logits.tobytes()
    assert timelines[0].totals()["events"] == timelines[0].events.sum()


@pytest.mark.skipif(not NEAR_EYE.exists(), reason="the real recording is not here")
@pytest.mark.filterwarnings("ignore::snnkd.errors.SnnkdWarning")
def test_a_real_recording_reconciles_to_the_event(small_model):
    recording = snnkd.open_recording(NEAR_EYE)
    timeline = snnkd.load(small_model).recognize(recording, "45nm-fp32")
    events, facts = recording.events, timeline.recording
    x, y, w, h = facts["crop"]
    hot = snnkd.events.hot_pixels(events, recording.sensor_size)
    inside = (events["x"] >= x) & (events["x"] < x + w) & (events["y"] >= y) & (events["y"] < y + h)
    lit = hot[events["y"], events["x"]]
    assert facts["events"] == len(events) == 416_087
    assert facts["hot_pixels"] == hot.sum() == 4
    assert facts["hot_events"] == lit.sum()
    assert timeline.events.sum() == (inside & ~lit).sum()
    per_window = np.bincount((events["t"][inside & ~lit] - events["t"][0]) // 20_000, minlength=len(timeline))
    np.testing.assert_array_equal(timeline.events, per_window)
    assert "blink" in timeline.qualities  # there is one, half a second in
    assert (timeline.joules > 0).all()
