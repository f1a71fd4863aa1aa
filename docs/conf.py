"""The reference, from the docstrings: pip install -e '.[docs]' && sphinx-build docs site."""

import importlib.metadata
from pathlib import Path

from snnkd.distill.__main__ import table

project = "snnkd"
author = "The snnkd developers"
release = importlib.metadata.version("snnkd")
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
html_theme = "furo"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "__init__, __new__"}

# Every objective is found by the registry, so the page that lists them is made of it, too.
_generated = Path(__file__).parent / "generated"
_generated.mkdir(exist_ok=True)
(_generated / "objectives.inc").write_text(table())
