"""Measured energy: a stand-in for the counters that Linux shows."""

import os
import sys
from types import ModuleType

import pytest

from snnkd.energy.measured import POWERCAP, Nvml, Rapl, Unavailable, find_meter, measure

LIMIT = 1_000_000


def domain(root, number, name, value=0):
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{value}\n")
    (folder / "max_energy_range_uj").write_text(f"{LIMIT}\n")
    return folder / "energy_uj"


def test_packages_and_memory_are_added_and_what_is_inside_a_package_is_not(tmp_path):
    package, core, memory = (
        domain(tmp_path, *x) for x in (("0", "package-0", 500), ("0:0", "core", 400), ("0:1", "dram", 100))
    )
    meter = Rapl(tmp_path)
    for path, value in ((package, 2500), (core, 99_000), (memory, 600)):
        path.write_text(str(value))
    assert meter.joules() == pytest.approx((2000 + 500) * 1e-6)
    package.write_text("300")  # it began anew
    assert meter.joules() == pytest.approx((2000 + 500 + LIMIT - 2500 + 300) * 1e-6)


def test_what_cannot_be_read_is_said(tmp_path, monkeypatch):
    with pytest.raises(Unavailable, match="is not there"):
        Rapl(tmp_path / "absent")
    with pytest.raises(Unavailable, match="has no package"):
        Rapl(tmp_path)
    path = domain(tmp_path, "0", "package-0")
    path.unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        Rapl(tmp_path)

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "read_text", refuse)
    with pytest.raises(Unavailable, match="may not be read: only root may"):
        Rapl(tmp_path)


def test_a_gpus_counter_is_read_in_millijoules_and_its_absence_is_said(monkeypatch):
    class Library(ModuleType):
        class NVMLError(Exception):
            pass

        def nvmlInit(self):
            pass

        def nvmlDeviceGetHandleByIndex(self, index):
            if index:
                raise self.NVMLError("Invalid Argument")
            return "handle"

        def nvmlDeviceGetTotalEnergyConsumption(self, handle):
            assert handle == "handle"
            return 12_345

    monkeypatch.setitem(sys.modules, "pynvml", Library("pynvml"))
    assert find_meter(cuda=True).joules() == pytest.approx(12.345)
    with pytest.raises(Unavailable, match="NVML: Invalid Argument"):
        Nvml(1)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(Unavailable, match="pynvml is not installed"):
        find_meter(cuda=True)


class Machine:
    """2 W at rest; a run takes 0.1 s and 5 W more."""

    name = "stand-in"

    def __init__(self, step=0.1):
        self.time = self.energy = 0.0
        self.step = step

    def joules(self):
        return self.energy

    def clock(self):
        self.time += 1e-9
        self.energy += 2e-9
        return self.time

    def run(self):
        self.time += self.step
        self.energy += 7 * self.step


def test_joules_of_an_inference_and_what_of_it_is_rest():
    machine = Machine()
    found = measure(machine.run, machine, repeats=3, seconds=1.0, clock=machine.clock)
    assert found.joules == pytest.approx(0.7, rel=1e-3)
    assert found.idle_watts == pytest.approx(2, rel=1e-3)
    assert found.seconds == pytest.approx(0.1, rel=1e-3)
    assert found.joules_above_idle == pytest.approx(0.5, rel=1e-3)
    assert found.inferences == 30


def test_bad_settings_and_a_dead_counter():
    machine = Machine()
    with pytest.raises(ValueError, match=r"seconds 0\.5 or above"):
        measure(machine.run, machine, seconds=0.1)

    class Dead(Machine):
        def joules(self):
            return 3.0

    dead = Dead()
    with pytest.raises(Unavailable, match="stands still"):
        measure(dead.run, dead, clock=dead.clock)


def test_here_it_is_found_or_the_reason_is_given():
    if os.access(POWERCAP / "intel-rapl:0" / "energy_uj", os.R_OK):
        assert find_meter().joules() >= 0
    else:  # most machines of others: virtual, or not root
        with pytest.raises(Unavailable, match=r"RAPL|may not be read"):
            find_meter()
