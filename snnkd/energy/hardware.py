"""Hardware profiles: what one operation costs, each constant with its unit and source."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from snnkd.errors import ConfigError

UNITS = {"fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9, "J": 1.0}
ARITHMETIC = ("mac", "ac", "add", "multiply", "compare")
"""Keys of a processor that computes: a multiply-accumulate, an accumulate, and their parts"""
CHIP = "synaptic_operation"
"""Key of a chip of which only the energy of a synaptic operation is published, neurons and all else in it"""
FIELDS = {"name", "description", "constants", "bits", "memory"}
SCHEMA = f"""\
name: my-chip                 # as reports call it
description: one line
bits: 32                      # of a number; optional
constants:                    # either {CHIP}, or mac and ac (add, multiply and compare follow from them)
  ac:
    value: 0.9                # above zero
    unit: pJ                  # one of {", ".join(UNITS)}
    source: "where the number stands"
    note: optional
memory:                       # optional: levels, the smallest first; the last may leave out its capacity
  - {{name: SRAM 8 KB, capacity: 8192, bits: 64, value: 10, unit: pJ, source: "where the number stands"}}
"""


@dataclass(frozen=True)
class Constant:
    """An energy per operation in joules, and where it is from."""

    joules: float
    source: str
    note: str = ""


@dataclass(frozen=True)
class Level:
    """A memory: what an access of ``bits`` costs in one of up to ``capacity`` bytes."""

    name: str
    capacity: float
    """Infinite for the last one"""
    bits: int
    energy: Constant

    def joules(self, bits: float) -> float:
        """Energy of reading or writing so many bits."""
        return self.energy.joules * bits / self.bits


@dataclass(frozen=True)
class Hardware:
    """A profile. ``mac`` and ``ac`` are ``None`` for a chip of which only ``synaptic_operation`` is known."""

    name: str
    description: str
    constants: Mapping[str, Constant]
    bits: int = 32
    memory: tuple[Level, ...] = ()

    def joules(self, operation: str) -> float | None:
        r"""Energy of one operation: ``mac``, ``ac``, ``add``, ``multiply``, ``compare``; ``None`` where none is known.

        What a processor's file leaves out follows: an addition is an accumulate, a multiplication
        :math:`E_{MAC} - E_{AC}`, a comparison a subtraction. Of a chip, an accumulate is a synaptic operation, neurons
        included, and anything else has no figure.
        """
        known = self.constants
        if operation in known:
            return known[operation].joules
        if CHIP in known:
            return known[CHIP].joules if operation == "ac" else None
        if operation == "multiply":
            return known["mac"].joules - known["ac"].joules
        return known["ac"].joules if operation in ("add", "compare") else None

    @property
    def is_chip(self) -> bool:
        """Whether a synaptic operation has everything in it."""
        return CHIP in self.constants

    @property
    def sources(self) -> tuple[str, ...]:
        """Each source once."""
        used = [*self.constants.values(), *(level.energy for level in self.memory)]
        return tuple(dict.fromkeys(constant.source for constant in used))


def available_hardware() -> list[str]:
    """Return the names of the profiles that come with the library."""
    return sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml"))


@cache
def load_hardware(name: str) -> Hardware:
    """Load a profile by name, or from the path of a YAML file of the form that :data:`SCHEMA` shows.

    Raises :class:`~snnkd.errors.ConfigError`, naming the key, for a profile that is not known, a constant without
    value, unit or source, a value that is not above zero, or a key that there is not.
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
    return _hardware(name, data)


def _hardware(name: str, data: dict[str, Any]) -> Hardware:
    if unknown := sorted(map(str, set(data) - FIELDS)):
        raise ConfigError(f"{name}: there is no key {unknown[0]!r}: there are {', '.join(sorted(FIELDS))}")
    given = data["constants"]
    allowed = (CHIP,) if CHIP in given else ARITHMETIC
    if unknown := sorted(set(map(str, given)) - set(allowed)):
        beside = f" beside {CHIP}" if CHIP in given else ""
        raise ConfigError(f"{name}: constants.{unknown[0]}: is not known{beside}: give {', '.join(allowed)}")
    needed = (CHIP,) if CHIP in given else ("mac", "ac")
    constants = {key: _constant(f"{name}: constants.{key}", given.get(key)) for key in (*needed, *given)}
    bits = data.get("bits", 32)
    if bits not in (4, 8, 16, 32, 64):
        raise ConfigError(f"{name}: bits: must be 4, 8, 16, 32 or 64, got {bits!r}")
    levels = data.get("memory") or []
    if not isinstance(levels, list):
        raise ConfigError(f"{name}: memory: must be a list of levels")
    memory = tuple(_level(f"{name}: memory[{i}]", level, i == len(levels) - 1) for i, level in enumerate(levels))
    if [level.capacity for level in memory] != sorted({level.capacity for level in memory}):
        raise ConfigError(f"{name}: memory: capacities must rise from level to level")
    return Hardware(str(data.get("name", name)), str(data.get("description", "")), constants, bits, memory)


def _folder() -> Any:
    return resources.files("snnkd.energy") / "profiles"


def _constant(where: str, entry: Any) -> Constant:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} is missing: give value, unit and source")
    for needed in ("value", "unit", "source"):
        if not entry.get(needed):
            raise ConfigError(f"{where}.{needed} is missing: a constant without it is not used")
    if not isinstance(entry["unit"], str) or entry["unit"] not in UNITS:
        raise ConfigError(f"{where}.unit: {entry['unit']!r} is not one of {', '.join(UNITS)}")
    value = entry["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ConfigError(f"{where}.value: must be a number above zero, got {str(value)[:40]}")
    return Constant(value * UNITS[entry["unit"]], str(entry["source"]), str(entry.get("note", "")))


def _level(where: str, entry: Any, last: bool) -> Level:
    energy = _constant(where, entry)
    capacity, bits = entry.get("capacity"), entry.get("bits")
    if capacity is None and last:
        capacity = float("inf")
    for key, value in (("capacity", capacity), ("bits", bits)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ConfigError(f"{where}.{key}: must be a number above zero, got {value!r}")
    assert capacity is not None
    return Level(str(entry.get("name", where)), float(capacity), int(bits), energy)
