"""Events to a stack of count images.

An event at ``(x, y, t)`` with polarity ``p`` adds one to

    counts[b, p, ⌊(y − y0)·H / h⌋, ⌊(x − x0)·W / w⌋]

where ``(x0, y0, w, h)`` is the crop on the sensor and ``(W, H)`` the size of the images. Its bin ``b`` is

- by windows of fixed length (:func:`bin_events`): ``⌊(t − start) / window⌋``;
- by a number of bins over a span of length ``S`` (:func:`bin_by_span`): ``min(⌊(t − first)·n / S⌋, n − 1)``, so a bin
  holds its begin and not its end, but for the last one, which holds both;
- by a number of events ``k`` (:func:`bin_by_count`): ``⌊i / k⌋`` for the event at index ``i``; the last bin has what
  is left.

Every event inside crop and time is in exactly one bin. All of it is integer arithmetic, so a result does not depend on
the machine or on the number of threads. Counts stay counts: a smaller image sums its pixels. Nothing is interpolated,
so images larger than the crop have rows and columns that no event reaches: of 4×4 pixels at a size of 8×8, 16 of 64.

Values are ``counts``, or ``binary``, where 1 means one or more. Two channels are OFF and ON; one channel is both.
``dtype`` is the type of the array, and where a count stops:

===========  =============  ==========================================================================================
``dtype``    stops at       for
===========  =============  ==========================================================================================
``uint8``    255            the default of ``binary``
``uint16``   65,535         the default of ``counts``: small and quick; torch can store it, but do little with it
``int16``    32,767         what tonic's ``ToFrame`` gives
``int32``    2³¹ − 1
``float32``  16,777,216     what a network takes; the default of the transforms (:mod:`snnkd.events.transforms`)
===========  =============  ==========================================================================================

A count that may have been stopped is told by a :class:`~snnkd.errors.SnnkdWarning`, and so are bins so far from all
events, or so long, that an argument must be wrong.
"""

import warnings

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snnkd.errors import SnnkdWarning
from snnkd.events._arguments import check_all_whole, check_sensor, check_whole
from snnkd.events._layout import Bins, Crop, Layout, Values
from snnkd.events.array import Events, as_events

DAY_US = 86_400_000_000
"""Length of a window from which on it is taken for a time."""

_INT64 = np.iinfo(np.int64)


def centre_square(sensor_size: tuple[int, int]) -> Crop:
    """The largest centred square of a sensor ``(W, H)`` as ``(x0, y0, w, h)``, odd rests right and below."""
    width, height = check_sensor(sensor_size)
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def bin_events(
    events: Events,
    sensor_size: tuple[int, int],
    start_us: int,
    window_us: int,
    n_bins: int,
    *,
    size: int | tuple[int, int] | None = None,
    crop: Crop | None = None,
    values: Values = "counts",
    channels: int = 2,
    dtype: DTypeLike | None = None,
) -> Bins:
    """Count events by window, polarity and pixel; the equation is in this module's docstring.

    Args:
        events: (N,), what :func:`snnkd.events.as_events` takes, in any order; quickest in the order of time.
        sensor_size: (W, H) of the sensor; tonic's (W, H, 2) is understood.
        start_us: time at which bin 0 begins. A bin holds its begin and not its end.
        window_us: length of a bin, at least 1.
        n_bins: number of bins; events outside ``[start_us, start_us + n_bins · window_us)`` are not counted.
        size: (W, H) of the images, or one number for a square; that of the crop when left out.
        crop: (x0, y0, w, h) on the sensor, outside of which nothing is counted; all of it when left out.
        values: ``counts`` or ``binary``.
        channels: 2 for OFF and ON, 1 for both together.
        dtype: of the result; uint16 for counts and uint8 for binary when left out.

    Returns (n_bins, channels, H, W).
    Raises ``ValueError`` for an event outside the sensor, a crop that is not inside it, or a size below 1, and
    ``TypeError`` for a time or a number that is no int. Warns where a count may have been stopped, where the bins are
    far from every event, and of several bins longer than a day.
    """
    place = Layout(sensor_size, size, crop, values, channels, dtype)
    start, (window, bins) = check_whole(start_us, "start_us"), check_windows(window_us, n_bins)
    if bins > 1 and window > DAY_US:
        text = (
            f"{bins} bins of {window} µs each are longer than a day: are start_us and window_us in each other's place?"
        )
        warnings.warn(text, SnnkdWarning, stacklevel=2)
    if start < _INT64.min or start + bins * window > _INT64.max:
        raise ValueError(f"the bins from {start} to {start + bins * window} µs go beyond 64 bits")
    edges = start + window * np.arange(bins + 1, dtype=np.int64)
    return place.bin_by_time(events, bins, lambda _: edges)


