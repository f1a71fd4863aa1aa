"""A study's YAML: what is common, and what each row of the table changes of it.

.. code-block:: yaml

    name: eyesim
    data: {root: ..., steps: 15, window_us: 99999, batch_size: 16, augmentation: {...}}
    training: {epochs: 60, learning_rate: 0.003, weight_decay: 0.02, precision: bf16-mixed}
    student: {class: EventStudent, size: small}
    seeds: [0, 1, 2, 3, 4]        # seed s is trained and tested on fold s modulo `folds`
    rows:
      teacher: {network: {class: FrameTeacher}}
      labels: {}                                        # the student on labels
      kd: {teacher: teacher, objectives: [{name: kd}]}  # the student, taught by another row of the same seed

A row may hold ``network`` (else it is ``student``), ``teacher``, ``start_from`` and ``baseline`` (names of rows),
``distillation`` (arguments of :class:`snnkd.training.Distillation`), ``objectives``, and ``data`` or ``training`` that
differ. ``group`` and ``says`` are for the table.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

KEYS = {"network", "teacher", "start_from", "objectives", "distillation", "data", "training", "group", "says"}
LINKS = ("teacher", "start_from")
MODULE_OPTIONS = (
    "learning_rate", "weight_decay", "label_smoothing", "optimizer", "spike_rate_target", "spike_rate_weight",
)  # fmt: skip
"""Settings of a row's training that the module takes; the trainer takes the others"""
TRAINER_OPTIONS = ("epochs", "precision", "clip", "ema_decay")


@dataclass(frozen=True)
class Row:
    """One line of the study's table."""

    name: str
    settings: dict[str, Any]
    """Everything that the result depends on, but for the rows it goes on from"""
    links: dict[str, str] = field(default_factory=dict)
    """``teacher`` and ``start_from``: names of rows"""
    group: str = ""
    says: str = ""


@dataclass(frozen=True)
class Job:
    """One training: a row under a seed."""

    row: Row
    seed: int

    @property
    def key(self) -> str:
        """Its name in files."""
        return f"{self.row.name}-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """A whole study."""

    name: str
    folds: int
    seeds: tuple[int, ...]
    rows: dict[str, Row]

    def jobs(self, names: list[str] | None = None, seeds: list[int] | None = None) -> list[Job]:
        """Every training, a seed after the other, so that what a row goes on from comes before it."""
        wanted = list(self.rows)
        if names:
            wanted = [name for name in self.rows if name in {n for given in names for n in self.with_links(given)}]
        return [Job(self.rows[name], seed) for seed in seeds or self.seeds for name in wanted]

    def with_links(self, name: str) -> list[str]:
        """A row's name and those of all that it goes on from."""
        if name not in self.rows:
            raise SystemExit(f"there is no row {name!r}: there are {', '.join(self.rows)}")
        return [name, *(n for link in self.rows[name].links.values() for n in self.with_links(link))]

    def digest(self, row: Row, versions: dict[str, Any]) -> str:
        """What a result is only good for: the row's settings, those of the rows it goes on from, the versions."""
        linked = {kind: self.digest(self.rows[name], versions) for kind, name in row.links.items()}
        # Where the data lie and how they are handed over changes no result.
        data = {k: v for k, v in row.settings["data"].items() if k not in ("root", "cache", "workers")}
        whole = {"settings": {**row.settings, "data": data}, "links": linked, "folds": self.folds, "versions": versions}
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def read_plan(path: Path) -> Plan:
    """Read a study's file; ``SystemExit`` names the key that is wrong."""
    content = yaml.safe_load(path.read_text())
    unknown = set(content) - {"name", "data", "training", "student", "folds", "seeds", "rows"}
    if unknown:
        raise SystemExit(f"{path}: unknown key {sorted(unknown)[0]!r}")
    rows: dict[str, Row] = {}
    for name, given in content["rows"].items():
        given = given or {}
        if unknown := set(given) - KEYS:
            raise SystemExit(
                f"{path}: rows.{name}: unknown key {sorted(unknown)[0]!r}, there are {', '.join(sorted(KEYS))}"
            )
        links = {kind: given[kind] for kind in LINKS if kind in given}
        for kind, other in links.items():
            if other not in rows:
                raise SystemExit(f"{path}: rows.{name}.{kind}: {other!r} must be a row above")
        if given.get("objectives") and "teacher" not in links:
            raise SystemExit(f"{path}: rows.{name}: has objectives and no teacher")
        training = {**content["training"], **given.get("training", {})}
        if unknown := set(training) - {*MODULE_OPTIONS, *TRAINER_OPTIONS}:
            known = ", ".join(sorted({*MODULE_OPTIONS, *TRAINER_OPTIONS}))
            raise SystemExit(f"{path}: rows.{name}.training: unknown key {sorted(unknown)[0]!r}, there are {known}")
        settings = {
            "network": given.get("network", content["student"]),
            "data": {**content["data"], **given.get("data", {})},
            "training": training,
            "objectives": given.get("objectives", []),
            "distillation": given.get("distillation", {}),
        }
        rows[name] = Row(name, settings, links, given.get("group", ""), given.get("says", name))
    return Plan(content["name"], int(content.get("folds", 5)), tuple(content["seeds"]), rows)
