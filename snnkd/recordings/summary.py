"""What is in a recording, as facts and as a table."""

from typing import Any

import numpy as np

from snnkd.events.filters import hot_in_counts
from snnkd.recordings.activity import Activity, chart
from snnkd.recordings.recording import Recording

SHOWN = 8
"""Hot pixels that the table names."""


def describe(recording: Recording) -> dict[str, Any]:
    """Return the facts of a recording as plain data, in one pass over its events.

    ``rate`` is events per second over the duration, ``on`` the share of ON events, ``hot_pixels`` the list of
    ``[x, y, events]`` by :func:`snnkd.events.hot_pixels`'s rule, busiest first, ``activity`` the events of equal
    stretches of ``bin_us`` from the first event on.
    """
    width, height = recording.sensor_size
    per_pixel = np.zeros(width * height, np.int64)
    activity = Activity()
    events = on = 0
    first = last = 0
    for chunk in recording.chunks():
        first = first if events else int(chunk["t"][0])
        last = int(chunk["t"][-1])
        events += len(chunk)
        on += int(np.count_nonzero(chunk["p"]))
        per_pixel += np.bincount(chunk["y"].astype(np.int64) * width + chunk["x"], minlength=width * height)
        activity.add(chunk)
    seconds = (last - first) / 1e6
    counts = per_pixel.reshape(height, width)
    hot = [[int(x), int(y), int(counts[y, x])] for y, x in np.argwhere(hot_in_counts(counts))]
    times = [time for time, _ in recording.iter_frames()]
    return {
        "path": str(recording.path),
        "format": recording.format,
        "sensor_size": [width, height],
        "start_us": first,
        "duration_us": last - first,
        "events": events,
        "rate": events / seconds if seconds else None,
        "on": on / events if events else None,
        "busiest_pixel": int(per_pixel.max(initial=0)),
        "hot_pixels": sorted(hot, key=lambda pixel: -pixel[2]),
        "activity": {"bin_us": activity.bin_us, "events": activity.counts.tolist()},
        "frames": len(times),
        "frames_start_us": times[0] if times else None,
        "frames_end_us": times[-1] if times else None,
        "warnings": list(recording.warnings),
        "metadata": {k: v for k, v in recording.metadata.items() if isinstance(v, str | int | float | bool)},
    }


def table(facts: dict[str, Any]) -> str:
    """Return the facts of :func:`describe` as lines for the terminal."""
    from rich.table import Table

    from snnkd.terminal import as_text

    width, height = facts["sensor_size"]
    rows = {
        "format": facts["format"],
        "sensor": f"{width}×{height}",
        "start": f"{facts['start_us']:,} µs",
        "duration": f"{facts['duration_us'] / 1e6:,.2f} s",
        "events": f"{facts['events']:,}",
        "rate": "–" if facts["rate"] is None else f"{facts['rate'] / 1e3:,.1f} thousand a second",
        "activity": _activity(facts["activity"]),
        "polarity": "–" if facts["on"] is None else f"{facts['on']:.1%} ON, {1 - facts['on']:.1%} OFF",
        "busiest pixel": f"{facts['busiest_pixel']:,} events",
        "hot pixels": _hot(facts["hot_pixels"], facts["events"]),
        "frames": _frames(facts),
        **{str(key).replace("_", " "): str(value) for key, value in facts["metadata"].items()},
    }
    grid = Table.grid(padding=(0, 2))
    for key, value in rows.items():
        grid.add_row(key, value)
    for warning in facts["warnings"]:
        grid.add_row("warning", warning)
    return as_text(facts["path"], grid)


def _activity(activity: dict[str, Any]) -> str:
    counts = np.asarray(activity["events"])
    if not counts.any():
        return "–"
    peak = counts.max() / (activity["bin_us"] * 1e-6)
    return f"{chart(counts)}\nup to {peak / 1e3:,.0f} thousand a second, over {activity['bin_us'] / 1e3:,.0f} ms"


def _hot(pixels: list[list[int]], events: int) -> str:
    if not pixels:
        return "none"
    named = ", ".join(f"({x}, {y})" for x, y, _ in pixels[:SHOWN])
    more = f" and {len(pixels) - SHOWN} more" if len(pixels) > SHOWN else ""
    return f"{len(pixels)} with {sum(count for _, _, count in pixels) / events:.1%} of the events: {named}{more}"


def _frames(facts: dict[str, Any]) -> str:
    if not facts["frames"]:
        return "none"
    seconds = (facts["frames_end_us"] - facts["frames_start_us"]) / 1e6
    rate = f", {(facts['frames'] - 1) / seconds:,.1f} a second" if seconds else ""
    return f"{facts['frames']:,}{rate}, from {facts['frames_start_us']:,} µs"
