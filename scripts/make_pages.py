"""Make the pictures of the page, the index and the video under assets/: what snnkd infer writes, opened in a browser.

Usage: python scripts/make_pages.py [--model FOLDER] [--recording FILE]
Needs Chromium (apt-get install chromium) and playwright (in the extra "test").
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
from playwright.sync_api import Browser, sync_playwright

from snnkd.datasets import EMOTIONS
from snnkd.datasets.eyesim import simulate_sequence
from snnkd.recordings import write_hdf5

ASSETS = Path(__file__).parents[1] / "assets"
PERSONS = 7
"""Recordings of the index, beside the one that is shown"""
WHERE = 0.44
"""Share of the recording at which the pictures are taken"""
LARGEST = 300_000


def recordings(folder: Path, shown: Path) -> None:
    """Fill a folder with what the index lists: the recording that is shown, synthetic persons, one that is broken."""
    shutil.copyfile(shown, folder / shown.name)
    for person in range(PERSONS):
        take = simulate_sequence(5, person, EMOTIONS[person], 0, size=(64, 64), duration_s=3)
        write_hdf5(folder / f"person {person + 1}.h5", take.events, (64, 64), take.frames, take.metadata)
    whole = shown.read_bytes()
    (folder / "cut short.h5").write_bytes(whole[: len(whole) // 3])


def photograph(browser: Browser, page: Path, name: str, height: int) -> None:
    """Write a picture of a page in light and in dark."""
    for scheme in ("light", "dark"):
        tab = browser.new_page(viewport={"width": 1200, "height": height}, color_scheme=scheme)
        tab.goto(page.as_uri())
        tab.wait_for_selector("html[data-ready]")
        plot = tab.locator("#plot")
        if plot.count():
            box = plot.bounding_box()
            tab.mouse.click(box["x"] + WHERE * box["width"], box["y"] + 60)
            tab.mouse.move(0, 0)
            tab.wait_for_timeout(500)
        tab.evaluate("window.scrollTo(0, 0)")
        save(tab.screenshot(), ASSETS / f"{name}_{scheme}.png")
        tab.close()


def save(png: bytes, path: Path) -> None:
    """Write a picture, and say so where it is larger than it should be."""
    path.write_bytes(png)
    if len(png) > LARGEST:
        sys.exit(f"{path}: is {len(png):,} bytes, more than {LARGEST:,}")


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(ASSETS / "student"))
    parser.add_argument("--recording", type=Path, default=ASSETS / "sample.h5")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or sys.exit("chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary) / "recordings", Path(temporary) / "out"
        folder.mkdir()
        recordings(folder, options.recording)
        # Run there, so that no picture shows where this was.
        command = [
            sys.executable,
            "-m",
            "snnkd.cli",
            "infer",
            str(Path(options.model).resolve()),
            "-o",
            "out",
            "--page",
        ]
        shown = f"{folder.name}/{options.recording.name}"
        subprocess.run([*command, shown, "--video"], check=True, cwd=temporary)
        subprocess.run([*command, folder.name], check=False, cwd=temporary)  # one of them is broken
        name = options.recording.stem
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            photograph(browser, out / f"{name}.html", "page", 1250)
            photograph(browser, out / "index.html", "page_index", 680)
            browser.close()
        video = cv2.VideoCapture(str(out / f"{name}.mp4"))
        video.set(cv2.CAP_PROP_POS_FRAMES, round(WHERE * video.get(cv2.CAP_PROP_FRAME_COUNT)))
        there, image = video.read()
        if not there:
            sys.exit(f"{out / name}.mp4: has no such image")
        save(cv2.imencode(".png", image)[1].tobytes(), ASSETS / "video.png")


if __name__ == "__main__":
    main()
