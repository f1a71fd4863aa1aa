"""The moving part of the eye: action units, gaze, pupil and slip, as one vector per instant.

The controls follow the Facial Action Coding System (Ekman, Friesen and Hager, 2002), reduced to the units
that show around one eye. Their values are intensities, 0 (absent) to 1 (maximal, FACS level E).
"""

from typing import NamedTuple


class State(NamedTuple):
    """One instant of one eye; ``State()`` is the person's rest face looking straight ahead.

    ==================  =======================================================================
    ``au1 au2 au4``     inner brow raiser, outer brow raiser, brow lowerer
    ``au5 au6 au7``     upper lid raiser, cheek raiser, lid tightener
    ``au9 au43 au45``     nose wrinkler, eyes closing (drooping lids), blink: the two close the lids
    ``gaze_x gaze_y``   iris offset in eye units (half the width of the eye opening), right and down
    ``pupil``           change of the pupil's radius relative to the person's own, e.g. 0.1 for +10 %
    ``slip_x slip_y``   shift of the head-mount in half image widths, right and down
    ``roll``            rotation of the head-mount in radians
    ==================  =======================================================================
    """

    au1: float = 0.0
    au2: float = 0.0
    au4: float = 0.0
    au5: float = 0.0
    au6: float = 0.0
    au7: float = 0.0
    au9: float = 0.0
    au43: float = 0.0
    au45: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    pupil: float = 0.0
    slip_x: float = 0.0
    slip_y: float = 0.0
    roll: float = 0.0


ACTION_UNITS = ("au1", "au2", "au4", "au5", "au6", "au7", "au9", "au43", "au45")
"""The action units around one eye, in the order of :class:`State`'s first fields."""

EXPRESSIVE = ACTION_UNITS[:-1]
"""Those that an emotion may use; a blink, AU45, carries no label."""
