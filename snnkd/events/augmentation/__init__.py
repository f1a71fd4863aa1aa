"""Augmentation of events and frames together: each a frozen dataclass, called with an event array or with a pair."""

from snnkd.events.augmentation.affine import RandomAffine, affine_matrix, move_events, move_images
from snnkd.events.augmentation.base import Augmentation, Range, Seed
from snnkd.events.augmentation.compose import Compose, standard_augmentation
from snnkd.events.augmentation.drop import EventDrop, drop_area, drop_random, drop_time
from snnkd.events.augmentation.flip import HorizontalFlip
from snnkd.events.augmentation.hot_pixels import HotPixels, hot_pixel_events
from snnkd.events.augmentation.noise import Noise, uniform_noise
from snnkd.events.augmentation.time_scale import TimeScale, scale_times

__all__ = [
    "Augmentation",
    "Compose",
    "EventDrop",
    "HorizontalFlip",
    "HotPixels",
    "Noise",
    "RandomAffine",
    "Range",
    "Seed",
    "TimeScale",
    "affine_matrix",
    "drop_area",
    "drop_random",
    "drop_time",
    "hot_pixel_events",
    "move_events",
    "move_images",
    "scale_times",
    "standard_augmentation",
    "uniform_noise",
]
