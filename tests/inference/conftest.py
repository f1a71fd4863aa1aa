"""A browser for the tests of what people open in one, and a model that is quick."""

import os
import shutil
from collections.abc import Iterator

import pytest
import torch

from snnkd.datasets import EMOTIONS
from snnkd.models import EventStudent, save_model


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],  # it refuses root otherwise
        )
        yield browser
        browser.close()


@pytest.fixture
def small_model(tmp_path):
    """A student of 32×32 pixels and 20 ms that fires, saved."""
    torch.manual_seed(0)
    network = EventStudent((32, 32), (4, 8))
    with torch.no_grad():
        for _ in range(20):  # statistics of something that fires
            network(torch.poisson(torch.full((4, 2, 2, 32, 32), 0.3)))
    return save_model(network, tmp_path / "model", emotions=EMOTIONS, input={"window_us": 20_000, "steps": 8})
