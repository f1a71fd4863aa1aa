"""The README says what the results say, and its commands and code run."""

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

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


def test_the_code_of_the_guide_runs():
    (code,) = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", (ROOT / "docs" / "spiking.rst").read_text())
    names = {}
    exec(compile(textwrap.dedent(code), "spiking.rst", "exec"), names)
    membrane, _ = names["network"](names["x"])
    torch.testing.assert_close(names["one"][0], membrane[-1])


def test_the_shipped_student_reads_the_shipped_recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    for command in re.findall(r"^(snnkd (?:infer|info) .*?)\s*(?:#.*)?$", README, re.MULTILINE):
        assert main(shlex.split(command)[1:]) == 0, command
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_configurations_that_the_readme_names_exist():
    for name in re.findall(r"configs/[a-z/]+\.yaml", README):
        assert (ROOT / name).is_file(), name
