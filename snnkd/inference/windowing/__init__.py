"""Events to the windows that a network sees: cutting, the region of interest, and what is wrong with a window."""

from snnkd.inference.windowing.quality import GOOD, QUALITIES, Judge, Validity
from snnkd.inference.windowing.reader import BLOCK, Block, WindowReader
from snnkd.inference.windowing.region import Crop, Region, parse_region, place_region

__all__ = [
    "BLOCK",
    "GOOD",
    "QUALITIES",
    "Block",
    "Crop",
    "Judge",
    "Region",
    "Validity",
    "WindowReader",
    "parse_region",
    "place_region",
]
