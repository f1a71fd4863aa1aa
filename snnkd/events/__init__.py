"""The event array, its filters and its way to tensors; :mod:`snnkd.events.augmentation` changes it for training."""

from snnkd.events.array import EVENT_DTYPE, Events, as_events, empty_events, make_events
from snnkd.events.binning import bin_by_count, bin_by_span, bin_events, centre_square
from snnkd.events.denoising import background_activity_filter, refractory_filter
from snnkd.events.filters import drop_pixels, hot_pixels, pixel_counts
from snnkd.events.transforms import (
    BackgroundActivityFilter,
    HotPixelFilter,
    RefractoryFilter,
    ToBins,
    ToCounts,
    ToWindows,
)

__all__ = [
    "EVENT_DTYPE",
    "BackgroundActivityFilter",
    "Events",
    "HotPixelFilter",
    "RefractoryFilter",
    "ToBins",
    "ToCounts",
    "ToWindows",
    "as_events",
    "background_activity_filter",
    "bin_by_count",
    "bin_by_span",
    "bin_events",
    "centre_square",
    "drop_pixels",
    "empty_events",
    "hot_pixels",
    "make_events",
    "pixel_counts",
    "refractory_filter",
]
