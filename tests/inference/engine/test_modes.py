"""Stream and clips, held against loops over whole recordings."""

import numpy as np
import pytest

from snnkd.inference.engine.modes import Clips, Stream
from snnkd.inference.engine.steps import Steps


class Leaky:
    """An engine that one can work out by hand: a leaky sum of the first pixel, and a joule a step."""

    def rest(self):
        return [0.0]

    def run(self, bins, state):
        logits = []
        for value in bins[:, 0, 0, 0]:
            state[0] = 0.5 * state[0] + float(value)
            logits.append([state[0], -state[0]])
        return Steps(np.array(logits, np.float32).reshape(-1, 2), np.ones(len(bins)))


def fed(mode, x, cut):
    parts = [mode.run(x[i : i + cut], x[i : i + cut].sum((1, 2, 3))) for i in range(0, len(x), cut)]
    last = mode.finish()
    parts = [part for part in [*parts, *([] if last is None else [last])] if len(part.logits)]
    return np.concatenate([part.logits for part in parts]), np.concatenate([part.joules for part in parts])


@pytest.mark.parametrize("hop", [1, 4, 5, 15])
@pytest.mark.parametrize("windows", [1, 3, 14, 15, 16, 29, 30, 31, 47, 100])
def test_clips_are_averaged_over_those_that_cover_a_window(windows, hop):
    x = np.random.default_rng(windows).integers(0, 5, (windows, 2, 2, 2)).astype(np.uint16)
    clips = [(start, start + 15) for start in range(0, windows - 14, hop)]
    if not clips or clips[-1][1] < windows:
        clips.append((max(windows - 15, 0), windows))
    sums, covered = np.zeros((windows, 2)), np.zeros(windows)
    for begin, end in clips:
        sums[begin:end] += Leaky().run(x[begin:end], [0.0]).logits.astype(np.float64).mean(0)
        covered[begin:end] += 1
    for cut in (1, 7, 64):
        logits, joules = fed(Clips(Leaky(), 15, hop), x, cut)
        np.testing.assert_allclose(logits, sums / covered[:, None], atol=1e-5)
        assert len(joules) == windows
        assert (joules >= 1).all()  # every step of every clip that was begun


def test_a_hop_beyond_the_clip_is_refused():
    with pytest.raises(ValueError, match="hop must be from 1 to 15, got 16"):
        Clips(Leaky(), 15, 16)


@pytest.mark.parametrize("cut", [1, 3, 20])
@pytest.mark.parametrize("reset_after", [None, 1, 3])
def test_a_stream_goes_on_and_is_reset_by_silence(reset_after, cut):
    x = np.zeros((20, 2, 2, 2), np.uint16)
    x[[0, 1, 3, 7, 8, 15], 0, 0, 0] = [1, 2, 3, 4, 5, 6]
    expected, value, silent = [], 0.0, 0
    for number in x[:, 0, 0, 0].tolist():
        if number and reset_after is not None and silent >= reset_after:
            value = 0.0
        silent = 0 if number else silent + 1
        value = 0.5 * value + number
        expected.append(value)
    logits, joules = fed(Stream(Leaky(), reset_after), x, cut)
    np.testing.assert_allclose(logits[:, 0], expected)
    assert joules.sum() == 20
