"""The compiled loops that cut a stream of events into windows: one pass over it, from chunk to chunk."""

from typing import Any

import numpy as np

from snnkd.events._compile import njit

OUTSIDE, HOT = -1, -2
"""Places of pixels that no input sees: beyond the region; hot"""
FULL = 65_535
"""Where a count stops"""


@njit(cache=True, nogil=True)
def fill_windows(
    events: Any,
    begin: int,
    pixels: Any,
    size: Any,
    first_us: int,
    step_us: int,
    window_us: int,
    slot: int,
    polarity: int,
    bins: Any,
    tallies: Any,
) -> Any:
    """Count ``events[begin:]`` into windows ``slot`` and later of a block that begins at ``first_us``.

    ``pixels (H·W, 2)``: each pixel's place in an image of one polarity, or what no input sees, and the window in which
    it last fired; ``size``: (W, H) of the sensor. ``bins (T, N)``, where ON counts lie
    ``polarity`` values after OFF; ``tallies (T, 4)``: events that arrived, that were
    counted, pixels of the region that fired at least once, and events of hot ones.

    Returns the index of the first event that lies past the block, and its window, ``T`` or more; or the number of
    events and the window that is open. An event outside the sensor: minus its index, less one, and 0.
    """
    windows, number = bins.shape[0], events.shape[0]
    width, height = size
    i = begin
    while True:
        image, last = bins[slot], first_us + (slot + 1) * step_us
        shut = last - step_us + window_us
        stamp = np.int32(last // step_us)
        arrived = counted = active = hot = 0
        while i < number and events[i]["t"] < last:
            # A negative int16 becomes a large uint16.
            x, y = np.uint16(events[i]["x"]), np.uint16(events[i]["y"])
            if x >= width or y >= height:
                return -i - 1, 0
            if events[i]["t"] < shut:
                arrived += 1
                pixel = np.int64(y) * width + x
                place = pixels[pixel, 0]
                if place >= 0:
                    counted += 1
                    # Without branches, which half of all events would take and nobody could predict.
                    active += pixels[pixel, 1] != stamp
                    pixels[pixel, 1] = stamp
                    place += polarity * np.int32(events[i]["p"])
                    count = image[place]
                    image[place] = count + (count < FULL)
                else:
                    hot += place == HOT
            i += 1
        tallies[slot, 0] += arrived
        tallies[slot, 1] += counted
        tallies[slot, 2] += active
        tallies[slot, 3] += hot
        if i == number:
            return i, slot
        slot += (events[i]["t"] - last) // step_us + 1
        if slot >= windows:
            return i, slot
