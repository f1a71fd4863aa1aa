"""The README says what the results say, and its commands and code run."""

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from snnkd.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_figures_are_those_of_the_results():
    subprocess.run([sys.executable, ROOT / "scripts" / "report.py", "--check"], check=True)


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("number", range(len(re.findall(r"```python\n.*?```", README, re.DOTALL))))
def test_the_code_runs(number, tmp_path, monkeypatch):
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[number]
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def blocks_of(page):
    """The blocks of Python code of a page of the documentation, in their order."""
    text = (ROOT / "docs" / page).read_text()
    return [textwrap.dedent(code) for code in re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", text)]


def test_the_code_of_the_guide_runs():
    (code,) = blocks_of("spiking.rst")
    names = {}
    exec(compile(code, "spiking.rst", "exec"), names)
    membrane, _ = names["network"](names["x"])
    torch.testing.assert_close(names["one"][0], membrane[-1])


def test_the_code_of_the_guide_to_tensors_runs(tmp_path, monkeypatch):
    pytest.importorskip("tonic", reason="tonic is an extra of the tests")
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in blocks_of("tensors.rst"):
        exec(compile(code, "tensors.rst", "exec"), names)
    recording, events = names["recording"], names["recording"].events
    assert names["total"] == len(events)  # every event is in one bin
    times = recording.frames.timestamps_us
    for image, end in zip(names["images"], names["ends"][names["has_frame"]], strict=True):
        np.testing.assert_array_equal(image, recording.frames.images[times <= end][-1])
    assert 0 < len(names["clean"]) < len(names["rested"]) <= len(events)

    # The clips: without augmentation they are the recording, cut; with it they differ from epoch to epoch.
    plain = names["Clips"]("assets/sample.h5")
    assert len(plain) == recording.duration_us // (names["STEPS"] * names["WINDOW_US"])
    for index in (0, 7):
        counts, frames = plain[index]
        begin = recording.start_us + 500_000 * index
        inside = (events["t"] >= begin) & (events["t"] < begin + 500_000)
        assert counts.dtype == torch.float32
        assert counts.sum() == inside.sum()
        ends = begin + 50_000 * np.arange(1, 11)
        latest = np.stack([recording.frames.images[times <= end][-1] for end in ends])
        np.testing.assert_array_equal(frames.numpy() * 255, latest)
    first, second = (list(names["loader"]) for _ in range(2))
    assert sum(len(counts) for counts, _ in first) == len(plain)
    assert not all(torch.equal(one[0], two[0]) for one, two in zip(first, second, strict=True))
    assert first[0][0].shape == (4, 10, 2, 64, 64)
    assert names["currents"].shape[0] == 10
    assert names["tensor"].shape == names["tensor_of_pair"].shape == (20, 2, 64, 64)
    assert names["moved_frames"].images.shape == recording.frames.images.shape


def test_the_shipped_student_reads_the_shipped_recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    for command in re.findall(r"^(snnkd (?:infer|info) .*?)\s*(?:#.*)?$", README, re.MULTILINE):
        assert main(shlex.split(command)[1:]) == 0, command
    names = {"index.html", *(f"sample.{ending}" for ending in ("csv", "html", "json", "png"))}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


def test_configurations_that_the_readme_names_exist():
    for name in re.findall(r"configs/[a-z/]+\.yaml", README):
        assert (ROOT / name).is_file(), name
