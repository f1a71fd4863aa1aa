"""Profiles that say where their constants are from, and files of users' own."""

import pytest
import yaml

from snnkd.energy import available_hardware, load_hardware
from snnkd.energy.hardware import SCHEMA
from snnkd.energy.table import hardware_table
from snnkd.errors import ConfigError

PUBLISHED = {"loihi": 23.6, "spinnaker": 45, "spinnaker2": 10, "truenorth": 2.5, "tianjic": 1.54, "odin": 12.7,
             "ubrain": 26, "seneca": 2.8}  # fmt: skip


def test_profiles_carry_their_sources():
    assert set(available_hardware()) == {"45nm-fp32", "45nm-fp16", "45nm-int8", *PUBLISHED}
    for name in available_hardware():
        hardware = load_hardware(name)
        assert hardware.sources
        assert all(constant.source for constant in hardware.constants.values())
    for name, value in PUBLISHED.items():
        assert load_hardware(name).joules("ac") == pytest.approx(value * 1e-12)
        assert load_hardware(name).joules("mac") is None
    for name, mac, ac in (("45nm-fp32", 4.6, 0.9), ("45nm-fp16", 1.5, 0.4), ("45nm-int8", 0.23, 0.03)):
        hardware = load_hardware(name)
        assert (hardware.joules("mac"), hardware.joules("ac")) == pytest.approx((mac * 1e-12, ac * 1e-12))
        assert hardware.joules("mac") == pytest.approx(hardware.joules("multiply") + hardware.joules("add"))
        assert [level.capacity for level in hardware.memory] == [8192, 32768, 1048576, float("inf")]


GOOD = """constants:
  mac: {value: 3, unit: pJ, source: here}
  ac: {value: 1, unit: pJ, source: here}
memory:
  - {name: small, capacity: 100, bits: 8, value: 1, unit: pJ, source: there}
  - {name: large, bits: 8, value: 2, unit: pJ, source: there}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit: pJ, source: here}\n  ac", "source: here}\n  ac", "constants.mac.unit is missing"),
        ("value: 1, unit: pJ, source: here", "value: 1, unit: pJ", "constants.ac.source is missing"),
        (
            "value: 1, unit: pJ, source: here",
            "value: -1, unit: pJ, source: here",
            "constants.ac.value: must be a number",
        ),
        (
            "value: 1, unit: pJ, source: here",
            "value: 1, unit: cal, source: here",
            "constants.ac.unit: 'cal' is not one",
        ),
        ("  ac:", "  acc:", "constants.acc: is not known: give mac, ac, add"),
        ("  ac:", "  synaptic_operation:", "constants.mac: is not known beside synaptic_operation"),
        ("  ac: {value: 1, unit: pJ, source: here}\n", "", "constants.ac is missing"),
        ("constants", "{", "is not YAML"),
        ("constants", "numbers", "key 'constants' is missing"),
        ("memory", "caches", "there is no key 'caches'"),
        ("capacity: 100, ", "", r"memory\[0\].capacity: must be a number above zero"),
        ("capacity: 100", "capacity: -1", r"memory\[0\].capacity: must be a number above zero"),
        ("source: there}\n  -", "unit: pJ}\n  -", r"memory\[0\].source is missing"),
        ("constants", "bits: 12\nconstants", "bits: must be 4, 8, 16, 32 or 64, got 12"),
    ],
)
def test_a_profile_that_cannot_be_trusted_is_refused(tmp_path, old, new, message):
    path = tmp_path / "chip.yaml"
    path.write_text(GOOD)
    chip = load_hardware(str(path))
    assert chip.joules("ac") == pytest.approx(1e-12)
    assert chip.joules("multiply") == pytest.approx(2e-12)
    assert chip.joules("compare") == pytest.approx(1e-12)
    bad = tmp_path / "bad.yaml"
    assert old in GOOD
    bad.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        load_hardware(str(bad))


def test_the_form_that_is_shown_is_one_that_loads(tmp_path):
    shown = yaml.safe_load(SCHEMA)
    shown["constants"]["mac"] = shown["constants"]["ac"]
    path = tmp_path / "shown.yaml"
    path.write_text(yaml.safe_dump(shown))
    assert load_hardware(str(path)).name == "my-chip"


def test_the_table_names_every_constant():
    text = hardware_table([load_hardware(name) for name in available_hardware()])
    for name in ("45nm-int8", "Loihi", "µBrain", "SRAM 32 KB", "Horowitz", "SENECA"):
        assert name in text
    assert all(len(line) <= 110 for line in text.splitlines())
