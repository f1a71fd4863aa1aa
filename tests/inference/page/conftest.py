"""A recording whose every image says when it is, its timeline, and pages opened in the browser."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import snnkd
from snnkd.events import make_events
from snnkd.inference.timeline import Timeline
from snnkd.recordings import Frames, Recording, write_hdf5

EMOTIONS = ("happiness", "sadness", "anger", "disgust", "surprise", "fear", "neutral")
START, STEP, WINDOWS = 7_000_000, 50_000, 60
SIZE = (48, 36)


def make_recording(path: Path) -> Recording:
    """Three seconds; in every 10 ms one pixel fires, each time another; frame number i has grey level 2·i."""
    bins = np.arange(WINDOWS * STEP // 10_000)
    cells = (bins * 41) % (SIZE[0] * SIZE[1])
    events = make_events(cells % SIZE[0], cells // SIZE[0], START + bins * 10_000 + 10, bins % 2)
    events["t"][0] = START
    times = START + np.arange(90, dtype=np.int64) * 33_333
    images = np.repeat(2 * np.arange(90, dtype=np.uint8), SIZE[0] * SIZE[1]).reshape(90, SIZE[1], SIZE[0])
    write_hdf5(path, events, SIZE, Frames(images, times), {})
    return snnkd.open_recording(path)


def make_timeline(recording: Recording, **facts: object) -> Timeline:
    """Ten windows of each of six emotions, one after the other, the last window without an event."""
    logits = np.random.default_rng(3).normal(0, 0.2, (WINDOWS, 7)).astype(np.float32)
    logits[np.arange(WINDOWS), np.arange(WINDOWS) // 10] += 3
    events = np.full(WINDOWS, 5)
    events[-1] = 0
    told = {
        "path": str(recording.path), "format": recording.format, "sensor_size": list(SIZE), "start_us": START,
        "duration_us": recording.duration_us, "events": recording.event_count, "crop": [6, 0, 36, 36],
        "hot_pixels": 0, "hot_events": 0, "warnings": [],
    }  # fmt: skip
    model = {"source": "a/model", "window_us": STEP, "network": "EventStudent", "caution": "trained on nothing"}
    return Timeline(EMOTIONS, STEP, START + np.arange(WINDOWS) * STEP, events, logits, told | facts, model)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return make_recording(tmp_path_factory.mktemp("recording") / "r.h5")


@pytest.fixture(scope="session")
def timeline(recording: Recording) -> Timeline:
    return make_timeline(recording)


@dataclass
class Opened:
    """A page in the browser, and what it did."""

    page: object
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """Console messages and errors that nothing caught"""

    def value(self) -> float:
        """Seconds at which the cursor is."""
        return float(self.page.get_attribute("#plot", "aria-valuenow"))

    def cursor(self) -> float:
        """Share of the plot that lies left of the cursor."""
        return self.page.evaluate(
            """() => {
                const box = (id) => document.getElementById(id).getBoundingClientRect();
                const [plot, cursor] = [box("plot"), box("cursor")];
                return (cursor.x + cursor.width / 2 - plot.x) / plot.width;
            }"""
        )

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what must come to hold; the page's policy lets no test wait inside of it."""
        for _ in range(1000):
            if holds():
                return
            self.page.wait_for_timeout(20)
        raise AssertionError("did not come to hold within 20 s")

    def pixels(self, canvas: str) -> np.ndarray:
        """The pixels of a canvas, (H, W, 4), once they stay as they are."""
        self.page.wait_for_timeout(120)
        width, height, data = self.page.evaluate(
            """(id) => {
                const canvas = document.getElementById(id);
                const { width, height } = canvas;
                const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
                copy.drawImage(canvas, 0, 0);
                return [width, height, Array.from(copy.getImageData(0, 0, width, height).data)];
            }""",
            canvas,
        )
        return np.array(data, np.uint8).reshape(height, width, 4)


@pytest.fixture
def open_page(browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Write a page and open it as a file, as a person does."""
    contexts = []

    def open_it(data: bytes, name: str = "page.html", **options: object) -> Opened:
        place = tmp_path / name
        place.write_bytes(data)
        contexts.append(browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | options)))
        page = contexts[-1].new_page()
        opened = Opened(page)
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("console", lambda message: opened.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: opened.said.append(str(error)))
        page.goto(place.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=20_000)
        return opened

    yield open_it
    for context in contexts:
        context.close()
