"""A timeline: what the network said in every window of one recording."""

import csv
import errno
import io
import itertools
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnkd.inference.smoothing import UNSURE, Smoothing
from snnkd.inference.windowing.quality import GOOD, QUALITIES, SILENT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from snnkd.recordings import Recording


BLOCK = 4096
"""Windows that are written at once"""


@dataclass(frozen=True)
class Segment:
    """Consecutive windows of one label."""

    start_us: int
    end_us: int
    label: str
    confidence: float
    """Mean over its windows"""


@dataclass(frozen=True, eq=False)
class Timeline:
    """One row per window of ``window_us``.

    ``probabilities`` are the softmax of ``logits (N, K)`` over a temperature, which makes them as sure as the network
    was right on validation; 1 where the model has none, and then nothing calibrates them. ``label`` is the largest,
    ``confidence`` its probability. A window is valid where nothing is wrong with it
    (:mod:`snnkd.inference.windowing.quality`): what a silent one tells is the memory of earlier ones.
    """

    emotions: tuple[str, ...]
    window_us: int
    start_us: NDArray[np.int64]
    """``(N,)`` start of each window, on the recording's clock"""
    events: NDArray[np.int64]
    """``(N,)`` events that the network was given"""
    logits: NDArray[np.float32]
    recording: dict[str, Any] = field(default_factory=dict)
    """Facts of the recording: path, format, sensor, duration, events, what was left out"""
    model: dict[str, Any] = field(default_factory=dict)
    """Facts of the model and of the settings"""
    joules: NDArray[np.float64] | None = None
    """``(N,)`` energy of each window on ``model["hardware"]``, arithmetic alone; ``None`` where it was not estimated"""
    smoothing: Smoothing = field(default_factory=Smoothing)
    """How windows become segments"""
    quality: NDArray[np.int8] | None = None
    """``(N,)`` places in :data:`~snnkd.inference.windowing.QUALITIES`; ``None`` where only silence is known"""
    temperature: float = 1.0
    """Of the softmax"""

    @property
    def watts(self) -> float | None:
        """Energy per second of recording."""
        if self.joules is None or not len(self):
            return None
        return float(self.joules.sum()) / (len(self) * self.window_us * 1e-6)

    def __len__(self) -> int:
        return len(self.start_us)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """``(N, K)``, rows sum to one."""
        return probabilities_of(self.logits, self.temperature)

    @property
    def labels(self) -> list[str]:
        """The most probable emotion of each window."""
        return [self.emotions[i] for i in self.logits.argmax(1)]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """``(N,)`` its probability."""
        return self.probabilities.max(1)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``(N,)`` whether nothing is wrong with the window."""
        return self._quality == GOOD

    @property
    def qualities(self) -> list[str]:
        """What is right or wrong with each window, by name."""
        return [QUALITIES[code] for code in self._quality]

    @property
    def _quality(self) -> NDArray[np.int8]:
        return np.where(self.events > 0, GOOD, SILENT).astype(np.int8) if self.quality is None else self.quality

    @cached_property
    def told(self) -> list[str]:
        """What is told of each window, smoothed: an emotion, or ``unsure``."""
        places = self.smoothing.told(self.probabilities, self.window_us)
        return [UNSURE if place < 0 else self.emotions[place] for place in places]

    def segments(self) -> list[Segment]:
        """Join consecutive windows of which the same is told; confidence is the mean of that emotion's probability."""
        labels, probabilities = self.told, self.probabilities
        place = [self.emotions.index(label) if label != UNSURE else -1 for label in labels]
        confidence = np.array([row.max() if k < 0 else row[k] for row, k in zip(probabilities, place, strict=True)])
        cuts = [0, *(i for i in range(1, len(self)) if labels[i] != labels[i - 1]), len(self)]
        return [
            Segment(
                int(self.start_us[a]),
                int(self.start_us[b - 1]) + self.window_us,
                labels[a],
                float(confidence[a:b].mean()),
            )
            for a, b in itertools.pairwise(cuts)
            if b > a
        ]

    def shares(self) -> dict[str, float]:
        """Share of valid windows that each emotion has."""
        valid = self.valid
        chosen = self.logits.argmax(1)[valid]
        return {name: float((chosen == k).mean()) if len(chosen) else 0.0 for k, name in enumerate(self.emotions)}

    def columns(self, rows: slice = slice(None)) -> dict[str, list[Any]]:
        """Return the windows, or some of them, column by column, as CSV, JSON and Parquet write them."""
        origin = self.recording.get("start_us", int(self.start_us[0]) if len(self) else 0)
        start_us = self.start_us[rows]
        end_us = start_us + self.window_us
        probabilities = probabilities_of(self.logits[rows], self.temperature)
        columns: dict[str, list[Any]] = {
            "start_us": start_us.tolist(),
            "end_us": end_us.tolist(),
            "start_s": ((start_us - origin) / 1e6).round(6).tolist(),
            "end_s": ((end_us - origin) / 1e6).round(6).tolist(),
            "events": self.events[rows].tolist(),
            "valid": self.valid[rows].tolist(),
            "quality": [QUALITIES[code] for code in self._quality[rows]],
            "label": [self.emotions[k] for k in self.logits[rows].argmax(1)],
            "told": self.told[rows],
            "confidence": probabilities.max(1, initial=0.0).round(6).tolist(),
        }
        if self.joules is not None:
            columns["joules"] = [float(f"{joules:.4g}") for joules in self.joules[rows]]
        for k, name in enumerate(self.emotions):
            columns[f"p_{name}"] = probabilities[:, k].round(6).tolist()
        return columns

    def _blocks(self) -> Iterator[dict[str, list[Any]]]:
        """The columns of some windows after the other: of hours there are too many to hold as Python's numbers."""
        for begin in range(0, max(len(self), 1), BLOCK):
            yield self.columns(slice(begin, begin + BLOCK))

    def to_csv(self, path: str | Path) -> None:
        """Write a row per window: times, events, validity, label, confidence, probabilities."""
        write_whole(path, self.csv_bytes())

    def csv_bytes(self) -> bytes:
        """Return what :meth:`to_csv` writes."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for number, block in enumerate(self._blocks()):
            if number == 0:
                writer.writerow(block)
            writer.writerows(zip(*block.values(), strict=True))
        return text.getvalue().encode()

    def to_json(self, path: str | Path) -> None:
        """Write everything: recording, model, segments, windows."""
        write_whole(path, self.json_bytes())

    def json_bytes(self, more: dict[str, Any] | None = None) -> bytes:
        """Return what :meth:`to_json` writes, and ``more`` after it; each column of the windows has a line."""
        parts: dict[str, list[str]] = {}
        for block in self._blocks():
            for name, column in block.items():
                parts.setdefault(name, []).append(json.dumps(column)[1:-1])
        columns = ",\n".join(f'  "{name}": [{", ".join(texts)}]' for name, texts in parts.items())
        head = json.dumps({**self.about(), "windows": {}, **(more or {})}, indent=1)
        before, after = head.split(' "windows": {}')
        return f'{before} "windows": {{\n{columns}\n }}{after}\n'.encode()

    def to_parquet(self, path: str | Path) -> None:
        """Write a row per window as :meth:`to_csv` does, and the logits; needs the extra ``parquet``.

        What :meth:`to_json` says beside the windows lies in the file's metadata, as JSON under ``snnkd``.
        """
        write_whole(path, self.parquet_bytes())

    def parquet_bytes(self) -> bytes:
        """Return what :meth:`to_parquet` writes."""
        from snnkd.inference.parquet import parquet_bytes

        return parquet_bytes(self)

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`to_json` writes as plain data; ``windows`` are columns of equal length."""
        return self.about() | {"windows": self.columns()}

    def about(self) -> dict[str, Any]:
        """Return all of :meth:`to_dict` but the windows."""
        return {
            "format": "snnkd-timeline",
            "version": 2,
            "recording": self.recording,
            "model": self.model,
            "emotions": list(self.emotions),
            "window_us": self.window_us,
            "watts": self.watts,
            "smoothing": asdict(self.smoothing),
            "shares": self.shares(),
            "totals": self.totals(),
            "segments": [vars(segment) for segment in self.segments()],
        }

    def totals(self) -> dict[str, Any]:
        """Return how many windows there are, of which quality, their mean confidence and their energy."""
        qualities = self.qualities
        return {
            "windows": len(self),
            "valid": int(self.valid.sum()),
            **{name: qualities.count(name) for name in QUALITIES},
            "events": int(self.events.sum()),
            "confidence": float(self.confidence.mean()) if len(self) else None,
            "joules": None if self.joules is None else float(self.joules.sum()),
        }

    def plot(self, recording: "Recording | None" = None) -> "Figure":
        """Draw the timeline; with the ``recording``, its frames above it."""
        from snnkd.inference.drawing import draw_timeline

        return draw_timeline(self, recording)

    def page(
        self,
        path: str | Path,
        recording: "Recording | None" = None,
        *,
        name: str | None = None,
        index: str | None = None,
    ) -> None:
        """Write one HTML file that needs nothing else; with the ``recording``, a player of its events and frames.

        ``name`` is its title, ``index`` the file name of an index page that it links to.
        See :func:`snnkd.inference.page.build_page`.
        """
        from snnkd.inference.page import build_page

        write_whole(path, build_page(self, recording, name=name, index=index))

    def video(self, path: str | Path, recording: "Recording", *, name: str | None = None) -> None:
        """Write an MP4 of events, frames and this timeline; see :func:`snnkd.inference.video.write_video`."""
        from snnkd.inference.video import write_video

        write_video(path, self, recording, name=name)


def probabilities_of(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Return the softmax of ``logits (N, K)`` over a temperature, in float64."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(1, keepdims=True, initial=-np.inf))
    return exponentials / exponentials.sum(1, keepdims=True)


def write_whole(path: str | Path, data: bytes) -> None:
    """Write a file under its name only once it is whole, on the disk too: beside first, then moved into place."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, and a file of that name was to be written", str(path))
    beside = None
    try:
        # A short name of its own: one made of the file's could be longer than the file system takes.
        handle, beside = tempfile.mkstemp(prefix=".snnkd-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        if isinstance(error, OSError):  # a full disk, say: name the file that was asked for
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise
