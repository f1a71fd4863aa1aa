r"""How an emotion moves one eye: action units per emotion, and their course from onset over apex to offset.

The units follow EMFACS (Friesen and Ekman, 1983), reduced to the eye region; AU12 of happiness, for one, lies
outside the picture. People differ from the textbook and from each other:

- a unit is shown with a probability :math:`p` and, when it is, at a random intensity;
- a person's *dialect* moves both, for each unit of each emotion: :math:`\mathrm{logit}\,p` by a draw from
  :math:`N(0, 1)`, the intensity by a factor :math:`e^{N(0, 0.25^2)}`; the person's expressivity scales all;
- up to two faint movements without a meaning join, each with a course of its own.

Fear and surprise, anger and disgust, sadness and a neutral face therefore overlap, as they do among people: even the
true intensities do not tell every take (``scripts/calibrate_eyesim.py`` says how far they do).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.state import ACTION_UNITS, EXPRESSIVE

Track = NDArray[np.float64]


class Unit(NamedTuple):
    """An action unit in an emotion: how often it is shown, and the range of its intensity when it is."""

    name: str
    probability: float
    low: float
    high: float


PROTOTYPES: dict[str, tuple[Unit, ...]] = {
    "happiness": (Unit("au6", 0.93, 0.30, 1.0), Unit("au7", 0.35, 0.1, 0.5), Unit("au43", 0.15, 0.08, 0.25)),
    "sadness": (
        Unit("au1", 0.90, 0.25, 0.9),
        Unit("au4", 0.75, 0.15, 0.65),
        Unit("au7", 0.15, 0.1, 0.35),
        Unit("au43", 0.40, 0.08, 0.30),
    ),
    "anger": (
        Unit("au4", 0.95, 0.30, 1.0),
        Unit("au5", 0.45, 0.15, 0.6),
        Unit("au7", 0.80, 0.2, 0.8),
        Unit("au9", 0.12, 0.1, 0.35),
    ),
    "disgust": (
        Unit("au9", 0.90, 0.25, 0.9),
        Unit("au4", 0.60, 0.15, 0.65),
        Unit("au7", 0.60, 0.15, 0.6),
        Unit("au6", 0.20, 0.1, 0.4),
    ),
    "surprise": (Unit("au1", 0.90, 0.30, 1.0), Unit("au2", 0.93, 0.30, 1.0), Unit("au5", 0.80, 0.2, 0.9)),
    "fear": (
        Unit("au1", 0.90, 0.30, 0.9),
        Unit("au2", 0.65, 0.20, 0.75),
        Unit("au4", 0.75, 0.20, 0.7),
        Unit("au5", 0.80, 0.25, 0.9),
        Unit("au7", 0.45, 0.1, 0.5),
    ),
    "neutral": (),
}
"""Emotion to its units."""

STRAYS = 2
"""Movements without a meaning that may join."""

STRAY_PROBABILITY = 0.5


class Course(NamedTuple):
    """When an expression happens, in seconds.

    From ``onset`` it takes ``rise`` to reach the apex, and from ``release`` it takes ``fall`` to vanish.
    """

    onset: float
    rise: float
    release: float
    fall: float

    @classmethod
    def draw(cls, start: float, end: float, rng: np.random.Generator) -> "Course":
        """Draw a course for the interval ``start..end``: of two takes in five onset, apex and offset are all in it.

        An onset that is followed by its offset leaves as many ON as OFF events: their sum over the interval does not
        say which way a brow went. Of three takes in five the apex lasts to the interval's end.
        """
        length = end - start
        onset = start + length * rng.uniform(0.05, 0.28)
        rise = length * rng.uniform(0.12, 0.28)
        hold = length * rng.uniform(0.10, 0.35)
        lasts = rng.random() < 0.6
        return cls(onset, rise, end if lasts else onset + rise + hold, length * rng.uniform(0.15, 0.32))


@lru_cache(maxsize=1024)
def dialect(seed: int | None) -> dict[tuple[str, str], tuple[float, float]]:
    """Probability and factor of the intensity for each ``(emotion, unit)`` of the person with this dialect."""
    rng = np.random.default_rng(seed)
    made = {}
    for emotion, units in PROTOTYPES.items():
        for unit in units:
            shift, gain = (0.0, 1.0) if seed is None else (rng.normal(), float(np.exp(rng.normal(0.0, 0.25))))
            odds = unit.probability / (1.0 - unit.probability) * np.exp(shift)
            made[emotion, unit.name] = (float(odds / (1.0 + odds)), gain)
    return made


def apex(emotion: str, person: Person, rng: np.random.Generator) -> Track:
    """Intensities ``(9,)`` of :data:`ACTION_UNITS` at the apex of one take, without the stray movements."""
    intensity = np.zeros(len(ACTION_UNITS))
    habits = dialect(person.dialect_seed)
    for unit in PROTOTYPES[emotion]:
        probability, gain = habits[emotion, unit.name]
        if rng.random() < probability:
            intensity[ACTION_UNITS.index(unit.name)] = person.expressivity * gain * rng.uniform(unit.low, unit.high)
    return np.minimum(intensity, 1.0)


def strays(times: Track, rng: np.random.Generator) -> Track:
    """Movements ``(N, 9)`` that mean nothing: faint, of one unit each, at any time."""
    track = np.zeros((len(times), len(ACTION_UNITS)))
    for _ in range(STRAYS):
        if rng.random() >= STRAY_PROBABILITY:
            continue
        onset = rng.uniform(times[0] - 0.3, times[-1])
        course = Course(onset, rng.uniform(0.1, 0.35), onset + rng.uniform(0.3, 1.2), rng.uniform(0.15, 0.45))
        track[:, rng.integers(len(EXPRESSIVE))] += rng.uniform(0.04, 0.20) * level(times, course)
    return track


def level(times: Track, course: Course) -> Track:
    """Share ``(N,)`` of the apex that is shown: ``S((t − onset)/rise) · (1 − S((t − release)/fall))``."""
    shown = minimum_jerk((times - course.onset) / course.rise)
    return shown * (1.0 - minimum_jerk((times - course.release) / course.fall))


def express(emotion: str, person: Person, times: Track, course: Course, rng: np.random.Generator) -> Track:
    """Intensities ``(N, 9)`` over ``times (N,)`` in seconds for one take of ``emotion``, without stray movements.

    Each unit follows the course (:func:`level`, with the minimum-jerk step of Flash and Hogan, 1985) up to its apex,
    with a delay of its own (tens of ms) and a rise of its own; a small waver rides on it.
    """
    amplitude = apex(emotion, person, rng)
    delay = rng.uniform(-0.03, 0.06, len(ACTION_UNITS))
    rise = course.rise * rng.uniform(0.8, 1.25, len(ACTION_UNITS))
    own = [
        level(times, Course(course.onset + d, r, course.release + d, course.fall))
        for d, r in zip(delay, rise, strict=True)
    ]
    waver = 1.0 + 0.05 * np.sin(2 * np.pi * (rng.uniform(1.0, 3.0) * times + rng.random()))
    return np.clip(amplitude * np.column_stack(own) * waver[:, None], 0.0, 1.0)


def minimum_jerk(u: Track) -> Track:
    """The step ``10u³ - 15u⁴ + 6u⁵`` from 0 to 1 on ``0 <= u <= 1``: the smoothest way between two rests."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (10.0 + u * (6.0 * u - 15.0))
