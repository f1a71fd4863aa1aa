"""``python -m snnkd.distill``."""

import pytest

from snnkd.distill.__main__ import main, table
from snnkd.distill.objectives import OBJECTIVES


def test_every_objective_is_listed_once_with_what_it_asks(capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(OBJECTIVES)
    assert all(len(line.split()) > 6 for line in lines)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_one_is_told_with_its_formula_its_source_and_its_options(name, capsys):
    assert main([name]) == 0
    text = capsys.readouterr().out
    assert ".. math::" in text
    for option in OBJECTIVES[name].options():
        assert f"{option}: " in text


def test_what_is_not_known_is_named(capsys):
    assert main(["kd", "dkkd"]) == 2
    assert "'dkkd'" in capsys.readouterr().err


def test_the_page_has_a_section_for_each():
    page = table()
    for name in OBJECTIVES:
        assert page.count(f".. _objective-{name}:") == 1
        assert f":ref:`{name} <objective-{name}>`" in page
