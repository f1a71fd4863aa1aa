"""The page as a file."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import snnkd
from snnkd.events import make_events
from snnkd.inference.page import build_page, builder
from snnkd.inference.page.packing import embedded_json
from snnkd.inference.smoothing import Smoothing
from snnkd.recordings import write_hdf5


class Parts(HTMLParser):
    """Elements with their attributes, and the text in them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.found = []
        self.open = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ""])
        self.open = True

    def handle_endtag(self, tag):
        self.open = False

    def handle_data(self, data):
        if self.open:
            self.found[-1][2] += data

    def of(self, tag):
        return [each for each in self.found if each[0] == tag]


def data_of(page):
    scripts = Parts(page.decode()).of("script")
    return json.loads(next(text for _, attributes, text in scripts if attributes.get("id") == "data"))


def test_the_policy_allows_the_pages_own_script_and_style_alone(timeline, recording):
    parts = Parts(build_page(timeline, recording).decode())
    policy = next(a["content"] for _, a, _ in parts.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    ((_, _, style),) = parts.of("style")
    ((_, _, script),) = [each for each in parts.of("script") if not each[1]]
    for text, rule in ((style, "style-src"), (script, "script-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    tags = [each[0] for each in parts.found]
    assert tags.index("meta") < tags.index("style")
    for _, attributes, _ in parts.found:
        assert not {"style", "src"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert re.match("#|data:", attributes.get("href", "#")), attributes


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "&lt;", "\u2028", "\udce9", '"\\u003c'])
def test_data_within_the_page_stay_what_they_are(text):
    written = embedded_json({text: [text]})
    assert not set("<>&") & set(written)
    assert written.isascii()
    assert json.loads(written) == {text: [text]}


@pytest.mark.parametrize("largest", [400_000, 200_000])
def test_a_long_recording_is_shown_in_fewer_bytes_and_the_page_says_so(tmp_path, timeline, monkeypatch, largest):
    monkeypatch.setattr(builder, "LEAST_MEDIA", 0)
    generator = np.random.default_rng(0)
    number = 400_000
    times = timeline.start_us[0] + np.sort(generator.integers(0, 3_000_000, number))
    times[0] = timeline.start_us[0]
    events = make_events(*generator.integers(0, 128, (2, number)), times, generator.integers(0, 2, number))
    write_hdf5(tmp_path / "busy.h5", events, (128, 128))
    page = build_page(timeline, snnkd.open_recording(tmp_path / "busy.h5"), largest=largest)
    assert largest / 4 < len(page) <= largest
    shown = data_of(page)["media"]["events"]
    assert shown["bin_us"] > 10_000
    assert shown["scale"] > 1 or shown["bin_us"] >= 40_000


def test_segments_validity_and_energy_are_the_timelines(timeline):
    smooth = replace(timeline, smoothing=Smoothing(abstain=0.99), joules=np.ones(len(timeline)))
    data = data_of(build_page(smooth))
    assert [piece[2] for piece in data["segments"]] == ["unsure"]
    assert data["segments"][0][:2] == [0, 3_000_000]
    assert data["joules"]
    assert data_of(build_page(timeline))["joules"] == ""


def test_what_cannot_be_shown_is_refused(timeline):
    with pytest.raises(ValueError, match="without windows"):
        build_page(replace(timeline, start_us=timeline.start_us[:0], logits=timeline.logits[:0]))
    with pytest.raises(ValueError, match="not 60 finite numbers"):
        build_page(replace(timeline, joules=np.full(len(timeline), np.inf)))
    broken = timeline.logits.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        build_page(replace(timeline, logits=broken))


def test_a_timeline_writes_its_page(tmp_path, timeline, recording):
    timeline.page(tmp_path / "p.html", recording, name="n")
    assert data_of((tmp_path / "p.html").read_bytes())["name"] == "n"
    assert [path.name for path in tmp_path.iterdir()] == ["p.html"]
