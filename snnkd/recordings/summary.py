"""What is in a recording, as facts and as a table."""

from typing import Any

import numpy as np

from snnkd.recordings.recording import Recording


def describe(recording: Recording) -> dict[str, Any]:
    """Return the facts of a recording as plain data, in one pass over its events.

    ``rate`` is events per second over the duration, ``on`` the share of ON events, ``busiest_pixel`` the most events
    that any pixel fired (a hot pixel fires hundreds of times the median).
    """
    width, height = recording.sensor_size
    per_pixel = np.zeros(width * height, np.int64)
    events = on = 0
    for chunk in recording.chunks():
        events += len(chunk)
        on += int(np.count_nonzero(chunk["p"]))
        per_pixel += np.bincount(chunk["y"].astype(np.int64) * width + chunk["x"], minlength=width * height)
    seconds = recording.duration_us / 1e6
    frames = recording.frames
    return {
        "path": str(recording.path),
        "format": recording.format,
        "sensor_size": [width, height],
        "start_us": recording.start_us,
        "duration_us": recording.duration_us,
        "events": events,
        "rate": events / seconds if seconds else None,
        "on": on / events if events else None,
        "busiest_pixel": int(per_pixel.max(initial=0)),
        "frames": 0 if frames is None else len(frames.timestamps_us),
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
        "duration": f"{facts['duration_us'] / 1e6:.2f} s",
        "events": f"{facts['events']:,}",
        "rate": "–" if facts["rate"] is None else f"{facts['rate'] / 1e3:,.1f} thousand a second",
        "polarity": "–" if facts["on"] is None else f"{facts['on']:.1%} ON, {1 - facts['on']:.1%} OFF",
        "busiest pixel": f"{facts['busiest_pixel']:,} events",
        "frames": f"{facts['frames']:,}" if facts["frames"] else "none",
        **{str(key): str(value) for key, value in facts["metadata"].items()},
    }
    grid = Table.grid(padding=(0, 2))
    for key, value in rows.items():
        grid.add_row(key, value)
    return as_text(facts["path"], grid)
