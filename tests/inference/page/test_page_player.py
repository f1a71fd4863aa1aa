"""The page in a browser: it plays, seeks, and all of it follows the cursor."""

import numpy as np
import pytest

from snnkd.inference.page import build_page

START, STEP, LENGTH = 7_000_000, 50_000, 3.0


@pytest.fixture
def opened(open_page, timeline, recording):
    opened = open_page(build_page(timeline, recording))
    yield opened
    assert opened.said == []
    assert len(opened.requests) == 1  # the page itself


def place(page, share):
    page.locator("#plot").scroll_into_view_if_needed()
    box = page.locator("#plot").bounding_box()
    return box["x"] + share * box["width"], box["y"] + 70


def test_it_plays_and_stops_and_starts_over_at_the_end(opened):
    page = opened.page
    first = opened.pixels("events")
    page.click("#play")
    opened.until(lambda: opened.value() > 0.4)
    assert page.get_attribute("#play", "aria-label") == "Pause"
    page.click("#play")
    stopped = opened.value()
    assert opened.cursor() == pytest.approx(stopped / LENGTH, abs=0.003)
    assert (opened.pixels("events") != first).any()
    assert opened.value() == stopped
    page.select_option("#speed", "16")
    page.click("#play")
    opened.until(lambda: page.get_attribute("#play", "aria-label") == "Play")
    assert opened.value() == LENGTH
    page.select_option("#speed", "0.05")
    page.click("#play")
    opened.until(lambda: opened.value() < 1)
    page.click("#play")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
def test_clicking_moves_cursor_clock_label_and_rows(opened, timeline, share):
    page = opened.page
    page.mouse.click(*place(page, share))
    seconds = opened.value()
    assert seconds == pytest.approx(share * LENGTH, abs=0.01)
    assert opened.cursor() == pytest.approx(share, abs=0.003)
    assert page.inner_text("#clock") == f"{seconds:.2f} s"
    window = int(seconds * 1e6) // STEP
    label = timeline.labels[window]
    assert page.inner_text("#now-label") == label
    assert page.get_attribute("#plot", "aria-valuetext").endswith(f"{label} {timeline.confidence[window]:.0%}")
    assert page.inner_text("#segments tr[aria-current] td >> nth=1") == label
    assert page.inner_text("#windows tr[aria-current] button") == f"{window * STEP / 1e6:.2f} s"


def test_dragging_follows_the_pointer(opened):
    page = opened.page
    page.mouse.move(*place(page, 0.2))
    page.mouse.down()
    for share in (0.3, 0.45, 0.6):
        page.mouse.move(*place(page, share))
        assert opened.value() == pytest.approx(share * LENGTH, abs=0.01)
    page.mouse.up()
    page.mouse.move(*place(page, 0.8))
    assert opened.value() == pytest.approx(0.6 * LENGTH, abs=0.01)


def test_keys(opened):
    page = opened.page
    for key, seconds in [
        ("End", LENGTH), ("Home", 0), ("ArrowRight", 0.05), ("Shift+ArrowRight", 1.05), ("ArrowLeft", 1.0), ("]", 1.5),
        ("ArrowRight", 1.55), ("ArrowRight", 1.6), ("[", 1.5), ("[", 1.0), ("Home", 0), ("ArrowLeft", 0),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert opened.value() == pytest.approx(seconds, abs=1e-3), key
    page.keyboard.press("Space")
    opened.until(lambda: page.get_attribute("#play", "aria-label") == "Pause")
    page.keyboard.press("Space")
    opened.until(lambda: page.get_attribute("#play", "aria-label") == "Play")
    page.focus("#play")  # where the button presses itself, and only once
    page.keyboard.press("Space")
    assert page.get_attribute("#play", "aria-label") == "Pause"


def test_the_screens_show_what_was_recorded_at_the_cursor(opened, recording):
    page = opened.page
    page.select_option("#glow", "0")
    page.uncheck("#stretch")
    for window in (3, 20, 41, 58):
        page.keyboard.press("Home")
        for _ in range(window):
            page.keyboard.press("ArrowRight")
        us = START + window * STEP
        shown = opened.pixels("events")
        events = recording.events[(recording.events["t"] >= us) & (recording.events["t"] < us + 10_000)]
        expected = np.zeros(shown.shape[:2], bool)
        expected[events["y"], events["x"]] = True
        np.testing.assert_array_equal(shown[..., 3] > 0, expected)
        colours = shown[events["y"], events["x"]].astype(int)
        np.testing.assert_array_equal(colours[:, 2] > colours[:, 0], events["p"])  # ON is blue, OFF orange
        last = np.searchsorted(recording.frames.timestamps_us, us, side="right") - 1
        np.testing.assert_allclose(opened.pixels("frames")[..., 0], 2 * last, atol=2)


def test_an_afterglow_shows_all_that_fell_into_it(opened, recording):
    page = opened.page
    page.select_option("#glow", "150000")
    page.mouse.click(*place(page, 0.7))
    us = START + opened.value() * 1e6
    last = int(us - START) // 10_000
    bins = (recording.events["t"] - START) // 10_000
    within = recording.events[(bins > last - 15) & (bins <= last)]
    assert (opened.pixels("events")[..., 3] > 0).sum() == len(np.unique(within[["x", "y"]]))


def test_the_view_zooms_and_goes_with_the_cursor(opened):
    page = opened.page
    page.mouse.click(*place(page, 0.5))
    for _ in range(2):
        page.click("#zoom-in")
    assert opened.cursor() == pytest.approx(0.5, abs=0.01)
    page.mouse.click(*place(page, 0.999))
    assert opened.value() == pytest.approx(0.5 * LENGTH + LENGTH / 8, abs=0.02)
    page.keyboard.press("Home")
    assert opened.cursor() == pytest.approx(0, abs=0.01)
    page.click("#zoom-all")
    page.mouse.click(*place(page, 0.25))
    assert opened.value() == pytest.approx(0.25 * LENGTH, abs=0.01)


def test_rows_and_buttons_lead_to_their_time(opened):
    page = opened.page
    page.click("#segments button >> text=1.50 s")
    assert opened.value() == 1.5
    page.click("#windows >> text=Later")
    assert opened.value() == pytest.approx(36 * STEP / 1e6)
    page.click("#next-segment")
    assert opened.value() == pytest.approx(2.0)
    page.click("#back-segment")
    assert opened.value() == pytest.approx(1.5)
