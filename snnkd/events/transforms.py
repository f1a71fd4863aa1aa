"""The filters and the binning as frozen dataclasses: called with an event array, in our ``Compose`` or tonic's.

All also take a pair (:mod:`snnkd.events.pair`), whose frames they leave alone: a filter gives a pair with fewer events,
a binning one of array and frames. Events that another transform left in disorder are put in the order of time first.
Settings are checked when a transform is made, by the rules of the functions, and not only in a data loader's worker.

The binnings give float32, as a network takes it, where the functions give uint16: ``dtype`` says otherwise. Of those by
time, :class:`ToWindows` keeps the clock: an event that an augmentation made later is in a later bin. :class:`ToBins`
divides what is there into equal parts, which takes out again what changed the length: ``TimeScale`` before it has no
effect unless ``span_us`` is given.
"""

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import Any

from numpy.typing import DTypeLike

from snnkd.events._arguments import check_sensor, check_whole
from snnkd.events._layout import Bins, Crop, Layout, Values
from snnkd.events.array import Events, order_by_time
from snnkd.events.binning import (
    bin_by_count,
    bin_by_span,
    bin_events,
    check_positive,
    check_span,
)
from snnkd.events.denoising import (
    background_activity_filter,
    check_refractory,
    check_support,
    refractory_filter,
)
from snnkd.events.filters import check_factor, drop_pixels, hot_pixels
from snnkd.events.pair import Data, join_pair, split_pair

MOST_WINDOWS = 10_000_000
"""Windows that :class:`ToWindows` makes where their number is not given; events that need more have a damaged clock."""


@dataclass(frozen=True)
class EventFilter(ABC):
    """Base of the filters; ``sensor_size`` is (W, H)."""

    sensor_size: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sensor_size", check_sensor(self.sensor_size))

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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_refractory(self.refractory_us)

    def filter(self, events: Events) -> Events:
        """Drop what follows a kept event of its pixel too soon."""
        return refractory_filter(events, self.sensor_size, self.refractory_us)


@dataclass(frozen=True)
class BackgroundActivityFilter(EventFilter):
    """:func:`snnkd.events.background_activity_filter` as a transform."""

    window_us: int = 10_000
    supporters: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_support(self.window_us, self.supporters)

    def filter(self, events: Events) -> Events:
        """Drop what no neighbour supports."""
        return background_activity_filter(events, self.sensor_size, self.window_us, supporters=self.supporters)


@dataclass(frozen=True)
class HotPixelFilter(EventFilter):
    """:func:`snnkd.events.hot_pixels` of the array itself are dropped: for whole recordings, not for slices."""

    factor: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_factor(self.factor)

    def filter(self, events: Events) -> Events:
        """Drop the events of hot pixels."""
        return drop_pixels(events, hot_pixels(events, self.sensor_size, factor=self.factor))


@dataclass(frozen=True)
class EventBinning(ABC):
    """Base of what makes an array (bins, channels, H, W) of events; the options are those of ``bin_events``.

    Args:
        sensor_size: (W, H).
        size: (W, H) of the images, or one number for a square; that of the crop when left out.
        crop: (x0, y0, w, h) on the sensor; all of it when left out.
        values: ``counts`` or ``binary``.
        channels: 2 for OFF and ON, 1 for both together.
        dtype: of the result.
    """

    sensor_size: tuple[int, int]
    _: KW_ONLY
    size: int | tuple[int, int] | None = None
    crop: Crop | None = None
    values: Values = "counts"
    channels: int = 2
    dtype: DTypeLike = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sensor_size", check_sensor(self.sensor_size))
        Layout(self.sensor_size, **self._options)

    def __call__(self, data: Any) -> Any:
        """The array of an event array (N,), or of a pair the array and the frames."""
        events, frames = split_pair(data)
        return join_pair(data, self.bin(events), frames)

    @abstractmethod
    def bin(self, events: Events) -> Bins:
        """Return the array."""

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("size", "crop", "values", "channels", "dtype")}


@dataclass(frozen=True)
class ToWindows(EventBinning):
    """:func:`snnkd.events.bin_events` as a transform: bins of ``window_us`` from ``start_us`` on.

    Args:
        window_us: length of a bin.
        n_bins: number of bins; what is later is in none. When left out, as many as the last event needs: the arrays
            of recordings of several lengths differ in theirs.
        start_us: where the first bin begins; at the first event when left out. What is earlier is in no bin.
    """

    window_us: int
    n_bins: int | None = None
    start_us: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self.window_us, "window_us")
        if self.n_bins is not None:
            check_positive(self.n_bins, "n_bins")
        if self.start_us is not None:
            check_whole(self.start_us, "start_us")

    def bin(self, events: Events) -> Bins:
        """Bin the events by windows."""
        events = order_by_time(events)
        first, last = (int(events["t"][0]), int(events["t"][-1])) if len(events) else (0, -1)
        start = first if self.start_us is None else self.start_us
        bins = self.n_bins
        if bins is None:
            bins = max((last - start) // self.window_us + 1, 0) if len(events) else 0
            if bins > MOST_WINDOWS:
                raise ValueError(f"{bins} windows lie between {start} and {last} µs: is the clock right? Give n_bins")
            if bins == 0:
                return bin_events(events, self.sensor_size, start, self.window_us, 1, **self._options)[:0]
        return bin_events(events, self.sensor_size, start, self.window_us, bins, **self._options)


@dataclass(frozen=True)
class ToBins(EventBinning):
    """:func:`snnkd.events.bin_by_span` as a transform: ``n_bins`` equal parts of ``span_us``.

    Without ``span_us`` the span is that from the first to the last event of each array by itself, so two recordings of
    different speed give the same, and whatever changes the first or the last event moves all edges.
    """

    n_bins: int
    span_us: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self.n_bins, "n_bins")
        check_span(self.span_us)

    def bin(self, events: Events) -> Bins:
        """Bin the events by equal parts of the span."""
        return bin_by_span(events, self.sensor_size, self.n_bins, span_us=self.span_us, **self._options)


@dataclass(frozen=True)
class ToCounts(EventBinning):
    """:func:`snnkd.events.bin_by_count` as a transform: ``events_per_bin`` events to a bin, in the order of time."""

    events_per_bin: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self.events_per_bin, "events_per_bin")

    def bin(self, events: Events) -> Bins:
        """Bin the events by their number."""
        return bin_by_count(order_by_time(events), self.sensor_size, self.events_per_bin, **self._options)
