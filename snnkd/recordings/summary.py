"""What is in a recording, as facts; :mod:`snnkd.recordings.summary_table` shows them."""

from typing import Any

import numpy as np

from snnkd.recordings._pixel_counts import PixelCounts
from snnkd.recordings.activity import Activity
from snnkd.recordings.recording import Recording
from snnkd.recordings.summary_table import plain


def describe(recording: Recording) -> dict[str, Any]:
    """Return the facts of a recording as plain data, in one pass over its events.

    ``rate`` is events per second over the duration, ``on`` the share of ON events, ``hot_pixels`` the list of
    ``[x, y, events]`` by :func:`snnkd.events.hot_pixels`'s rule, busiest first, ``activity`` the events of equal
    stretches of ``bin_us`` from the first event on. Start and duration are the frames' where there are no events.
    """
    width, height = recording.sensor_size
    pixels = PixelCounts((width, height))
    activity = Activity()
    events = on = 0
    first = last = 0
    for chunk in recording.chunks():
        first = first if events else int(chunk["t"][0])
        last = int(chunk["t"][-1])
        events += len(chunk)
        on += int(np.count_nonzero(chunk["p"]))
        pixels.add(chunk)
        activity.add(chunk)
    seconds = (last - first) / 1e6
    times = recording.frame_times_us
    if not events and len(times):
        first, last = int(times[0]), int(times[-1])
    return {
        "path": str(recording.path),
        "format": recording.format,
        "sensor_size": [width, height],
        "start_us": first,
        "duration_us": last - first,
        "events": events,
        "rate": events / seconds if seconds else None,
        "on": on / events if events else None,
        "busiest_pixel": pixels.busiest,
        "hot_pixels": pixels.hot(),
        "activity": {"bin_us": activity.bin_us, "events": activity.counts.tolist()},
        "frames": len(times),
        "frames_start_us": int(times[0]) if len(times) else None,
        "frames_end_us": int(times[-1]) if len(times) else None,
        "warnings": list(recording.warnings),
        "metadata": plain(recording.metadata),
    }
