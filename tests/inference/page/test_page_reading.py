"""The page in a browser: what it says is what the timeline says, for eyes, screen readers and strange names alike."""

import http.server
import re
import threading
from dataclasses import replace

import numpy as np
import pytest

from snnkd.inference.page import build_page
from snnkd.inference.smoothing import Smoothing

NASTY = (
    "<img src=x onerror=\"document.title='taken'\">&amp;</script><script>document.title='taken'</script>'\"../%2e.h5"
)

CONTRAST = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || element.tagName === "SCRIPT") continue;
    const [a, b] = [numbers(getComputedStyle(element).color), ground(element)].map(luminance).sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), node.textContent.trim()]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(open_page, timeline, recording, scheme):
    page = open_page(build_page(timeline, recording, index="index.html"), color_scheme=scheme).page
    other = {"light": "dark", "dark": "light"}[scheme]
    bright = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b) > 384"
    for now in (scheme, other):
        assert page.evaluate(bright) == (now == "light")
        ratios = page.evaluate(CONTRAST)
        assert len(ratios) > 100
        assert [each for each in ratios if each[0] < 4.5] == []
        page.click("#theme")
    page.emulate_media(color_scheme=other)  # what was chosen stays
    assert page.evaluate(bright) == (scheme == "light")


def test_markup_in_names_stays_text(open_page, timeline):
    told = {"path": f"/data/{NASTY}", "warnings": [NASTY], NASTY: NASTY}
    timeline = replace(timeline, recording=timeline.recording | told, model={"caution": NASTY, "source": NASTY})
    opened = open_page(build_page(timeline, name=NASTY, index=NASTY))
    page = opened.page
    assert page.inner_text("h1") == NASTY
    assert page.title() == f"{NASTY}: emotions over time"
    assert page.evaluate("document.querySelectorAll('img, script:not([type])').length") == 1  # its own script
    assert page.inner_text("#caution") == f"The model was {NASTY}."
    assert page.inner_text("#recording li") == NASTY
    assert page.inner_text("#recording dl").count(NASTY) == 4
    assert "/" not in page.get_attribute("#back", "href").removeprefix("./")
    assert opened.said == []


def test_a_name_that_is_no_utf8_is_shown(open_page, timeline):
    page = open_page(build_page(timeline, name=b"caf\xe9.h5".decode("utf-8", "surrogateescape"))).page
    assert page.inner_text("h1").startswith("caf")


class Counting(http.server.BaseHTTPRequestHandler):
    hits = 0

    def do_GET(self):
        type(self).hits += 1
        self.send_response(200)
        self.end_headers()


def test_nothing_that_gets_into_the_page_can_send_a_request(open_page, timeline, recording):
    server = http.server.HTTPServer(("127.0.0.1", 0), Counting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        opened = open_page(build_page(timeline, recording))
        url = f"http://127.0.0.1:{server.server_port}/"
        opened.page.evaluate(
            """async (url) => {
                const image = document.createElement("img");
                image.src = url + "image";
                const script = document.createElement("script");
                script.src = url + "script";
                document.body.append(image, script);
                const style = document.createElement("div");
                style.style.backgroundImage = `url(${url}style)`;
                document.body.append(style);
                await fetch(url + "fetch").catch(() => null);
                navigator.sendBeacon(url + "beacon");
                await new Promise((done) => setTimeout(done, 300));
            }""",
            url,
        )
        assert Counting.hits == 0
        assert any("Content Security Policy" in text for text in opened.said)
    finally:
        server.shutdown()
        server.server_close()


def test_the_tables_say_what_the_timeline_says(open_page, timeline, recording):
    joules = np.linspace(1e-6, 4e-6, len(timeline))
    quality = np.zeros(len(timeline), np.int8)
    quality[[-1, 7, 30]] = [1, 2, 3]
    timeline = replace(timeline, joules=joules, quality=quality)
    page = open_page(build_page(timeline, recording)).page
    seen = []
    while True:
        seen += page.evaluate(
            """() => [...document.querySelectorAll("#windows tbody tr")]
                .map((row) => [...row.children].map((cell) => cell.textContent))"""
        )
        if not page.is_enabled("#windows >> text=Later"):
            break
        page.click("#windows >> text=Later")
    assert len(seen) == len(timeline)
    for i, row in enumerate(seen):
        valid = "yes" if timeline.valid[i] else f"no: {timeline.qualities[i]}"
        assert row[1:4] == [str(timeline.events[i]), valid, timeline.labels[i]]
        for text, share in zip(row[4:11], timeline.probabilities[i], strict=True):
            assert float(text.rstrip("%")) == pytest.approx(100 * share, abs=0.51)
        assert row[11].endswith("µJ")
        assert float(row[11].split()[0]) == pytest.approx(1e6 * joules[i], rel=0.01)
    shares = timeline.shares()
    for emotion, share in shares.items():
        row = page.inner_text(f"#summary tr:has-text('{emotion}')")
        assert f"{share:.0%}" in row
    assert "150 µJ" in page.inner_text("#model")


def test_every_control_has_a_name_and_the_cursor_is_a_slider(open_page, timeline, recording):
    page = open_page(build_page(timeline, recording)).page
    for role in ("button", "combobox", "checkbox", "slider"):
        found = page.get_by_role(role)
        assert found.count() > 0
        named = page.get_by_role(role, name=re.compile(r"\S"))
        assert named.count() == found.count()
    slider = page.get_by_role("slider", name="Position in the recording")
    assert slider.get_attribute("aria-valuemax") == "3.000"
    assert slider.get_attribute("tabindex") == "0"


def test_facts_settings_and_hashes_are_told(open_page, timeline, recording):
    smooth = replace(timeline, smoothing=Smoothing(margin=0.25, minimum_us=300_000))
    hashes = {"content": "c0ffee", "model": "0def", "settings": "5e77"}
    page = open_page(build_page(smooth, recording, hashes=hashes)).page
    facts = {
        "#model": {"margin to tell another": "0.25", "shortest segment": "300,000 µs", "architecture": "EventStudent",
                   "hash of model": "0def", "hash of settings": "5e77", "window": "50,000 µs"},
        "#recording": {"sensor": "48×36", "events": "300", "hash of content": "c0ffee", "warnings": "none",
                       "region seen": "36×36 from (6, 0)", "frames shown as": "all, 90 images of 48×36"},
    }  # fmt: skip
    for part, expected in facts.items():
        names, values = (page.locator(f"{part} {tag}").all_inner_texts() for tag in ("dt", "dd"))
        assert expected.items() <= dict(zip(names, values, strict=True)).items()


def test_invalid_windows_are_told(open_page, timeline, recording):
    page = open_page(build_page(timeline, recording)).page
    page.keyboard.press("End")
    assert "not valid" in page.inner_text("#now-note")
    page.keyboard.press("Home")
    assert "not valid" not in page.inner_text("#now-note")


def test_a_narrow_page_does_not_scroll_sideways(open_page, timeline, recording):
    page = open_page(build_page(timeline, recording), viewport={"width": 390, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_the_recording_there_is_the_timeline_alone(open_page, timeline):
    opened = open_page(build_page(timeline))
    assert not opened.page.is_visible("#screens")
    opened.page.keyboard.press("Shift+ArrowRight")
    assert opened.value() == 1
    assert opened.said == []
