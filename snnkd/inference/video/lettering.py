"""Antialiased text on images, in the font that matplotlib brings."""

import warnings
from functools import lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Blue, green, red, as OpenCV has them"""


def colour(code: str) -> Colour:
    """Return ``#rrggbb`` as blue, green, red."""
    return int(code[5:7], 16), int(code[3:5], 16), int(code[1:3], 16)


def write(
    image: NDArray[np.uint8],
    text: str,
    place: tuple[float, float],
    size: int,
    ink: Colour,
    *,
    bold: bool = False,
    align: float = 0.0,
) -> None:
    """Write a line of text on an image (H, W, 3); what lies beyond the image is cut off.

    Args:
        image: is changed.
        text: characters that the font does not have are drawn as boxes.
        place: x, and the y of the base line.
        size: of the letters, in pixels.
        ink: colour of the letters.
        bold: heavier letters.
        align: 0 where text begins at x, 0.5 where x is its middle, 1 where it ends there.
    """
    mask, rise = letters(text, size, bold)
    height, width = mask.shape
    x, y = round(place[0] - align * width), round(place[1]) - rise
    top, left = max(0, y), max(0, x)
    part = image[top : y + height, left : x + width]
    if part.size:
        alpha = mask[top - y :, left - x :][: part.shape[0], : part.shape[1], None]
        part[:] = part + (np.array(ink, np.float32) - part) * alpha


def width_of(text: str, size: int, bold: bool = False) -> int:
    """Width of a line of text in pixels."""
    return letters(text, size, bold)[0].shape[1]


@lru_cache(1024)
def letters(text: str, size: int, bold: bool) -> tuple[NDArray[np.float32], int]:
    """Return how much of each pixel (H, W) a line of text covers, and how many rows lie above its base line."""
    font = _font(bold)
    font.set_size(size, 72)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of characters that the font does not have
        # Bytes of a file's name that are no UTF-8 come as lone surrogates, which no font can be asked for.
        font.set_text(text.encode("utf-8", "replace").decode(), 0.0)
        font.draw_glyphs_to_bitmap(antialiased=True)
    mask = (np.asarray(font.get_image()) / 255).astype(np.float32)
    return mask, int(mask.shape[0] - round(font.get_descent() / 64))


@lru_cache(2)
def _font(bold: bool) -> FT2Font:
    return FT2Font(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")))
