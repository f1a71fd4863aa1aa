"""The compiled decoder of EVT3: as :mod:`snnkd.recordings._evt_kernel` has it."""

from typing import Any

from numba import int64

from snnkd.events._compile import njit
from snnkd.recordings._evt_kernel import (
    BACKWARDS,
    BASE,
    FAULT,
    FAULT_TIME,
    FAULT_X,
    FAULT_Y,
    HIGH,
    KINDS,
    LAST,
    LOOPS,
    LOW,
    ON,
    OUTSIDE,
    ROW,
    STALE,
    UNPLACED,
    UNTIMED,
    lowest_bit,
    put,
    wraps,
)


@njit(cache=True, nogil=True)
def decode_evt3(
    words: Any, position: int, out: Any, count: int, width: int, height: int, state: Any
) -> tuple[int, int]:
    """EVT3; ``words`` uint16 ``(N,)``, at most 12 events of each."""
    high, low, loops = state[HIGH], state[LOW], state[LOOPS]
    row, base, on = state[ROW], state[BASE], state[ON] != 0
    last = state[LAST]
    time = (loops << 24) | (high << 12) | low
    room = out.shape[0] - 12
    changed, bar, fault = True, 0, 0
    while position < words.shape[0] and count <= room:
        word = int64(words[position])
        kind = word >> 12
        value = word & 0xFFF
        if kind == 2 or kind == 4 or kind == 5:
            if changed:  # what stands between the words and events, looked up when time or row is another
                changed, bar = False, 0
                if high < 0:
                    bar = UNTIMED
                elif row < 0:
                    bar = UNPLACED
                elif time < last:
                    bar = STALE if time >> 12 == last >> 12 else -BACKWARDS
                elif row >= height:
                    bar = -OUTSIDE
            if kind == 2:
                x = value & 0x7FF
                if bar == 0 and x < width:
                    put(out[count], x, row, time, value > 0x7FF)
                    count += 1
                    last = time
                elif bar > 0:
                    state[bar] += 1
                else:
                    fault, state[FAULT_X] = -bar if bar else OUTSIDE, x
                    break
            else:
                valid = value if kind == 4 else value & 0xFF
                if bar == 0 and base >= 0:
                    while valid != 0:
                        x = base + lowest_bit(valid)
                        if x >= width:
                            fault, state[FAULT_X] = OUTSIDE, x
                            break
                        valid &= valid - 1
                        put(out[count], x, row, time, on)
                        count += 1
                        last = time
                    if fault != 0:
                        break
                elif valid != 0:
                    if bar < 0 and base >= 0:
                        fault, state[FAULT_X] = -bar, base + lowest_bit(valid)
                        break
                    reason = bar if bar > 0 else UNPLACED
                    while valid != 0:
                        valid &= valid - 1
                        state[reason] += 1
                if base >= 0:
                    base += 12 if kind == 4 else 8
        elif kind == 0:
            row = value & 0x7FF
            changed = True
        elif kind == 3:
            base, on = value & 0x7FF, value > 0x7FF
        elif kind == 6:
            low = value
            time = (loops << 24) | (high << 12) | low
            changed = True
        elif kind == 8:
            if value != high:
                if high >= 0 and wraps(high, value, 12):
                    loops += 1
                high, low = value, 0
                time = (loops << 24) | (high << 12)
                changed = True
        else:
            state[KINDS + kind] += 1
            if kind == 1:  # the row of something that is no event of contrast; what follows belongs to it
                row = -1
                changed = True
        position += 1
    state[FAULT], state[FAULT_Y], state[FAULT_TIME] = fault, row, time
    state[HIGH], state[LOW], state[LOOPS] = high, low, loops
    state[ROW], state[BASE], state[ON] = row, base, on
    state[LAST] = last
    return position, count
