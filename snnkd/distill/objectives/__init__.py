"""Objectives of distillation, one file each: a pure function of the file's name, and the term that uses it.

Every file of this folder that defines a named :class:`~snnkd.distill.objectives.term.Term` is an objective: nothing
else has to be told of it.
"""

import importlib
import inspect
import pkgutil

from snnkd.distill.objectives.term import FeatureTerm, LogitTerm, Shapes, Term, View

_HELP = ("term",)


def _found() -> dict[str, type[Term]]:
    terms: dict[str, type[Term]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name in _HELP or module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for _, cls in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(cls, Term) and cls.__module__ == loaded.__name__ and not cls.__name__.startswith("_"):
                terms[cls.name] = cls
    return dict(sorted(terms.items()))


OBJECTIVES: dict[str, type[Term]] = _found()
"""Every objective by its name in YAML"""

__all__ = ["OBJECTIVES", "FeatureTerm", "LogitTerm", "Shapes", "Term", "View"]
