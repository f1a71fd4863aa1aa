"""Counting events of a stream of unknown length, and the line that shows them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnkd.events import make_events
from snnkd.recordings.activity import BINS, Activity, chart


def at(times):
    zeros = np.zeros(len(times), int)
    return make_events(zeros, zeros, times, zeros)


@given(st.lists(st.integers(-(2**62), 2**62), max_size=50), st.integers(1, 7))
def test_every_event_is_in_the_bin_of_its_time(times, parts):
    times = np.sort(np.array(times, np.int64))
    activity = Activity()
    for part in np.array_split(times, parts):
        activity.add(at(part))
    counts = activity.counts
    assert counts.sum() == len(times)
    assert len(counts) <= BINS
    if len(times):
        bins = [(int(t) - int(times[0])) // activity.bin_us for t in times]
        assert np.bincount(bins, minlength=len(counts)).tolist() == counts.tolist()
        assert activity.bin_us == 1000 or int(times[-1]) - int(times[0]) >= BINS // 2 * activity.bin_us


@pytest.mark.parametrize(
    ("counts", "line"),
    [([], ""), ([0, 0], "  "), ([8, 4, 1, 0], "█▄▁ "), ([1, 1, 1, 1, 8, 8], "▁▁▁▁██")],
)
def test_the_chart(counts, line):
    assert chart(counts) == line


def test_a_last_bin_that_is_not_over_is_drawn_by_its_rate():
    assert chart([8, 8, 8, 6], last=0.75) == "████"
    assert chart([8, 8, 8, 1], last=0.125) == "███"
    assert chart([5], last=0.001) == "█"


def test_the_chart_joins_neighbours_when_there_are_more_than_columns():
    assert chart([2, 2, 4, 4, 8, 8], 3) == "▂▄█"
    assert len(chart(np.ones(1000), 60)) == 60
