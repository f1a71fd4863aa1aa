"""Measured energy, where the machine can tell: RAPL of the processor, NVML of a GPU.

An estimate says what arithmetic costs on a chip; this says what this machine drew from its supply while it ran, with
memory, caches, the operating system and everything else that ran. The two are not to be mixed: a measurement has its
own type, and says what was read, for how long, and what the machine draws at rest.
"""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

POWERCAP = Path("/sys/class/powercap")
LEAST_S = 0.5
"""A reading shorter than this says little: counters are updated every millisecond, and machines pause"""


class Meter(Protocol):
    """Something that tells joules."""

    name: str

    def joules(self) -> float:
        """Energy drawn since some moment; it only rises."""


class Unavailable(Exception):
    """Why nothing can be measured here."""


class Rapl:
    """Intel's and AMD's running average power limit, as Linux shows it: packages, and memory where it is told apart.

    Raises :class:`Unavailable`: no such counters, or they may not be read.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self.name = "RAPL"
        self._domains: list[tuple[Path, float]] = []
        if not root.is_dir():
            raise Unavailable(f"{root} is not there: this machine has no RAPL, or hides it (virtual machines do)")
        for folder in sorted(root.glob("intel-rapl:*")):
            kind = _read(folder / "name")
            # Cores and graphics are parts of their package; memory is beside it.
            if kind.startswith("package") or kind == "dram":
                self._domains.append((folder / "energy_uj", float(_read(folder / "max_energy_range_uj"))))
        if not self._domains:
            raise Unavailable(f"{root} has no package to read: this machine has no RAPL")
        self._last = [float(_read(path)) for path, _ in self._domains]
        self._total = 0.0

    def joules(self) -> float:
        """Sum over packages and memory; counters that began anew are followed."""
        for i, (path, limit) in enumerate(self._domains):
            now = float(_read(path))
            self._total += now - self._last[i] if now >= self._last[i] else now + limit - self._last[i]
            self._last[i] = now
        return self._total * 1e-6


class Nvml:
    """An NVIDIA GPU's energy counter (Volta and later), by ``pynvml``.

    Raises :class:`Unavailable`: no ``pynvml``, no driver, no such GPU, or none that counts energy.
    """

    def __init__(self, index: int = 0) -> None:
        try:
            import pynvml
        except ImportError:
            raise Unavailable("pynvml is not installed: pip install nvidia-ml-py") from None
        self._library: Any = pynvml
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except pynvml.NVMLError as error:
            raise Unavailable(f"NVML: {error}") from None
        self.name = "NVML"

    def joules(self) -> float:
        """Energy since the driver was loaded."""
        return float(self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle)) * 1e-3


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except PermissionError:
        raise Unavailable(f"{path} may not be read: only root may, on kernels since 5.10") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read ({error.strerror})") from None


@dataclass(frozen=True)
class Measurement:
    """What was drawn for one inference."""

    meter: str
    joules: float
    """Of one inference, all that the machine drew: median over repeats"""
    idle_watts: float
    """What it draws at rest, measured before"""
    seconds: float
    """Of one inference: median"""
    inferences: int
    """In all repeats together"""
    spread: float
    """Interquartile range of ``joules`` over repeats"""

    @property
    def joules_above_idle(self) -> float:
        """Less what the machine would have drawn anyway."""
        return self.joules - self.idle_watts * self.seconds


def find_meter(cuda: bool = False) -> Meter:
    """Return what tells this machine's energy, the GPU's or the processor's; :class:`Unavailable` says why not."""
    return Nvml() if cuda else Rapl()


def measure(
    run: Callable[[], Any],
    meter: Meter,
    *,
    repeats: int = 5,
    seconds: float = 1.0,
    clock: Callable[[], float] | None = None,
) -> Measurement:
    """Measure what one call of ``run`` draws.

    Args:
        run: one inference; on a GPU it waits until this is done.
        meter: see :func:`find_meter`.
        repeats: each as many calls as fill ``seconds``.
        seconds: of a repeat, and of the rest that is measured before; at least 0.5.
        clock: seconds, for tests.

    Raises:
        ValueError: fewer than one repeat, or less than half a second.
        Unavailable: the counter stands still.
    """
    if repeats < 1 or seconds < LEAST_S:
        raise ValueError(f"repeats must be 1 or above and seconds {LEAST_S} or above, got {repeats} and {seconds}")
    now = clock or time.perf_counter
    run()  # what happens once only
    began, before = now(), meter.joules()
    if clock is None:
        time.sleep(seconds)
    rest = now() - began
    idle = (meter.joules() - before) / rest if rest > 0 else 0.0
    began = now()
    run()
    calls = max(1, math.ceil(seconds / max(now() - began, 1e-6)))
    joules, lengths = [], []
    for _ in range(repeats):
        began, before = now(), meter.joules()
        for _ in range(calls):
            run()
        joules.append((meter.joules() - before) / calls)
        lengths.append((now() - began) / calls)
    if not any(joules):
        raise Unavailable(f"{meter.name}: the counter stands still: it is not this machine's")
    quartiles = statistics.quantiles(joules, n=4) if repeats > 1 else [joules[0]] * 3
    return Measurement(
        meter.name,
        statistics.median(joules),
        idle,
        statistics.median(lengths),
        calls * repeats,
        quartiles[2] - quartiles[0],
    )
