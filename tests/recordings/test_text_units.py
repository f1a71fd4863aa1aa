"""Text and arrays without names: units of time and orders of columns that are told, refused or never taken silently."""

import numpy as np
import pytest

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings._column_names import infer_unit

T0 = 1_657_711_738_105_396
EVENTS = [(120, 45, T0, True), (121, 45, T0 + 5, False), (0, 259, T0 + 5, True), (345, 0, T0 + 1_000_000, False)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.txt"


def test_units():
    few, slow, quick = np.array([5.0, 6.0]), np.arange(1000) * 0.00111, np.arange(1000) * 0.00099
    assert infer_unit(True, 0, few) == "us"
    assert infer_unit(True, 0, np.empty(0)) == "us"
    assert infer_unit(False, 4, few) == "s"
    assert infer_unit(False, 4, quick) == "s"
    for whole, decimals, times in ((False, 3, few), (True, 0, few * 1e17), (False, 4, slow)):
        with pytest.raises(ValueError, match="say the unit"):
            infer_unit(whole, decimals, times)


@pytest.mark.parametrize("template", ["{s:.6f} {x} {y} {p}", "{s!r} {x} {y} {p}", "{s:.18e} {x} {y} {p}"])
def test_seconds_that_nothing_tells_are_taken_with_a_warning(path, template):
    path.write_text("".join(template.format(x=x, y=y, s=t / 1e6, p=int(p)) + "\n" for x, y, t, p in EVENTS))
    with pytest.warns(
        SnnkdWarning, match="more than three decimals are taken for s; say the unit.*unit='ms'.*--unit ms"
    ):
        recording = open_recording(path)
    assert recording.events.tolist() == EVENTS
    assert open_recording(path, unit="s").warnings == []


RATE = 250_000
TRUE_US = np.sort(np.random.default_rng(0).integers(0, 1_200_000, 3000)) // (1_200_000 // (3000 * 1_000_000 // RATE))


@pytest.mark.parametrize(
    ("unit", "spelling", "outcome"),
    [
        ("us", lambda t: f"{t}", "read"),
        ("ns", lambda t: f"{t * 1000}", "2000 events last .* too few for a sensor; say the unit"),
        ("ms", lambda t: f"{t // 1000}", "2000 events last .* too many for a sensor; say the unit"),
        ("ms", lambda t: f"{t / 1000:.6f}", "may be s or ms: say the unit"),
        ("ms", lambda t: f"{t / 1000 + 0.0001:.6f}", "as s these times are 2000 events in 8 s: say the unit"),
        ("s", lambda t: f"{t / 1e6:.6f}", "taken for s"),
    ],
)
def test_a_unit_that_is_taken_wrong_is_never_silent(path, unit, spelling, outcome):
    """A quarter of a million events a second, written in each unit without naming it."""
    path.write_text("".join(f"{spelling(int(t))} {i % 300} {i % 200} {i % 2}\n" for i, t in enumerate(TRUE_US)))
    if outcome == "read":
        assert open_recording(path).events["t"].tolist() == TRUE_US.tolist()
    elif outcome.endswith(("sensor; say the unit", "taken for s")):
        with pytest.warns(SnnkdWarning, match=outcome):
            open_recording(path)
    else:
        with pytest.raises(RecordingError, match=outcome):
            open_recording(path)
    told = open_recording(path, unit=unit)
    assert told.warnings == []
    assert np.abs(told.events["t"] - TRUE_US).max() <= (1000 if "." not in spelling(1) and unit == "ms" else 1)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (TRUE_US * 1000, "3000 events last .* too few for a sensor; say the unit"),
        (TRUE_US / 1000 + 0.0001, "as s these times are 3000 events in 12 s: say the unit"),
        (TRUE_US / 1e6, "taken for s; say the unit"),
    ],
)
def test_nor_is_it_of_an_array(tmp_path, times, message):
    table = np.zeros(len(times), [("t", times.dtype), ("x", "i2"), ("y", "i2"), ("p", "?")])
    table["t"] = times
    np.save(tmp_path / "x.npy", table)
    with pytest.raises((RecordingError, SnnkdWarning), match=message):
        open_recording(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("times", "unit", "message"),
    [
        (1_657_711_738.0 + np.arange(4) * 0.01, "s", r"event 0 \(byte .* as float32, which has steps of 128 there"),
        (2.0**24 + np.arange(4) * 100, "us", "as float32, which has steps of 2 there: the times are lost"),
        (20.0 + np.arange(4) * 0.01, "s", "its times are float32, which near 20.03 has steps of 1.9 µs"),
        (2.0**24 - 400 + np.arange(4) * 100, "us", None),
        (1.0 + np.arange(4) * 0.01, "s", None),
    ],
)
def test_times_that_float32_cannot_hold_are_refused_or_told(tmp_path, times, unit, message):
    table = np.zeros(4, [("t", "f4"), ("x", "i2"), ("y", "i2"), ("p", "?")])
    table["t"] = times
    np.save(tmp_path / "x.npy", table)
    recording = open_recording(tmp_path / "x.npy", unit=unit)
    if message is None:
        assert np.abs(recording.events["t"] - times * (1e6 if unit == "s" else 1)).max() <= 1
    elif "are lost" in message or "there" in message:
        with pytest.raises(RecordingError, match=message):
            _ = recording.events
    else:
        with pytest.warns(SnnkdWarning, match=message):
            _ = recording.events


@pytest.mark.parametrize("order", ["xypt", "xytp", "txyp"])
@pytest.mark.parametrize("count", [16, 3000])
def test_prophesees_order_is_told_however_early_the_file_begins(path, order, count):
    """As its tools write it: ``x,y,p,t`` without names, from 0 µs on, so that times could be coordinates."""
    rng = np.random.default_rng(1)
    t = np.arange(count)
    columns = {
        "x": rng.integers(0, 1280, count),
        "y": rng.integers(0, 720, count),
        "p": rng.integers(0, 2, count),
        "t": t,
    }
    rows = zip(*(columns[name].tolist() for name in order), strict=True)
    path.write_text("%geometry:1280,720\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    recording = open_recording(path)
    assert recording.sensor_size == (1280, 720)
    assert recording.metadata["columns"] == " ".join(order)
    for name in "xytp":
        assert recording.events[name].tolist() == columns[name].tolist()
