"""The house: lower floors know nothing of upper ones, and importing costs little."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import snnkd

PACKAGE = Path(snnkd.__file__).parent
FLOORS = [
    "errors",
    "terminal",
    "spiking",
    "events",
    "recordings",
    "datasets",
    "models",
    "distill",
    "energy",
    "training",
    "inference",
    "demo",
    "cli",
]


def imports(path):
    """Floors that a file imports from, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"snnkd.{alias.name}" for alias in node.names] if node.module == "snnkd" else []
            modules = [node.module or "", *names]
        for module in modules:
            if module.startswith("snnkd.") and module.split(".")[1] in FLOORS:
                yield module.split(".")[1]


@pytest.mark.parametrize("floor", FLOORS)
def test_floors_import_downwards_only(floor):
    files = sorted((PACKAGE / floor).rglob("*.py")) or [PACKAGE / f"{floor}.py"]
    for path in files:
        above = {used for used in imports(path) if FLOORS.index(used) > FLOORS.index(floor)}
        assert not above, f"{path.relative_to(PACKAGE)} imports from {above}"


def test_every_part_of_the_package_is_a_floor():
    parts = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert parts - {"__init__"} == set(FLOORS)


def run(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import snnkd", ["torch", "numpy", "lightning", "h5py", "numba"]),
        ("import snnkd.cli", ["torch", "numpy", "rich", "yaml", "jsonargparse"]),
        ("import snnkd.recordings, snnkd.events", ["torch", "lightning", "matplotlib"]),
        (
            "import snnkd.spiking, snnkd.models, snnkd.distill",
            ["lightning", "snntorch", "tonic", "torchmetrics", "matplotlib", "h5py"],
        ),
        ("import snnkd.training.evaluation", ["lightning", "matplotlib", "snntorch", "tonic"]),
        ("import snnkd; snnkd.load", ["lightning", "torchmetrics", "snntorch", "tonic"]),
    ],
)
def test_importing_brings_no_more_than_it_needs(statement, absent):
    loaded = json.loads(run(f"{statement}\nimport sys, json\nprint(json.dumps(list(sys.modules)))"))
    assert not set(absent) & set(loaded)


def test_public_names_are_there():
    for name in snnkd.__all__:
        assert getattr(snnkd, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = snnkd.nothing
