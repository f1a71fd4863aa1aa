"""The filters and the binning as frozen dataclasses: called with an event array, in our ``Compose`` or tonic's.

The filters also take a pair (:mod:`snnkd.events.pair`), whose frames they leave alone. Events that another transform
left in disorder are put in the order of time first.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from snnkd.events.array import Events, order_by_time
from snnkd.events.binning import Bins, Crop, Values, bin_by_span
from snnkd.events.denoising import background_activity_filter, refractory_filter
from snnkd.events.filters import drop_pixels, hot_pixels
from snnkd.events.pair import Data, join_pair, split_pair


@dataclass(frozen=True)
class EventFilter(ABC):
    """Base of the filters; ``sensor_size`` is (W, H)."""

    sensor_size: tuple[int, int]

    def __call__(self, data: Data) -> Data:
        """An event array, or a pair, with fewer events."""
        events, frames = split_pair(data)
        return join_pair(data, self.filter(order_by_time(events)), frames)

    @abstractmethod
    def filter(self, events: Events) -> Events:
        """Return the events that stay."""


@dataclass(frozen=True)
class RefractoryFilter(EventFilter):
    """:func:`snnkd.events.refractory_filter` as a transform."""

    refractory_us: int = 1000

    def filter(self, events: Events) -> Events:
        """Drop what follows a kept event of its pixel too soon."""
        return refractory_filter(events, self.sensor_size, self.refractory_us)


@dataclass(frozen=True)
class BackgroundActivityFilter(EventFilter):
    """:func:`snnkd.events.background_activity_filter` as a transform."""

    window_us: int = 10_000
    supporters: int = 1

    def filter(self, events: Events) -> Events:
        """Drop what no neighbour supports."""
        return background_activity_filter(events, self.sensor_size, self.window_us, supporters=self.supporters)


@dataclass(frozen=True)
class HotPixelFilter(EventFilter):
    """:func:`snnkd.events.hot_pixels` of the array itself are dropped: for whole recordings, not for slices."""

    factor: float = 10.0

    def filter(self, events: Events) -> Events:
        """Drop the events of hot pixels."""
        return drop_pixels(events, hot_pixels(events, self.sensor_size, factor=self.factor))


@dataclass(frozen=True)
class ToBins:
    """:func:`snnkd.events.bin_by_span` as a transform: event array (N,) to (n_bins, channels, H, W)."""

    sensor_size: tuple[int, int]
    n_bins: int
    span_us: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    crop: Crop | None = None
    values: Values = "counts"
    channels: int = 2

    def __call__(self, events: Events) -> Bins:
        """Bin the events."""
        return bin_by_span(
            events,
            self.sensor_size,
            self.n_bins,
            span_us=self.span_us,
            size=self.size,
            crop=self.crop,
            values=self.values,
            channels=self.channels,
        )