def bin_by_span(
    events: Events,
    sensor_size: tuple[int, int],
    n_bins: int,
    *,
    span_us: tuple[int, int] | None = None,
    size: int | tuple[int, int] | None = None,
    crop: Crop | None = None,
    values: Values = "counts",
    channels: int = 2,
    dtype: DTypeLike | None = None,
) -> Bins:
    """Divide a span of time into ``n_bins`` equal bins; the equation is in this module's docstring.

    Args:
        events: (N,), what :func:`snnkd.events.as_events` takes, in any order; quickest in the order of time.
        sensor_size: (W, H) of the sensor; tonic's (W, H, 2) is understood.
        n_bins: number of bins. Bin ``b`` begins at the first µs at or after ``first + b · (last − first) / n_bins``.
        span_us: ``(first, last)``, both included; outside of it nothing is counted. When left out, the times of the
            first and the last event, so that every event is in a bin. If the two are equal, all are in the last bin.
        size, crop, values, channels, dtype: as for :func:`bin_events`.

    Returns (n_bins, channels, H, W), zeros where there are no events.
    Raises and warns as :func:`bin_events` does; ``ValueError`` too for a span that ends before it begins.
    """
    place = Layout(sensor_size, size, crop, values, channels, dtype)
    bins, given = check_positive(n_bins, "n_bins"), check_span(span_us)

    def edges(ordered: Events) -> NDArray[np.int64]:
        ends = (int(ordered["t"][0]), int(ordered["t"][-1])) if len(ordered) else (0, 0)
        first, last = given or ends
        if given is None and first > last:
            # Of events in disorder, which are ordered after this, any edges will do.
            return np.zeros(bins + 1, np.int64)
        if first < _INT64.min or last >= _INT64.max or last - first > _INT64.max:
            what = "the events' times reach" if given is None else "span_us reaches"
            raise ValueError(f"{what} from {first} to {last} µs, beyond 64 bits: is the clock right?")
        # ⌈b·S / n⌉ without a product that could leave 64 bits.
        whole, rest = divmod(last - first, bins)
        b = np.arange(bins + 1, dtype=np.int64)
        result = first + b * whole - (-b * rest) // bins
        result[-1] = last + 1
        return result

    return place.bin_by_time(events, bins, edges)


def bin_by_count(
    events: Events,
    sensor_size: tuple[int, int],
    events_per_bin: int,
    *,
    size: int | tuple[int, int] | None = None,
    crop: Crop | None = None,
    values: Values = "counts",
    channels: int = 2,
    dtype: DTypeLike | None = None,
) -> Bins:
    """Give each bin the next ``events_per_bin`` events in the array's order, and the last one what is left.

    Events outside the crop count towards a bin's number and are not in its image.

    Returns (⌈N / events_per_bin⌉, channels, H, W): no bins where there are no events.
    Raises and warns as :func:`bin_events` does.
    """
    place = Layout(sensor_size, size, crop, values, channels, dtype)
    per_bin = check_positive(events_per_bin, "events_per_bin")
    return place.bin_by_count(as_events(events), per_bin)


def check_positive(value: int, name: str) -> int:
    """``value`` as an int of at least 1."""
    number = check_whole(value, name)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def check_windows(window_us: int, n_bins: int) -> tuple[int, int]:
    """Both as ints of at least 1."""
    return check_positive(window_us, "window_us"), check_positive(n_bins, "n_bins")


def check_span(span_us: tuple[int, int] | None) -> tuple[int, int] | None:
    """``span_us`` as two ints, the first at or before the last, or None."""
    if span_us is None:
        return None
    span = check_all_whole(span_us, "span_us", "(first, last) in µs")
    if len(span) != 2 or span[0] > span[1]:
        raise ValueError(f"span_us must be (first, last) with first at or before last, got {span}")
    return span[0], span[1]
