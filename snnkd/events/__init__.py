"""The event array and its way to tensors."""

from snnkd.events.array import EVENT_DTYPE, Events, empty_events, make_events
from snnkd.events.binning import bin_events, centre_square
from snnkd.events.filters import drop_pixels, hot_pixels, pixel_counts

__all__ = [
    "EVENT_DTYPE",
    "Events",
    "bin_events",
    "centre_square",
    "drop_pixels",
    "empty_events",
    "hot_pixels",
    "make_events",
    "pixel_counts",
]
