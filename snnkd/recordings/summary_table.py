"""The facts of a recording as lines for the terminal.

What was measured stands first. Metadata, which a file may claim as it likes, stands in a section of its own, its keys
as they are; the characters in it that steer a terminal are shown and not sent.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from snnkd.recordings.activity import chart
from snnkd.terminal import visible, wrapped

SHOWN = 8
"""Hot pixels that the table names."""

LONGEST = 160
"""Characters of one entry of metadata that are shown; ``--json`` has all."""

GUESSED = {
    "events": "guessed: all that the events span",
    "largest coordinates": "guessed: all that the events span",
}
SOURCES = ("simulated_from", "sensor_model", "converted_from")
TOLD = {"sensor_size_from", *SOURCES}
"""Metadata that the measured rows tell of."""


def plain(value: Any) -> Any:
    """Return metadata as JSON can hold it: numbers of NumPy's as Python's, no NaN or infinity, the rest as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain(entry) for entry in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def origin(metadata: Mapping[str, Any]) -> list[str]:
    """Return where a recording comes from, a line for each step, the first first."""
    lines: list[str] = []
    source, sensor, before = (metadata.get(key) for key in SOURCES)
    if isinstance(source, Mapping):
        rate = source.get("fps")
        told = f" at {rate:g} frames a second" if isinstance(rate, int | float) else ""
        lines.append(f"simulated from {source.get('name')}{told}{_sensor(sensor)}{_losses(source)}")
    steps: list[str] = []
    while isinstance(before, Mapping) and len(steps) < 10:
        steps.insert(0, f"converted from {before.get('name')} ({before.get('format')}){_losses(before)}")
        before = before.get("converted_from")
    return lines + steps


def _sensor(model: Any) -> str:
    """The preset that a sensor model is, or is nearest to, with what is different."""
    if not isinstance(model, Mapping):
        return ""
    from dataclasses import asdict

    from snnkd.recordings.sensor_model import SensorModel

    seed = model.get("seed")
    ways = []
    for name in ("davis346", "davis346_near_eye", "noiseless", "clean", "noisy"):
        fields = asdict(getattr(SensorModel, name)()) | {"seed": seed}
        ways.append(
            (name, [f"{k} {v:g}" for k, v in model.items() if isinstance(v, int | float) and fields.get(k) != v])
        )
    name, changes = min(ways, key=lambda way: len(way[1]))
    return f", {name}{' with ' + ', '.join(changes) if changes else ''}, seed {seed}"


def _losses(source: Mapping[str, Any]) -> str:
    found = source.get("warnings")
    return f"; then: {'; '.join(map(str, found))}" if isinstance(found, list) and found else ""


