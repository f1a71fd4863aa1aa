"""The seven emotions and four lighting conditions, and the spellings under which datasets name them.

This module imports nothing heavy, so that a command line or a reader of prediction files can use it at once.
"""

from snnkd.errors import DatasetError

EMOTIONS = ("happiness", "sadness", "anger", "disgust", "surprise", "fear", "neutral")
"""The seven emotions; a label is an index into this tuple."""

LIGHTINGS = ("normal", "overexposed", "low-light", "HDR")
"""The four lighting conditions of the SEE dataset."""

UNKNOWN_LIGHTING = "unknown"
"""Lighting of a sequence of which nobody says it."""

_EMOTION_SPELLINGS = {name: i for i, name in enumerate(EMOTIONS)} | {"angry": EMOTIONS.index("anger")}
_LIGHTING_SPELLINGS = {name.lower(): name for name in LIGHTINGS} | {"low": "low-light"}


def emotion_index(name: str) -> int:
    """Label of an emotion's name, 0..6, in any case; SEE's ``angry`` and ``neutraL`` are accepted.

    Raises :class:`DatasetError` naming the label and the seven when it is none of them.
    """
    try:
        return _EMOTION_SPELLINGS[name.strip().lower()]
    except (KeyError, AttributeError):
        raise DatasetError(f"unknown emotion {name!r}; the seven are {', '.join(EMOTIONS)}") from None


def lighting_name(name: str) -> str:
    """Entry of :data:`LIGHTINGS` for a condition's name; SEE writes normal, Overexposed, Low and HDR.

    Raises :class:`DatasetError` naming the condition and the four when it is none of them.
    """
    try:
        return _LIGHTING_SPELLINGS[name.strip().lower()]
    except (KeyError, AttributeError):
        raise DatasetError(f"unknown lighting {name!r}; the four are {', '.join(LIGHTINGS)}") from None
