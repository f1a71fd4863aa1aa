"""The backends of the neuron, chosen in one place.

A backend is a module with the two functions of :mod:`snnkd.spiking.backends.reference`, which defines them.
"""

from types import ModuleType

from snnkd.spiking.backends import reference

BACKENDS: dict[str, ModuleType] = {"reference": reference}


def choose(name: str | None) -> ModuleType:
    """Return the backend called ``name``, or the one that suits best where it is ``None``."""
    if name is None:
        return reference
    if name not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)} or None, got {name!r}")
    return BACKENDS[name]
