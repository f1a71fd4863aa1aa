"""The page of a recording: one HTML file that needs nothing else."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from snnkd.inference.page.content import media_content, origin, timeline_content
from snnkd.inference.page.packing import embedded_json

if TYPE_CHECKING:
    from snnkd.inference.timeline import Timeline
    from snnkd.recordings import Recording

LARGEST = 15_000_000
"""Bytes of a page at most, but for its timeline, which is never thinned"""
LEAST_MEDIA = 1_000_000
STYLES = ("base.css", "page.css")
SCRIPTS = (
    "text.js", "theme.js", "data.js", "events.js", "frames.js", "lanes.js", "axis.js", "timeline.js", "tables.js",
    "facts.js", "player.js",
)  # fmt: skip
"""Parts of the page's one script, in order"""


def build_page(
    timeline: "Timeline",
    recording: "Recording | None" = None,
    *,
    name: str | None = None,
    index: str | None = None,
    hashes: Mapping[str, str] | None = None,
    largest: int = LARGEST,
) -> bytes:
    """Return the page of a timeline.

    Args:
        timeline: of at least one window.
        recording: whose events and frames are shown; it is read window by window. Without it there is no player.
        name: of the page; the last part of the recording's path when left out.
        index: file name of the index page that lies beside it, if one does.
        hashes: of content, model and settings, for who must tell results apart.
        largest: bytes of the page at most. Events and frames are shown at the highest rate and size that fit, and the
            page says at which. The timeline is never thinned.

    Raises ``ValueError`` for a timeline that cannot be shown.
    """
    content = timeline_content(timeline)
    path = str(timeline.recording.get("path", "recording"))
    content["name"] = name if name is not None else path.replace("\\", "/").rstrip("/").split("/")[-1]
    content["index"] = index
    content["hashes"] = dict(hashes or {})
    content["media"] = None
    if recording is not None:
        room = largest - len(assemble("page.html", STYLES, SCRIPTS, content))
        content["media"] = media_content(recording, origin(timeline), max(room * 98 // 100, LEAST_MEDIA))
    return assemble("page.html", STYLES, SCRIPTS, content)


def assemble(template: str, styles: Sequence[str], scripts: Sequence[str], content: Any) -> bytes:
    """Put style, script and data into a template, with a content security policy that allows these and nothing else.

    The policy names the one script and the one style by their SHA-256, and forbids every connection.
    """
    style = "\n".join(static(name) for name in styles)
    script = '(() => {\n"use strict";\n' + "\n".join(static(name) for name in scripts) + "\n})();\n"
    parts = {
        "policy": (
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
            "connect-src 'none'; base-uri 'none'; form-action 'none'"
        ),
        "style": style,
        "script": script,
        "data": embedded_json(content),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match.group(1)], static(template)).encode()


def static(name: str) -> str:
    """Return the text of a file beside this one."""
    return (files("snnkd.inference.page") / "static" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
