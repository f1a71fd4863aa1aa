"""Windows of a stream: those of the binning, however the stream is cut, and not an event lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.errors import RecordingError
from snnkd.events import bin_events, make_events
from snnkd.inference.windowing import WindowReader
from snnkd.inference.windowing.reader import MOST_SILENCE

SENSOR = (20, 12)


def drawn(seed, number, span):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, span, number)) + 1_000
    return make_events(rng.integers(0, 20, number), rng.integers(0, 12, number), times, rng.random(number) < 0.5)


def gathered(blocks):
    parts = list(zip(*blocks, strict=True))
    return [np.concatenate(part) for part in parts]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 400), st.integers(1, 60_000), st.integers(1, 3), st.integers(1, 5), st.data()
)
def test_windows_are_those_of_the_binning(seed, number, span, stride, block, data):
    events = drawn(seed, number, span)
    window, start = 700, int(events["t"][0])
    region = (3, 1, 13, 9)
    hot = np.zeros((12, 20), np.bool_)
    hot[4, 5] = hot[0, 0] = True
    reader = WindowReader(SENSOR, region, (7, 5), start, stride * window, window, hot, block)
    cuts = sorted(data.draw(st.lists(st.integers(0, number), max_size=6)))
    found = []
    for a, b in zip([0, *cuts], [*cuts, number], strict=True):
        found += list(reader.feed(events[a:b]))
    starts, bins, arrived, counted, active = gathered([*found, *reader.finish()])
    windows = (int(events["t"][-1]) - start) // (stride * window) + 1
    np.testing.assert_array_equal(starts, start + stride * window * np.arange(windows))
    good = events[~hot[events["y"], events["x"]]]
    every = bin_events(good, SENSOR, start, window, windows * stride, size=(7, 5), crop=region)
    np.testing.assert_array_equal(bins, every[::stride])
    np.testing.assert_array_equal(counted, bins.sum((1, 2, 3)))
    inside = bin_events(events, SENSOR, start, window, windows * stride)[::stride]
    np.testing.assert_array_equal(arrived, inside.sum((1, 2, 3)))
    pixels = bin_events(good, SENSOR, start, window, windows * stride, crop=region)[::stride].sum(1) > 0
    np.testing.assert_array_equal(active, pixels.sum((1, 2)))
    lit = hot[events["y"], events["x"]] & ((events["t"] - start) % (stride * window) < window)
    assert reader.hot_events == lit.sum()


@pytest.mark.parametrize("block", [1, 4])
def test_windows_come_as_soon_as_they_are_over_even_in_silence(block):
    reader = WindowReader(SENSOR, (0, 0, 12, 12), (12, 12), 0, 100, 100, block=block)
    first = make_events([1], [1], [50], [1])
    assert [len(each.bins) for each in reader.feed(first)] == []
    found = gathered(reader.until(399))
    assert found[0].tolist() == [0, 100, 200]
    assert found[3].tolist() == [1, 0, 0]
    assert list(reader.until(399)) == []
    assert list(reader.finish()) == []  # its last event lies in a window that was given
    later = make_events([2, 3], [1, 1], [399, 450], [1, 1])
    rest = [*reader.feed(later), *reader.finish()]
    assert gathered(rest)[0].tolist() == [300, 400]
    assert gathered(rest)[3].tolist() == [1, 1]
    with pytest.raises(ValueError, match="time runs backwards: 10 µs after 450 µs"):
        list(reader.feed(make_events([1], [1], [10], [1])))


def test_impossible_events_are_refused():
    reader = WindowReader(SENSOR, (0, 0, 12, 12), (12, 12), 0, 100, 100)
    with pytest.raises(ValueError, match=r"event \(20, 3\) lies outside the sensor of 20×12"):
        list(reader.feed(make_events([1, 20], [1, 3], [0, 1], [1, 1])))
    reader = WindowReader(SENSOR, (0, 0, 12, 12), (12, 12), 0, 1, 1)
    with pytest.raises(RecordingError, match="time jumps: an event is at"):
        list(reader.feed(make_events([1, 1], [1, 3], [0, 2 * MOST_SILENCE], [1, 1])))