def table(facts: Mapping[str, Any], width: int = 100) -> str:
    """Return the facts of :func:`snnkd.recordings.summary.describe` as lines of at most ``width`` characters."""
    columns, rows = facts["sensor_size"]
    metadata = facts["metadata"]
    guess = GUESSED.get(metadata.get("sensor_size_from", ""))
    lines = [("format", facts["format"]), ("sensor", f"{columns}×{rows}{f' ({guess})' if guess else ''}")]
    if facts["events"]:
        lines += _events(facts, max(20, min(60, width - 16)))
    else:
        lines.append(("events", "none"))
    lines.append(("frames", _frames(facts)))
    lines += [("made", step) for step in origin(metadata)]
    lines += [("warning", warning) for warning in facts["warnings"]]
    indent = 2 + max(len(key) for key, _ in lines)
    out = [visible(facts["path"]), *(line for key, value in lines for line in wrapped(key, value, indent, width))]
    others = {key: value for key, value in metadata.items() if key not in TOLD}
    if others:
        out.append("metadata")
        keys = [visible(f"  {key}") for key in others]
        most = min(30, width // 2, 2 + max(map(len, keys)))
        for key, value in zip(keys, others.values(), strict=True):
            out += wrapped(key, _entry(value), most, width)
    return "\n".join(out)


def _entry(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters; --json shows all)"


def _events(facts: Mapping[str, Any], columns: int) -> list[tuple[str, str]]:
    events = facts["events"]
    rate = "" if facts["rate"] is None else f", {events_per_second(facts['rate'])}"
    return [
        ("start", _start(facts["start_us"])),
        ("duration", seconds(facts["duration_us"])),
        ("events", f"{events:,}{rate}"),
        ("activity", _activity(facts["activity"], facts["duration_us"], columns)),
        ("polarity", f"{facts['on']:.1%} ON, {1 - facts['on']:.1%} OFF"),
        ("busiest pixel", counted(facts["busiest_pixel"], "event")),
        ("hot pixels", _hot(facts["hot_pixels"], events)),
    ]


def _start(us: int) -> str:
    """A time as the recording counts it, and the date where that is since 1970."""
    if not 946_684_800 <= us // 10**6 < 4_102_444_800:  # the years 2000 to 2099
        return f"{us:,} µs"
    return f"{us:,} µs ({datetime.fromtimestamp(us // 10**6, UTC):%Y-%m-%d %H:%M:%S} UTC)"


def _activity(activity: Mapping[str, Any], duration: int, columns: int) -> str:
    counts, width = np.asarray(activity["events"]), activity["bin_us"]
    peak = counts.max() / (width * 1e-6)
    last = (duration - (len(counts) - 1) * width + 1) / width  # the part of the last bin that was recorded
    return f"{chart(counts, columns, last)}\nup to {events_per_second(peak)} over {seconds(activity['bin_us'])}"


def _hot(pixels: list[list[int]], events: int) -> str:
    if not pixels:
        return "none"
    named = ", ".join(f"({x},\N{NO-BREAK SPACE}{y})" for x, y, _ in pixels[:SHOWN])
    more = f" and {len(pixels) - SHOWN:,} more" if len(pixels) > SHOWN else ""
    return f"{len(pixels):,} with {sum(count for _, _, count in pixels) / events:.1%} of the events: {named}{more}"


def _frames(facts: Mapping[str, Any]) -> str:
    if not facts["frames"]:
        return "none"
    span = facts["frames_end_us"] - facts["frames_start_us"]
    rate = f", {(facts['frames'] - 1) / span * 1e6:,.1f} a second for {seconds(span)}" if span else ""
    return f"{facts['frames']:,}{rate}, from {facts['frames_start_us']:,} µs"


def seconds(us: int) -> str:
    """Return a time as people say it: ``5 µs``, ``50 ms``, ``5.43 s``, ``1 h 11 min``."""
    if us < 1000:
        return f"{us} µs"
    if us < 1_000_000:
        return f"{us / 1e3:.3g} ms" if us < 999_500 else "1.00 s"
    if us < 600_000_000:
        return f"{us / 1e6:.2f} s"
    minutes = us // 60_000_000
    said = f"{minutes // 60:,} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    return f"{said} ({us / 1e6:,.0f} s)"


def events_per_second(rate: float) -> str:
    """Return a rate as people say it: ``12 ev/s``, ``10.8 Mev/s``."""
    for size, unit in ((1e9, "Gev/s"), (1e6, "Mev/s"), (1e3, "kev/s")):
        if rate >= size * 0.9995:
            return f"{rate / size:.1f} {unit}"
    return f"{rate:.3g} ev/s" if rate < 1000 else "1.0 kev/s"


def counted(number: int, what: str) -> str:
    """Return a number of things: ``1 event``, ``2,000 events``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def dumps(facts: Any, depth: int = 0) -> str:
    """Return JSON with an entry a line, and a list of numbers, or of lists of them, on one line."""
    if isinstance(facts, dict) and facts:
        inner = "  " * (depth + 1)
        entries = (f"{inner}{json.dumps(str(key))}: {dumps(value, depth + 1)}" for key, value in facts.items())
        return "{\n" + ",\n".join(entries) + "\n" + "  " * depth + "}"
    if isinstance(facts, list) and re.search(r"[{]", json.dumps(facts)):
        inner = "  " * (depth + 1)
        return "[\n" + ",\n".join(inner + dumps(value, depth + 1) for value in facts) + "\n" + "  " * depth + "]"
    return json.dumps(facts, allow_nan=False)
