"""The reference, from the docstrings: pip install -e '.[docs]' && sphinx-build docs site."""

import importlib.metadata

project = "snnkd"
author = "The snnkd developers"
release = importlib.metadata.version("snnkd")
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
html_theme = "furo"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "__init__, __new__"}
