"""The index over many recordings."""

import json
from dataclasses import replace
from urllib.parse import unquote_to_bytes

import pytest

from snnkd.inference.files import output_names
from snnkd.inference.page import build_index, build_page
from snnkd.inference.page.index import link

NAMES = ["b 10", "b 9", "50% #1?.x", "<b>a<i> \"q\" 'r'"]


def said(timeline, share=1.0):
    part = round(len(timeline) * share)
    cut = {name: getattr(timeline, name)[:part] for name in ("start_us", "events", "logits")}
    facts = timeline.recording | {"duration_us": part * timeline.window_us}
    return json.loads(replace(timeline, recording=facts, **cut).json_bytes())


@pytest.fixture
def opened(open_page, timeline, tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.html").write_bytes(build_page(timeline, name=name, index="index.html"))
    done = [(name, said(timeline, share)) for name, share in zip(NAMES, (0.5, 1, 0.2, 0.8), strict=True)]
    opened = open_page(build_index(done, [("bad<i>.raw", "bad<i>.raw: is cut short")]), "index.html")
    yield opened
    assert opened.said == []


def rows(page):
    return page.locator("#rows th").all_inner_texts()


def test_every_column_sorts(opened):
    page = opened.page
    assert rows(page)[-2:] == ["b 9", "b 10"]  # numbers as numbers
    page.click("#heads >> text=Duration")
    assert rows(page) == ["b 9", NAMES[3], "b 10", NAMES[2]]
    assert page.get_attribute("#heads th:has-text('Duration')", "aria-sort") == "descending"
    page.click("#heads >> text=Duration")
    assert rows(page) == [NAMES[2], "b 10", NAMES[3], "b 9"]
    assert page.locator("#heads th[aria-sort=ascending]").count() == 1
    page.fill("#find", "B 1")
    assert rows(page) == ["b 10"]
    assert page.inner_text("#found") == "1 of 4 recordings"


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_the_page_of_the_recording_and_back(opened, name):
    page = opened.page
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_selector("html[data-ready]")
    assert page.inner_text("h1") == name
    page.click("#back")
    page.wait_for_selector("#rows")
    assert all(url.startswith("file://") for url in opened.requests)


def test_failed_recordings_are_listed_with_their_reason(opened):
    assert opened.page.locator("#failures tr").all_inner_texts() == ["bad<i>.raw\tbad<i>.raw: is cut short"]
    assert opened.page.locator("i, b").count() == 0
    assert "1 failed" in opened.page.inner_text("#subtitle")


def test_small_timelines_are_told_in_words(opened):
    label = opened.page.get_attribute("#rows tr:has-text('b 10') canvas", "aria-label")
    assert label == "happiness 33%, sadness 33%, anger 33%"


@pytest.mark.parametrize("name", ["../../etc/passwd", "javascript:alert(1)", "//host/x", "a?b#c", "caf\udce9"])
def test_links_stay_beside_the_index(name):
    target = link(name, "html")
    assert target.startswith("./")
    assert not set("/:?#\"'<>") & set(target[2:])
    assert unquote_to_bytes(target[2:]) == f"{name}.html".encode("utf-8", "surrogateescape")


def test_no_recording_takes_the_name_of_the_index(tmp_path):
    assert output_names([tmp_path / "Index.h5", tmp_path / "a.h5"]) == ["Index-2", "a"]
