"""The reference, from the docstrings: pip install -e '.[docs]' && sphinx-build docs site."""

import importlib.metadata
from pathlib import Path

from snnkd.distill.__main__ import table
from snnkd.energy import available_hardware, joules_text, load_hardware

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


def _constants() -> str:
    """Every constant of every hardware profile, from the files that the library reads."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - profile",
        "     - operation",
        "     - energy",
        "     - source",
    ]
    for name in available_hardware():
        hardware = load_hardware(name)
        rows = [(key.replace("_", " "), constant) for key, constant in hardware.constants.items()]
        rows += [(f"{level.bits} bit, {level.name}", level.energy) for level in hardware.memory]
        for what, constant in rows:
            note = f" ({constant.note})" if constant.note else ""
            lines += [f"   * - ``{name}``", f"     - {what}", f"     - {joules_text(constant.joules)}"]
            lines += [f"     - {constant.source}{note}"]
    return "\n".join(lines) + "\n"


(_generated / "hardware.inc").write_text(_constants())
