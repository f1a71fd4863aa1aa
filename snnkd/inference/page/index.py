"""The index page over many recordings: a table that can be sorted, with a small timeline of each."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from snnkd.inference.drawing import EMOTION_COLOURS, MUTED
from snnkd.inference.page.builder import assemble

MOST_PIECES = 400
"""Segments of a small timeline at most; shorter ones than a pixel are then left out"""


def build_index(
    done: Sequence[tuple[str, Mapping[str, Any]]],
    failed: Sequence[tuple[str, str]] = (),
    *,
    title: str = "Emotions over time",
) -> bytes:
    """Return the index page.

    Args:
        done: name of each recording's files, and what its JSON says (:meth:`snnkd.Timeline.to_json`). The page of a
            recording is ``NAME.html`` beside the index.
        failed: name of each recording that could not be recognised, and the reason.
        title: of the page.
    """
    rows = [_row(name, said) for name, said in done]
    labels = {label for row in rows for label in [*row["shares"], *(piece[2] for piece in row["pieces"])]}
    known = [label for label in EMOTION_COLOURS if label in labels]
    content = {
        "version": 1,
        "title": title,
        "colours": {label: EMOTION_COLOURS.get(label, MUTED) for label in [*known, *sorted(labels - {*known})]},
        "rows": rows,
        "failed": [{"name": name, "reason": reason} for name, reason in failed],
    }
    return assemble("index.html", ("base.css", "index.css"), ("text.js", "theme.js", "index.js"), content)


def link(name: str, ending: str) -> str:
    """Return a relative link to a file beside the page; quoted, so no name can be a scheme, a query or another folder.

    Bytes of a name that are no UTF-8 are quoted as they are on disk.
    """
    return "./" + quote(f"{name}.{ending}", safe="", errors="surrogateescape")


def _row(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    facts, segments = said["recording"], said["segments"]
    start = facts.get("start_us", segments[0]["start_us"] if segments else 0)
    end = max([facts.get("duration_us", 0), *(segment["end_us"] - start for segment in segments)])
    totals = said["totals"]
    return {
        "name": name,
        "page": link(name, "html"),
        "duration_us": facts.get("duration_us", 0),
        "events": facts.get("events", 0),
        "windows": totals["windows"],
        "valid": totals["valid"],
        "confidence": totals["confidence"] or 0.0,
        "joules": totals["joules"],
        "shares": said["shares"],
        "warnings": len(facts.get("warnings", ())),
        "pieces": _pieces(segments, start, max(end, 1)),
    }


def _pieces(segments: Sequence[Mapping[str, Any]], start: int, length: int) -> list[list[Any]]:
    """Begin, length and label of what a small timeline draws, as shares of the whole."""
    least = length / MOST_PIECES if len(segments) > MOST_PIECES else 0
    return [
        [round((s["start_us"] - start) / length, 5), round((s["end_us"] - s["start_us"]) / length, 5), s["label"]]
        for s in segments
        if s["end_us"] - s["start_us"] >= least
    ]
