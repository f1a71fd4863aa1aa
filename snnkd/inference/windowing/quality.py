r"""What is wrong with a window: nothing to see, too much, or a lid that passes.

With :math:`a[t]` the share of the region's pixels that fired in window *t*, :math:`n[t]` the events that the network is
given, and :math:`m[t]` the median of *a* over the windows of the last ``memory_us`` before *t*:

========= ========================================================================= ===================================
silent    :math:`n < n_\min`                                                        what is told is the memory of
                                                                                    earlier windows
saturated :math:`a \ge a_\max`                                                      a flash, or a camera that is shaken:
                                                                                    nearly all pixels fire
blink     :math:`a \ge a_\text{blink}` and :math:`a \ge r\,m`, and on while         a wide front in a calm time: a lid,
          :math:`a \ge a_\text{blink}`, for half a second, then asked again          or the head-mount slips
========= ========================================================================= ===================================

A blink of a real near-eye recording made 10 to 36 % of all pixels fire within 33 ms, a saccade up to 5 %, and a calm
window 0.1 %; the lids of simulated eyes, on a smaller sensor, 2 to 8 %. Every window is judged by what came before it
alone, so a live stream tells what a file tells.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ConfigError

QUALITIES = ("good", "silent", "saturated", "blink")
GOOD, SILENT, SATURATED, BLINK = range(4)


LONGEST_US = 500_000
"""Of a blink, before it is held against the usual again"""


@dataclass(frozen=True)
class Validity:
    """When a window is held valid.

    Args:
        least_events: :math:`n_\\min`.
        saturated: :math:`a_\\max`, above 0 and up to 1.
        blink: :math:`a_\\text{blink}`; 1 for never.
        burst: :math:`r`, 1 or above.
        memory_us: of the median.
    """

    least_events: int = 1
    saturated: float = 0.6
    blink: float = 0.03
    burst: float = 5.0
    memory_us: int = 10_000_000

    def __post_init__(self) -> None:
        if self.least_events < 0:
            raise ConfigError(f"validity: least_events must be zero or above, got {self.least_events}")
        for name in ("saturated", "blink"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"validity: {name} must be above 0 and up to 1, got {getattr(self, name)}")
        if not self.burst >= 1 or self.memory_us < 1:
            raise ConfigError("validity: burst must be 1 or above, and memory_us at least 1")


class Judge:
    """Judges windows one after another.

    Args:
        validity: the limits.
        pixels: of the region that can fire.
        step_us: from one window to the next.
    """

    def __init__(self, validity: Validity, pixels: int, step_us: int) -> None:
        self.validity, self.pixels = validity, max(pixels, 1)
        self._before: deque[float] = deque(maxlen=max(1, validity.memory_us // step_us))
        self._longest = max(1, LONGEST_US // step_us)
        self._left = 0  # windows for which the blink at hand may go on

    def judge(self, events: NDArray[np.int64], active: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return places in :data:`QUALITIES` ``(T,)`` of windows with these events and active pixels."""
        limits, shares = self.validity, active / self.pixels
        found = np.full(len(events), GOOD, np.int8)
        wide = shares >= limits.blink
        for t in range(len(shares)) if wide.any() else ():
            self._left = self._left - 1 if wide[t] else 0
            if wide[t] and self._left <= 0 and self._stands_out(shares[:t], float(shares[t])):
                self._left = self._longest
            if self._left > 0:
                found[t] = BLINK
        if not wide.any():
            self._left = 0
        self._before.extend(shares.tolist())
        found[shares >= limits.saturated] = SATURATED
        found[events < limits.least_events] = SILENT
        return found

    def _stands_out(self, shares: NDArray[np.float64], share: float) -> bool:
        """Whether a share is that far above the median of those before, of which ``shares`` are the latest."""
        before = [*self._before, *shares.tolist()][-(self._before.maxlen or 1) :]
        return bool(before) and share >= self.validity.burst * float(np.median(before))
