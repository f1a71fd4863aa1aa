"""One image of the video: the picture of the eye, what the network says, and where that is in the recording."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from snnkd.inference.drawing import EMOTION_COLOURS, MUTED
from snnkd.inference.video.lettering import Colour, colour, width_of, write

Image = NDArray[np.uint8]
SIZE = (1280, 720)
MARGIN = 32
PICTURE = (32, 88, 768, 456)
"""Left, top, width and height of where the eye is shown"""
PANEL = 840
"""Left of what the network says"""
STRIPS = (132, 1248)
"""Left and right of what runs over the whole recording"""
GROUND, STAGE, INK, SOFT, DIM = (colour(code) for code in ("#0e1116", "#06080b", "#e8ebef", "#232933", "#a3acb8"))
ON, OFF = colour("#4aa8ff"), colour("#ff8f45")
EVENTS_FADE = 0.62
"""What is left of an event from image to image"""


@dataclass(frozen=True)
class Told:
    """What one image says: label and probabilities, whether its window is valid, a line on it, and the time."""

    label: str
    probabilities: NDArray[np.float64]
    valid: bool
    note: str
    clock: str
    share: float
    """How much of the recording is over"""


def label_colour(label: str) -> Colour:
    """Colour of an emotion, or the muted one of what is none."""
    return colour(EMOTION_COLOURS.get(label, MUTED))


def ink_on(ground: Colour) -> Colour:
    """White or near-black, whichever stands out more (relative luminance as WCAG 2 defines it)."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in ground]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    return (255, 255, 255) if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.055 else (24, 20, 16)


def background(
    title: str,
    facts: str,
    emotions: Sequence[str],
    rates: NDArray[np.float64],
    strips: Sequence[tuple[str, Sequence[tuple[float, float, str]]]],
    duration: str,
    caution: str | None,
) -> Image:
    """Paint what stays the same.

    Args:
        title: of the recording.
        facts: a line under it.
        emotions: in the order of the probabilities.
        rates: events over the recording, any number, as shares of the most.
        strips: name and pieces of what is told and known; pieces begin and end at shares of the recording.
        duration: of the recording.
        caution: what must be known of the model.
    """
    image = np.full((SIZE[1], SIZE[0], 3), GROUND, np.uint8)
    write(image, title, (MARGIN, 46), 22, INK, bold=True)
    write(image, facts, (MARGIN, 70), 14, DIM)
    for row, emotion in enumerate(emotions):
        write(image, emotion, (PANEL, _row(row) + 5), 16, INK)
    left, right = STRIPS
    _fill_rates(image, rates, _strip(0, len(strips)) - 10)
    for place, (name, pieces) in enumerate(strips):
        top = _strip(place, len(strips))
        write(image, name, (left - 14, top + 16), 14, DIM, align=1)
        for begin, end, label in pieces:
            _piece(image, left + begin * (right - left), left + end * (right - left), top, label)
    bottom = SIZE[1] - 20
    write(image, "0 s", (left, bottom), 13, DIM)
    write(image, duration, (right, bottom), 13, DIM, align=1)
    if caution:
        write(image, caution, ((left + right) / 2, bottom), 13, colour("#f3dc9a"), align=0.5)
    return image


def paint(base: Image, picture: Image, emotions: Sequence[str], told: Told, strips: int) -> Image:
    """Return one image: the background with the picture of the eye (h, w, 3), and what is told of this time."""
    image = base.copy()
    height, width = picture.shape[:2]
    x, y = PICTURE[0] + (PICTURE[2] - width) // 2, PICTURE[1] + (PICTURE[3] - height) // 2
    image[y : y + height, x : x + width] = picture
    write(image, told.clock, (SIZE[0] - MARGIN, 46), 22, INK, bold=True, align=1)
    chip = label_colour(told.label)
    cv2.rectangle(image, (PANEL, PICTURE[1] + 8), (PANEL + 22, PICTURE[1] + 30), chip, -1)
    write(image, told.label, (PANEL + 36, PICTURE[1] + 31), 32, INK if told.valid else DIM, bold=True)
    write(image, told.note, (PANEL, PICTURE[1] + 60), 15, DIM)
    for row, (emotion, share) in enumerate(zip(emotions, told.probabilities, strict=True)):
        _bar(image, _row(row), float(share), label_colour(emotion), emotion == told.label)
    at = STRIPS[0] + told.share * (STRIPS[1] - STRIPS[0])
    top, bottom = _strip(0, strips) - 56, _strip(strips - 1, strips) + 24
    cv2.line(image, (round(at), top), (round(at), bottom), INK, 2)
    cv2.circle(image, (round(at), top), 6, INK, -1, cv2.LINE_AA)
    return image


