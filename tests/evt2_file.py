"""An EVT2 file of an event array, for tests of what reads recordings."""

import numpy as np


def evt2_bytes(events, size):
    """Header, then each event behind the time-high word of its 64 µs."""
    words, high = [], -1
    for event in events:
        time_us = int(event["t"])
        if time_us >> 6 != high:
            high = time_us >> 6
            words.append(0x8 << 28 | high)
        words.append(int(event["p"]) << 28 | (time_us & 63) << 22 | int(event["x"]) << 11 | int(event["y"]))
    return f"% evt 2.0\n% geometry {size[0]}x{size[1]}\n% end\n".encode() + np.array(words, "<u4").tobytes()
