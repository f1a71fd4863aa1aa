"""EventDrop: leaving out events of a stretch of time, of an area, or here and there.

F. Gu, W. Sng, X. Hu, F. Yu, "EventDrop: data augmentation for event-based learning", IJCAI 2021. One of four things
is done, each as likely: nothing; **time**: the events of a random stretch, a share of the whole, are dropped;
**area**: those of a random box, whose sides are a share of the sensor's; **random**: each event with a probability.
The shares are the paper's, drawn from their range instead of its steps: time and random 0.1 to 0.9, area 0.05 to 0.25.
Here the stretch and the box always lie inside, so that the whole of the share is dropped. Frames stay as they are.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from snnkd.events._arguments import check_all_whole, check_bounds, check_number, check_whole
from snnkd.events.array import Events, as_events
from snnkd.events.augmentation.base import Augmentation, Range, draw
from snnkd.events.pair import FrameStack

Way = Literal["nothing", "time", "area", "random"]


def drop_time(events: Events, start_us: int, length_us: int) -> Events:
    """Events outside of ``[start_us, start_us + length_us)``; ``ValueError`` for a negative length."""
    events, start, length = as_events(events), check_whole(start_us, "start_us"), check_whole(length_us, "length_us")
    if length < 0:
        raise ValueError(f"length_us must be 0 or more, got {length}")
    return events[(events["t"] < start) | (events["t"] >= start + length)]


def drop_area(events: Events, box: tuple[int, int, int, int]) -> Events:
    """Events outside of ``box`` (x0, y0, w, h); ``ValueError`` for negative sides."""
    events, values = as_events(events), check_all_whole(box, "box", "(x0, y0, w, h)")
    if len(values) != 4 or min(values[2:]) < 0:
        raise ValueError(f"box must be (x0, y0, w, h) with w and h of 0 or more, got {values}")
    x0, y0, width, height = values
    x, y = events["x"], events["y"]
    return events[(x < x0) | (x >= x0 + width) | (y < y0) | (y >= y0 + height)]


def drop_random(events: Events, probability: float, generator: np.random.Generator) -> Events:
    """Each event is dropped with ``probability``; ``ValueError`` for one outside 0 to 1."""
    check_number("probability", probability, 0, 1)
    events = as_events(events)
    return events[generator.random(len(events)) >= probability]


@dataclass(frozen=True)
class EventDrop(Augmentation):
    """Drop events in one of several ways, each as likely.

    Args:
        ways: of ``nothing``, ``time``, ``area`` and ``random``.
        time: range of the share of the stretch in the time from the first to the last event.
        area: range of the share of each side of the box in the sensor's.
        random: range of the probability.
    """

    ways: tuple[Way, ...] = get_args(Way)
    time: Range = (0.1, 0.9)
    area: Range = (0.05, 0.25)
    random: Range = (0.1, 0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ways or set(self.ways) - set(get_args(Way)):
            raise ValueError(f"ways must be some of {', '.join(get_args(Way))}, got {self.ways}")
        for name in ("time", "area", "random"):
            check_bounds(name, getattr(self, name), 0, 1)

    def apply(
        self, events: Events, frames: FrameStack | None, generator: np.random.Generator
    ) -> tuple[Events, FrameStack | None]:
        """Drop events in the way that is drawn."""
        way = self.ways[generator.integers(len(self.ways))]
        if way == "time" and len(events):
            first, last = int(events["t"][0]), int(events["t"][-1])
            length = round(draw(generator, self.time) * (last - first + 1))
            return drop_time(events, int(generator.integers(first, last + 1 - length, endpoint=True)), length), frames
        if way == "area":
            share = draw(generator, self.area)
            width, height = (round(share * side) for side in self.sensor_size)
            x0 = int(generator.integers(self.sensor_size[0] - width, endpoint=True))
            y0 = int(generator.integers(self.sensor_size[1] - height, endpoint=True))
            return drop_area(events, (x0, y0, width, height)), frames
        if way == "random":
            return drop_random(events, draw(generator, self.random), generator), frames
        return events.copy(), frames