def picture_size(sensor_size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the picture: the largest of the sensor's shape that has room."""
    scale = min(PICTURE[2] / sensor_size[0], PICTURE[3] / sensor_size[1])
    return max(1, round(sensor_size[0] * scale)), max(1, round(sensor_size[1] * scale))


def seen_well(frame: Image, levels: tuple[float, float] | None) -> tuple[Image, tuple[float, float]]:
    """Stretch the grey levels of a frame (h, w), so that eyes in the dark are seen too, and darken it a little.

    ``levels`` are those that 1% of the pixels lie below and above in the frames before, ``None`` for the first; they
    follow the light slowly, so that nothing flickers. Returns the frame and the levels with this frame's.
    """
    share = np.cumsum(np.bincount(frame.reshape(-1), minlength=256)) / frame.size
    low, high = (float(np.searchsorted(share, part)) for part in (0.01, 0.99))
    if levels is not None:
        low, high = 0.95 * levels[0] + 0.05 * low, 0.95 * levels[1] + 0.05 * high
    table = (np.arange(256) - low) / max(high - low, 1.0)
    return (table.clip(0, 1) * 190).astype(np.uint8)[frame], (low, high)


def eye(frame: Image | None, glow: NDArray[np.float32], size: tuple[int, int]) -> Image:
    """Paint events, ON blue and OFF orange, over the frame where there is one.

    Args:
        frame: (h, w), or None; :func:`seen_well` makes one that events stand out from.
        glow: (2, H, W), what is left of OFF and ON events.
        size: width and height of the picture.
    """
    if frame is None:
        picture = np.full((size[1], size[0], 3), STAGE, np.float32)
    else:
        grey = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32)
    off, on = (_scaled(channel, size) for channel in glow)
    much = np.maximum(off, on)
    alpha = np.where(much > 0.05, np.minimum(1, 0.2 + 0.8 * much), 0)[..., None]
    picture += (np.where((on >= off)[..., None], ON, OFF) - picture) * alpha
    return picture.astype(np.uint8)


def _scaled(channel: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    smaller = channel.size / (size[0] * size[1])
    how = cv2.INTER_AREA if smaller > 1 else cv2.INTER_NEAREST  # single events neither vanish nor blur
    return cv2.resize(channel, size, interpolation=how).astype(np.float32) * np.float32(max(1.0, smaller))


def _row(row: int) -> int:
    return PICTURE[1] + 112 + 48 * row


def _strip(place: int, strips: int) -> int:
    return 680 - 30 * (strips - place)


def _bar(image: Image, y: int, share: float, ink: Colour, most: bool) -> None:
    left, right = PANEL + 112, 1180
    cv2.rectangle(image, (left, y - 6), (right, y + 6), SOFT, -1)
    if share > 0.002:
        cv2.rectangle(image, (left, y - 6), (round(left + share * (right - left)), y + 6), ink, -1)
    write(image, f"{share:.0%}", (1248, y + 5), 16, INK if most else DIM, bold=most, align=1)


def _fill_rates(image: Image, rates: NDArray[np.float64], bottom: int) -> None:
    left, right = STRIPS
    height = 36
    write(image, "events", (left - 14, bottom - 13), 14, DIM, align=1)
    columns = np.arange(right - left) * len(rates) // (right - left)
    for x, rate in enumerate(rates[columns], left):
        cv2.line(image, (x, bottom), (x, bottom - round(height * float(rate))), colour("#5d6775"), 1)


def _piece(image: Image, begin: float, end: float, top: int, label: str) -> None:
    ground = label_colour(label)
    cv2.rectangle(image, (round(begin), top), (max(round(begin), round(end) - 2), top + 22), ground, -1)
    if width_of(label, 13) < end - begin - 10:
        write(image, label, ((begin + end) / 2, top + 16), 13, ink_on(ground), align=0.5)
