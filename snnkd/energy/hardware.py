"""Hardware profiles: what one operation costs, each constant with its unit and source."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from snnkd.errors import ConfigError

_UNITS = {"fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9, "J": 1.0}
_NEEDED = ("mac", "ac")


@dataclass(frozen=True)
class Constant:
    """An energy per operation in joules, and where it is from."""

    joules: float
    source: str
    note: str = ""


@dataclass(frozen=True)
class Hardware:
    """A profile: ``mac`` (multiply-accumulate) and ``ac`` (accumulate)."""

    name: str
    description: str
    mac: Constant
    ac: Constant


def available_hardware() -> list[str]:
    """Return the names of the profiles that come with the library."""
    return sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml"))


@cache
def load_hardware(name: str) -> Hardware:
    """Load a profile by name, or from the path of a YAML file of the same form.

    Raises :class:`~snnkd.errors.ConfigError`, naming the key, for a profile that is not known, a constant without
    value, unit or source, or a value that is not above zero.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"{name}: no such hardware profile")
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            raise ConfigError(f"{name}: is not text") from None
    elif name in available_hardware():
        text = (_folder() / f"{name}.yaml").read_text()
    else:
        known = ", ".join(available_hardware())
        raise ConfigError(f"hardware {name!r} is not known: choose from {known}, or give a YAML file")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: is not YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(data, dict) or not isinstance(data.get("constants"), dict):
        raise ConfigError(f"{name}: key 'constants' is missing")
    constants = {key: _constant(name, key, data["constants"].get(key)) for key in _NEEDED}
    return Hardware(str(data.get("name", name)), str(data.get("description", "")), **constants)


def _folder() -> Any:
    return resources.files("snnkd.energy") / "profiles"


def _constant(profile: str, key: str, entry: Any) -> Constant:
    where = f"{profile}: constants.{key}"
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} is missing: give value, unit and source")
    for needed in ("value", "unit", "source"):
        if not entry.get(needed):
            raise ConfigError(f"{where}.{needed} is missing: a constant without it is not used")
    if not isinstance(entry["unit"], str) or entry["unit"] not in _UNITS:
        raise ConfigError(f"{where}.unit: {entry['unit']!r} is not one of {', '.join(_UNITS)}")
    value = entry["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ConfigError(f"{where}.value: must be a number above zero, got {str(value)[:40]}")
    return Constant(value * _UNITS[entry["unit"]], str(entry["source"]), str(entry.get("note", "")))
