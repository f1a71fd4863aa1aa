"""The picture of a timeline."""

import io
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from snnkd.inference.smoothing import UNSURE

if TYPE_CHECKING:
    from snnkd.inference.timeline import Timeline
    from snnkd.recordings import Recording

EMOTION_COLOURS = {
    "happiness": "#e0a100",
    "sadness": "#3b6fb5",
    "anger": "#c8372d",
    "disgust": "#5f8f3a",
    "surprise": "#d9762b",
    "fear": "#7a4fa3",
    "neutral": "#8a8f98",
    UNSURE: "#b9bec6",
}
INK, MUTED = "#22262b", "#8a8f98"
COLUMNS = 3000
"""Windows that are drawn one by one"""


def draw_timeline(timeline: "Timeline", recording: "Recording | None" = None) -> Figure:
    """Frames where there are any, events per second, the probability of each emotion, and the winner over time."""
    frames = recording is not None and recording.frame_count > 0
    truth = known_segments(recording) if recording is not None else []
    heights = [0.9] * frames + [0.7, 2.2, 0.28] + [0.28] * bool(truth)
    figure = Figure(figsize=(10, 0.9 + 1.05 * sum(heights)), layout="constrained", facecolor="white")
    rows = list(np.atleast_1d(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)))
    origin = timeline.recording.get("start_us", int(timeline.start_us[0]))
    edges = np.append(timeline.start_us, timeline.start_us[-1] + timeline.window_us)
    seconds = (edges - origin) / 1e6
    if recording is not None and frames:
        _draw_frames(rows.pop(0), recording, origin, seconds[-1])
    # More windows than columns of pixels are drawn by their means.
    starts = np.arange(0, len(timeline), -(-len(timeline) // COLUMNS))
    shown = seconds[np.append(starts, len(timeline))]
    numbers = np.diff(np.append(starts, len(timeline)))
    rate = np.add.reduceat(timeline.events, starts) / numbers / (timeline.window_us / 1e6) / 1e3
    _draw_rate(rows.pop(0), rate, shown)
    _draw_probabilities(
        rows.pop(0),
        timeline.emotions,
        np.add.reduceat(timeline.probabilities, starts, axis=0) / numbers[:, None],
        shown,
    )
    told = [((s.start_us - origin) / 1e6, (s.end_us - origin) / 1e6, s.label) for s in timeline.segments()]
    _draw_strip(rows.pop(0), told, "told")
    if truth:
        known = [((start - origin) / 1e6, (end - origin) / 1e6, label) for start, end, label in truth]
        _draw_strip(rows[0], known, "true")
    figure.axes[-1].set_xlabel("seconds from the start of the recording", color=INK)
    figure.axes[-1].set_xlim(0, seconds[-1])
    facts = timeline.recording
    if facts:
        width, height = facts["sensor_size"]
        name = str(facts["path"]).replace("\\", "/").rstrip("/").split("/")[-1]
        figure.suptitle(
            f"{name}: {facts['events']:,} events over {facts['duration_us'] / 1e6:.2f} s at {width}×{height}",
            x=0.01,
            ha="left",
            fontsize=11,
            color=INK,
            parse_math=False,
        )
    if timeline.model.get("caution"):
        figure.text(0.995, 0.988, timeline.model["caution"], ha="right", va="top", fontsize=8, color=MUTED)
    return figure


def known_segments(recording: "Recording") -> list[tuple[int, int, str]]:
    """Return the metadata's ``segments`` where they are a list of ``start_us``, ``end_us``, ``emotion``.

    Metadata are free: anything else has another meaning, and is not drawn.
    """
    segments = recording.metadata.get("segments")
    known = []
    for entry in segments if isinstance(segments, list) else []:
        match entry:
            case {"start_us": int(start), "end_us": int(end), "emotion": str(label)} if start < end:
                known.append((start, end, label))
            case _:
                return []
    return known


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=130)
    return image.getvalue()


def _draw_frames(axes: Axes, recording: "Recording", origin: int, end: float) -> None:
    times = (recording.frame_times_us - origin) / 1e6
    number = 10
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(bottom=False)
    axes.set_ylim(0, 1)
    slot = end / number
    nearest = [int(np.abs(times - (k + 0.5) * slot).argmin()) for k in range(number)]
    wanted = {index for k, index in enumerate(nearest) if abs(times[index] - (k + 0.5) * slot) <= slot / 2}
    images = {}
    for index, (_, image) in enumerate(recording.iter_frames()):  # one at a time: there may be hours of them
        if index in wanted:
            images[index] = np.array(image)
            if len(images) == len(wanted):
                break
    for k, index in enumerate(nearest):
        if index not in images:
            continue  # no frame was taken near here
        image = images[index]
        inset = axes.inset_axes((k / number + 0.004, 0.0, 1 / number - 0.008, 1.0))
        low, high = np.percentile(image, (1, 99))  # eyes in the dark are shown as readably as others
        inset.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1))
        inset.set_axis_off()


def _draw_rate(axes: Axes, rate: np.ndarray, seconds: np.ndarray) -> None:
    axes.stairs(rate, seconds, fill=True, color="#b9c3cf")
    axes.set_ylabel("thousand\nevents/s", color=INK, rotation=0, ha="right", va="center")
    axes.set_ylim(0, max(float(rate.max()) * 1.05, 1e-3))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=MUTED)


def _draw_probabilities(axes: Axes, emotions: tuple[str, ...], probabilities: np.ndarray, seconds: np.ndarray) -> None:
    for row, emotion in enumerate(emotions):
        ramp = LinearSegmentedColormap.from_list(emotion, ["#ffffff", EMOTION_COLOURS.get(emotion, INK)])
        axes.pcolormesh(
            seconds, [row - 0.46, row + 0.46], probabilities[None, :, row], cmap=ramp, vmin=0, vmax=1, rasterized=True
        )
    axes.set_yticks(range(len(emotions)), emotions, color=INK)
    axes.set_ylim(len(emotions) - 0.5, -0.5)
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)


def _draw_strip(axes: Axes, pieces: list[tuple[float, float, str]], name: str) -> None:
    total = pieces[-1][1] - pieces[0][0] if pieces else 1.0
    for label in dict.fromkeys(label for *_, label in pieces):
        spans = [(start, end - start) for start, end, other in pieces if other == label]
        axes.broken_barh(spans, (0, 1), color=EMOTION_COLOURS.get(label, INK), lw=0)
    for start, end, label in pieces:
        if end - start > 0.008 * len(label) * total:  # else narrower than its name
            axes.text((start + end) / 2, 0.5, label, color="white", ha="center", va="center", fontsize=8)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], [name], color=INK)
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
