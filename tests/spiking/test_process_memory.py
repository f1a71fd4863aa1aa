"""What the core does to the memory of its process: freed memory kept, nothing left behind, and none to be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = """
import resource, torch
from snnkd.spiking import lif
x = torch.randn(2_000, 1, requires_grad=True)
lif(x)[0].sum().backward()
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (48 << 20),) * 2)
x = torch.randn(4_000_000, 1, requires_grad=True)
try:
    lif(x)[0].sum().backward()
except (RuntimeError, MemoryError):
    print("refused")
else:
    print("done", float(x.grad.abs().max()))
"""


def test_without_memory_there_is_an_error_and_no_garbage():
    said = subprocess.check_output([sys.executable, "-c", MEMORY], text=True, timeout=120)
    assert said.startswith("refused") or float(said.split()[1]) < 10


FAULTS = """
import resource, torch
from snnkd.spiking import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.nn.functional.conv2d(torch.ones(64, 8, 128, 128), torch.ones(8, 8, 1, 1))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
fresh = faults()
assert keep_freed_memory()
faults()
print(fresh, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_kept_memory_is_not_fetched_from_the_kernel_again():
    fresh, kept = map(int, subprocess.check_output([sys.executable, "-c", FAULTS], timeout=120).split())
    assert fresh > 10_000
    assert kept < fresh / 20


HEAP = """
import re, resource, sys, torch
from pathlib import Path
from snnkd.spiking import keep_freed_memory

def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

if sys.argv[1:]:
    resource.setrlimit(resource.RLIMIT_AS, (kilobytes("VmSize") * 1024 + int(sys.argv[1]),) * 2)
before = {name: kilobytes(name) for name in ("VmRSS", "VmSize")}
assert keep_freed_memory() and keep_freed_memory()
grown = [kilobytes(name) - before[name] for name in ("VmRSS", "VmSize")]
kept = torch.empty(32 << 20)  # larger than any hole that the heap may have had; it may begin in one
middle = kept.data_ptr() + kept.nbytes // 2
for mapping in re.split(r"\\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
    first, last = (int(end, 16) for end in mapping.split()[0].split("-"))
    if first <= middle < last:
        advised = " hg" in re.search(r"VmFlags:.*", mapping)[0]
print(*grown, int(advised))
"""


def heap_after(*arguments):
    output = subprocess.check_output([sys.executable, "-c", HEAP, *arguments], timeout=120)
    return map(int, output.split())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_the_heap_grows_by_addresses_and_huge_pages_are_asked_for():
    resident, addresses, advised = heap_after()
    assert resident < 1024
    if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < 1 << 30 or overcommit() == "2":
        pytest.skip("too little memory, or addresses are counted")
    assert addresses >= 256 << 10
    if not Path("/sys/kernel/mm/transparent_hugepage").exists():
        pytest.skip("this kernel knows no huge pages")
    assert advised


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_the_heap_leaves_a_bounded_process_its_addresses():
    _, addresses, _ = heap_after(str(1 << 30))
    assert addresses < 700 << 10


def overcommit():
    return Path("/proc/sys/vm/overcommit_memory").read_text().strip()


GROWTH = """
import gc, os, torch
from snnkd.spiking import LIF
layer, x = LIF(learn_beta=True), torch.rand(2, 8, requires_grad=True)

def call(times):
    for _ in range(times):
        layer(x)
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"), len(gc.get_objects())

call(6_000)  # the heap finds its size
before = call(1_000)
after = call(10_000)
print(after[0] - before[0], after[1] - before[1])
"""


def test_ten_thousand_calls_leave_nothing_behind():
    memory, objects = map(int, subprocess.check_output([sys.executable, "-c", GROWTH], timeout=120).split())
    assert memory < 2 << 20
    assert objects < 100
