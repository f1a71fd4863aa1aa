"""What a page is told of a recording, as plain data.

Times are µs from the recording's first event. Arrays are base64 of deflated little-endian numbers
(:func:`snnkd.inference.page.packing.packed`):

=============  ========  =====================================================================
``gaps``       float64   start of the first window, then from each window's start to the next's
``events``     float64   events of each window
``odds``       uint16    probabilities × 65,535, all of the first emotion, then of the next
``quality``    uint8     of each window, a place in ``qualities``; the first of them is good
``joules``     float32   energy of each window; the empty text where it was not estimated
=============  ========  =====================================================================
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from snnkd.inference.drawing import EMOTION_COLOURS, MUTED, known_segments
from snnkd.inference.page.event_reel import EventReel
from snnkd.inference.page.frame_reel import FrameReel
from snnkd.inference.page.packing import packed
from snnkd.inference.windowing import QUALITIES

if TYPE_CHECKING:
    from snnkd.inference.timeline import Timeline
    from snnkd.recordings import Recording

BASE_US = 640_000
"""Length of the windows in which events are read"""


def timeline_content(timeline: "Timeline") -> dict[str, Any]:
    """Return windows, segments, the share of each emotion, and the facts of recording and model.

    Raises ``ValueError`` for a timeline without windows, and for probabilities or an energy that are not finite.
    """
    count = len(timeline)
    if not count:
        raise ValueError("a timeline without windows has no page")
    probabilities = timeline.probabilities
    if not np.isfinite(probabilities).all():
        raise ValueError("a timeline with probabilities that are not finite has no page")
    energy = np.zeros(0, np.float32) if timeline.joules is None else timeline.joules.astype(np.float32)
    if energy.size not in (0, count) or not np.isfinite(energy).all():
        raise ValueError(f"a timeline whose energy is not {count} finite numbers has no page")
    start = origin(timeline)
    starts = (timeline.start_us - start).astype(np.float64)
    return {
        "version": 1,
        "emotions": list(timeline.emotions),
        "colours": {name: EMOTION_COLOURS.get(name, MUTED) for name in [*timeline.emotions, *EMOTION_COLOURS]},
        "step_us": timeline.window_us,
        "duration_us": int(starts[-1]) + timeline.window_us,
        "count": count,
        "gaps": packed(np.diff(starts, prepend=0)),
        "events": packed(timeline.events.astype(np.float64)),
        "odds": packed(np.rint(probabilities.T * 65_535).astype(np.uint16)),
        "quality": packed(np.array([QUALITIES.index(name) for name in timeline.qualities], np.uint8)),
        "qualities": list(QUALITIES),
        "joules": packed(energy),
        "segments": [
            [s.start_us - start, s.end_us - start, s.label, round(s.confidence, 4)] for s in timeline.segments()
        ],
        "shares": timeline.shares(),
        "recording": timeline.recording,
        "model": timeline.model,
        "smoothing": asdict(timeline.smoothing),
    }


def origin(timeline: "Timeline") -> int:
    """Return what times are told from: the recording's start, or that of the first window."""
    return int(timeline.recording.get("start_us", timeline.start_us[0]))


def media_content(recording: "Recording", start_us: int, budget: int) -> dict[str, Any]:
    """Return the events and frames of a recording, read once, and what is known of it in advance.

    Args:
        recording: read window by window, never held.
        start_us: what times are told from.
        budget: characters that events and frames may take together; without frames the events have all.
    """
    framed = recording.frame_count > 0
    events = EventReel(recording.sensor_size, start_us, budget * 6 // 10 if framed else budget)
    for window in recording.windows(BASE_US, start_us):
        events.add(window.events)
    content: dict[str, Any] = {"events": events.content(), "frames": None}
    if framed:
        frames = FrameReel(start_us, budget * 4 // 10)
        for time, image in recording.iter_frames():
            frames.add(time, image)
        content["frames"] = frames.content()
    known = [[begin - start_us, end - start_us, label] for begin, end, label in known_segments(recording)]
    return content | {"known": known, "sensor_size": list(recording.sensor_size)}
