"""Regions of the sensor, and what is said of windows."""

import numpy as np
import pytest

from snnkd.datasets import EMOTIONS
from snnkd.datasets.eyesim import sequence, simulate_session
from snnkd.errors import ConfigError
from snnkd.events import centre_square
from snnkd.inference.windowing import QUALITIES, Judge, Validity, WindowReader, parse_region, place_region


def judged(shares, cut=3, **limits):
    judge = Judge(Validity(**limits), 1000, 33_333)
    active = np.round(np.array(shares) * 1000).astype(np.int64)
    codes = [judge.judge(active[i : i + cut] * 2, active[i : i + cut]) for i in range(0, len(active), cut)]
    return [QUALITIES[code] for code in np.concatenate(codes)]


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_silence_saturation_and_blinks(cut):
    calm = [0.003] * 20
    lid = [0.1, 0.3, 0.2, 0.05]
    found = judged([*calm, *lid, 0.01, 0.0, 0.7, 0.003], cut)
    assert found == ["good"] * 20 + ["blink"] * 4 + ["good", "silent", "saturated", "good"]
    # Where much moves all the time, that much is no blink; and what does not end becomes the usual.
    assert judged([0.1] * 40, cut) == ["good"] * 40
    lasting = judged([*calm, *[0.2] * 60], cut)
    assert lasting[20:35] == ["blink"] * 15
    assert lasting[60:] == ["good"] * 20
    assert "blink" not in judged([*calm, *lid], cut, blink=1.0)


def test_limits_out_of_range_are_refused():
    for limits, message in [
        ({"least_events": -1}, "least_events"),
        ({"saturated": 0.0}, "saturated must be above 0"),
        ({"blink": 1.5}, "blink must be above 0"),
        ({"burst": 0.5}, "burst must be 1 or above"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Validity(**limits)


def test_lids_of_simulated_eyes_are_found(monkeypatch):
    """EyeSim knows when its lids move: most such windows are called a blink, and hardly any other."""
    closures = []
    wander = sequence.wander

    def spy(times, rng):
        movement = wander(times, rng)
        closures.append((times * 1e6, movement[:, 0]))
        return movement

    monkeypatch.setattr(sequence, "wander", spy)
    lids, others = [], []
    for person in range(4):
        closures.clear()
        events = simulate_session(5, person, list(EMOTIONS)).events
        start, step = int(events["t"][0]), 33_333
        reader = WindowReader((64, 64), (0, 0, 64, 64), (64, 64), start, step, step)
        blocks = [*reader.feed(events), *reader.finish()]
        judge = Judge(Validity(), reader.pixels_seen, step)
        found = np.concatenate([judge.judge(block.events, block.active) for block in blocks])
        times, closure = closures[0]
        for t, code in enumerate(found):
            inside = closure[(times >= start + t * step) & (times < start + (t + 1) * step)]
            if len(inside) and np.ptp(inside) > 0.25:
                lids.append(QUALITIES[code] == "blink")
            elif len(inside) and inside.max() < 0.02:
                others.append(QUALITIES[code] == "blink")
    assert len(lids) > 30
    assert np.mean(lids) > 0.5
    assert np.mean(others) < 0.02


def test_regions():
    assert place_region("centre", (346, 260)) == centre_square((346, 260))
    assert place_region((5, 6, 40, 30), (346, 260)) == (5, 6, 40, 30)
    counts = np.zeros((260, 346), np.int64)
    counts[100:160, 200:280] = 7
    counts[3, 3] = 20  # a straggler
    x, y, w, h = place_region("auto", (346, 260), counts)
    assert w == h
    assert (x <= 200, y <= 100, x + w >= 280, y + h >= 160) == (True,) * 4
    assert w < 110
    everywhere = place_region("auto", (346, 260), np.ones((260, 346), np.int64))
    assert everywhere[1:] == (0, 260, 260)
    for wrong in ((0, 0, 347, 10), (-1, 0, 5, 5), (0, 0, 0, 5), "left"):
        with pytest.raises(ConfigError, match="region"):
            place_region(wrong, (346, 260))
    with pytest.raises(ConfigError, match="auto looks at where events are"):
        place_region("auto", (346, 260))
    assert parse_region("auto") == "auto"
    assert parse_region("1,2,3,4") == (1, 2, 3, 4)
    for text in ("1,2,3", "a,b,c,d", "middle"):
        with pytest.raises(ConfigError, match="must be centre, auto or x0,y0,w,h"):
            parse_region(text)
