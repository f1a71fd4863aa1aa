"""``python -m snnkd.distill``: the objectives that YAML can name, with their formulas and options."""

import argparse
import inspect
import re
import sys

from snnkd.distill.objectives import OBJECTIVES, Term

_SPACES = re.compile(r"\s+")


def main(arguments: list[str] | None = None) -> int:
    """List all objectives, or tell all of the ones that are named."""
    parser = argparse.ArgumentParser(prog="python -m snnkd.distill", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="objectives to tell all of (default: list every one)")
    parser.add_argument("--rst", action="store_true", help="as pages of the documentation have it")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in OBJECTIVES:
            print(f"there is no objective {name!r}: there are {', '.join(OBJECTIVES)}", file=sys.stderr)
            return 2
    if options.rst:
        print(table(), end="")
        return 0
    try:
        print("\n\n".join(whole(n) for n in options.names) if options.names else "\n".join(map(line, OBJECTIVES)))
    except BrokenPipeError:  # a pager that was left early
        sys.stderr.close()
    return 0


def source_of(name: str) -> str:
    """Where an objective is from: the first line of its file."""
    module = inspect.getdoc(inspect.getmodule(OBJECTIVES[name])) or ""
    return _SPACES.sub(" ", module.split("\n\n")[0])


def says(name: str) -> str:
    """What an objective does, in its function's first sentence."""
    return _SPACES.sub(" ", (inspect.getdoc(OBJECTIVES[name].function) or "").split("\n\n")[0])


def kind_of(term: type[Term]) -> str:
    """What it looks at."""
    return ("features" if term.features else "logits") + (", labels" if term.labels else "")


def options_of(term: type[Term]) -> str:
    """Options of YAML and their defaults."""
    return ", ".join(f"{key}: {str(value).lower() if isinstance(value, bool) else value}"
                     for key, value in term.options().items())  # fmt: skip


def line(name: str) -> str:
    """One objective in the list."""
    return f"{name:<24}{kind_of(OBJECTIVES[name]):<18}{says(name)}"


def whole(name: str) -> str:
    """All of one objective: source, formula, arguments, options."""
    term = OBJECTIVES[name]
    text = inspect.getdoc(term.function) or ""
    return (
        f"{name}\n{'=' * len(name)}\n{source_of(name)}\n\nLooks at {kind_of(term)}. "
        f"Options: {options_of(term) or 'none'}\n\n{text}"
    )


def table() -> str:
    """A reStructuredText list-table of every objective and a section of each."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - name",
        "     - looks at",
        "     - options",
        "     - what it asks",
    ]
    for name, term in OBJECTIVES.items():
        lines += [f"   * - :ref:`{name} <objective-{name}>`", f"     - {kind_of(term)}"]
        lines += [f"     - ``{options_of(term)}``" if options_of(term) else "     -", f"     - {says(name)}"]
    for name in OBJECTIVES:
        lines += ["", f".. _objective-{name}:", "", name, "^" * len(name), ""]
        lines += [f".. automodule:: snnkd.distill.objectives.{name}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
