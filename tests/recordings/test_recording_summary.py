"""The facts of a recording, and counting in memory that its sensor's size does not set."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.events import hot_pixels, make_events
from snnkd.recordings import Frames, _pixel_counts, open_recording, write_hdf5
from snnkd.recordings._pixel_counts import PixelCounts
from snnkd.recordings.summary import describe


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 8), st.sampled_from([1, 1, 2, 3, 30, 400])), max_size=30),
    st.integers(1, 5),
)
def test_sparse_counts_are_those_of_the_rule(width, height, pixels, parts):
    repeated = [(x % width, y % height) for x, y, count in pixels for _ in range(count)]
    x, y = np.array(repeated, np.int64).reshape(-1, 2).T
    events = make_events(x, y, np.arange(len(x)), np.zeros(len(x), bool))
    counters = []
    for limit in (1 << 22, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_pixel_counts, "DENSE", limit)
            counter = PixelCounts((width, height))
            for part in np.array_split(events, parts):
                counter.add(part)
            counters.append((counter.busiest, sorted(counter.hot())))
    mask = hot_pixels(events, (width, height))
    counts = np.zeros((height, width), np.int64)
    np.add.at(counts, (y, x), 1)
    expected = (int(counts.max(initial=0)), sorted([int(x), int(y), int(counts[y, x])] for y, x in np.argwhere(mask)))
    assert counters == [expected, expected]


def test_a_few_bytes_do_not_take_gigabytes(tmp_path):
    """A text file of 37 bytes that names a sensor of 32,767 a side took 17 GB."""
    path = tmp_path / "x.txt"
    path.write_text("32767 32767\n1 5 5 1\n2 6 6 0\n")
    code = """
import resource, sys
from pathlib import Path
from snnkd.recordings import open_recording
from snnkd.recordings.summary import describe
describe(open_recording(sys.argv[2]))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 27),) * 2)
facts = describe(open_recording(sys.argv[1]))
print(facts["sensor_size"], facts["events"], facts["busiest_pixel"])
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the memory of a process is not told here")
    warm = tmp_path / "warm.txt"
    warm.write_text("10 10\n1 5 5 1\n2 6 6 0\n")
    command = [sys.executable, "-c", code, str(path), str(warm)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[32767, 32767] 2 1\n")


def test_frames_alone_have_a_begin_and_a_duration(tmp_path):
    frames = Frames(np.zeros((3, 4, 5), np.uint8), np.array([100, 200, 700]))
    write_hdf5(tmp_path / "x.h5", make_events([], [], [], []), (5, 4), frames)
    recording = open_recording(tmp_path / "x.h5")
    facts = describe(recording)
    assert (facts["start_us"], facts["duration_us"], facts["frames"]) == (100, 600, 3)
    assert (facts["frames_start_us"], facts["frames_end_us"], facts["rate"]) == (100, 700, None) or facts["rate"] == 0
    assert "frames" not in recording.__dict__, "their images are not held"
