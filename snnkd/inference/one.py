"""One recording: from the file to its timeline, and to the files that tell it."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from snnkd.errors import RecordingError, SnnkdError
from snnkd.inference.fingerprint import content_hash
from snnkd.inference.recognizer import Recognizer
from snnkd.inference.request import INDEX, Request
from snnkd.inference.scan import NoEventsError
from snnkd.inference.timeline import Timeline, write_whole
from snnkd.recordings import Recording, open_recording

Said = dict[str, Any]
Noted = Callable[[int, int], None]


def no_note(done: int, of: int) -> None:
    """Tell nobody how far a video is."""


def tell_recording(
    recognizer: Recognizer,
    path: Path,
    place: Path,
    request: Request,
    known: dict[str, str],
    again: bool = False,
    noted: Noted = no_note,
) -> tuple[Said, bool]:
    """Write the files of one recording, ``place`` being their path without the ending.

    Args:
        recognizer: the model.
        path: of the recording.
        place: where its files go.
        request: which ones.
        known: hashes of the model and the settings.
        again: compute what is there already, too.
        noted: told how far a video is.

    Returns what the JSON says but for the windows, and whether it was there already.
    Raises :class:`SnnkdError` or ``OSError``, and then no file has changed but those written before.
    """
    facts = {"content": content_hash(path)} | known if path.exists() else {}
    there = None if again else finished(place, facts, request.endings)
    if there is not None:
        return there, True
    with recognised(recognizer, path, request, place.parent) as (timeline, recording):
        said = timeline.about() | {"of": facts | {"files": list(request.endings)}}
        # All but the video are made before any is written, so that a failure leaves older ones as they were.
        files = _files(timeline, recording, place, request, facts, said)
        for ending in request.endings:
            target = named(place, ending)
            if ending == "mp4":
                from snnkd.inference.video import write_video

                write_video(target, timeline, recording, name=place.name, progress=noted)
            else:
                write_whole(target, files.pop(ending))
    return said, False


def named(place: Path, ending: str) -> Path:
    """Return a recording's file with an ending; its name may have dots."""
    return place.with_name(f"{place.name}.{ending}")


@contextmanager
def recognised(
    recognizer: Recognizer, path: Path, request: Request, folder: Path | None
) -> Iterator[tuple[Timeline, Recording]]:
    """Give the timeline of a recording, and the recording, whose events may be simulated in ``folder`` meanwhile."""
    recording = open_recording(path)
    hardware, smoothing, settings = request.hardware, request.smoothing, request.settings
    try:
        timeline = recognizer.recognize(recording, hardware, smoothing, settings)
    except NoEventsError:
        if not recording.frame_count:
            raise
        if not request.simulate:
            text = f"{path}: holds frames and no events: --simulate makes events of them by the sensor model"
            raise RecordingError(text) from None
    else:
        yield timeline, recording
        return
    from snnkd.recordings import simulate_recording

    with tempfile.TemporaryDirectory(prefix=".snnkd-", dir=folder) as beside:
        made = Path(beside) / "simulated.h5"
        simulate_recording(recording, made)
        simulated = open_recording(made)
        timeline = recognizer.recognize(simulated, hardware, smoothing, settings)
        facts = timeline.recording | {
            "path": str(path),
            "format": recording.format,
            "simulated": True,
            "warnings": [*recording.warnings, "its events were simulated from its frames"],
        }
        yield replace(timeline, recording=facts), simulated


def finished(place: Path, facts: dict[str, str], endings: tuple[str, ...]) -> Said | None:
    """Return what a result's JSON says but for the windows, where it is of these facts and all files were written."""
    if not facts or not all(named(place, ending).is_file() for ending in endings):
        return None
    try:
        found = json.loads(named(place, "json").read_text())
    except (OSError, ValueError):
        return None
    of = found.get("of") if isinstance(found, dict) else None
    if not isinstance(of, dict) or not isinstance(of.get("files"), list):
        return None
    found.pop("windows", None)
    # A page of other settings may lie beside a JSON that was written without one.
    return found if of == facts | {"files": of["files"]} and set(endings) <= {*map(str, of["files"])} else None


def reason(error: Exception, path: Path) -> str:
    """Say in one line why a recording failed."""
    if isinstance(error, OSError) and not isinstance(error, SnnkdError):
        return f"{error.filename or path}: {error.strerror or error}"
    return str(error)


def _files(
    timeline: Timeline, recording: Recording, place: Path, request: Request, facts: dict[str, str], said: Said
) -> dict[str, bytes]:
    files = {"csv": timeline.csv_bytes(), "json": timeline.json_bytes({"of": said["of"]})}
    if request.plot:
        from snnkd.inference.drawing import png_bytes

        files["png"] = png_bytes(timeline.plot(recording))
    if request.parquet:
        files["parquet"] = timeline.parquet_bytes()
    if request.page:
        from snnkd.inference.page import build_page

        files["html"] = build_page(timeline, recording, name=place.name, index=INDEX, hashes=facts)
    return files
