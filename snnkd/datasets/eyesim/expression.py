"""How an emotion moves one eye: action units per emotion, and their course from onset over apex to offset.

The units follow EMFACS (Friesen and Ekman, 1983), reduced to the eye region; AU12 of happiness, for one, lies
outside the picture. People differ from the textbook: every unit beyond the first is shown with a probability,
at a random intensity, scaled by the person's expressivity, and a faint unit of no meaning may join. Fear and
surprise, anger and disgust therefore overlap, as they do among people.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.state import ACTION_UNITS

Track = NDArray[np.float64]


class Unit(NamedTuple):
    """An action unit in an emotion: how often it is shown, and the range of its intensity when it is."""

    name: str
    probability: float
    low: float
    high: float


PROTOTYPES: dict[str, tuple[Unit, ...]] = {
    "happiness": (Unit("au6", 1.0, 0.40, 1.0), Unit("au7", 0.3, 0.1, 0.4)),
    "sadness": (Unit("au1", 1.0, 0.45, 1.0), Unit("au4", 0.85, 0.25, 0.7)),
    "anger": (Unit("au4", 1.0, 0.45, 1.0), Unit("au5", 0.55, 0.2, 0.7), Unit("au7", 0.9, 0.3, 0.9)),
    "disgust": (Unit("au9", 1.0, 0.40, 1.0), Unit("au4", 0.5, 0.2, 0.6), Unit("au7", 0.6, 0.2, 0.6)),
    "surprise": (Unit("au1", 1.0, 0.40, 1.0), Unit("au2", 1.0, 0.40, 1.0), Unit("au5", 0.9, 0.3, 0.9)),
    "fear": (
        Unit("au1", 1.0, 0.40, 0.9),
        Unit("au2", 0.8, 0.25, 0.7),
        Unit("au4", 0.9, 0.30, 0.7),
        Unit("au5", 0.95, 0.4, 1.0),
        Unit("au7", 0.6, 0.2, 0.5),
    ),
    "neutral": (),
}
"""Emotion to its units."""


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
        """Draw a course for the interval ``start..end``: onset in its first quarter, release near its end."""
        length = end - start
        return cls(
            onset=start + length * rng.uniform(0.04, 0.25),
            rise=rng.uniform(0.14, 0.36),
            release=start + length * rng.uniform(0.72, 1.0),
            fall=rng.uniform(0.22, 0.50),
        )


def apex(emotion: str, person: Person, rng: np.random.Generator) -> Track:
    """Intensities ``(7,)`` of :data:`ACTION_UNITS` at the apex of one take."""
    intensity = np.zeros(len(ACTION_UNITS))
    for unit in PROTOTYPES[emotion]:
        if rng.random() < unit.probability:
            intensity[ACTION_UNITS.index(unit.name)] = person.expressivity * rng.uniform(unit.low, unit.high)
    if rng.random() < 0.6:  # a faint movement that means nothing
        intensity[rng.integers(len(ACTION_UNITS))] += rng.uniform(0.05, 0.2)
    return np.minimum(intensity, 1.0)


def express(emotion: str, person: Person, times: Track, course: Course, rng: np.random.Generator) -> Track:
    """Intensities ``(N, 7)`` over ``times (N,)`` in seconds for one take of ``emotion``.

    Each unit follows ``a · S((t - onset - d)/rise) · (1 - S((t - release - d)/fall))`` with its apex ``a``,
    its own delay ``d`` (tens of ms) and the minimum-jerk step ``S`` (Flash and Hogan, 1985); a small waver
    rides on it.
    """
    amplitude = apex(emotion, person, rng)
    delay = rng.uniform(-0.03, 0.06, len(ACTION_UNITS))
    rise = course.rise * rng.uniform(0.8, 1.25, len(ACTION_UNITS))
    since = times[:, None] - delay[None, :]
    level = minimum_jerk((since - course.onset) / rise) * (1.0 - minimum_jerk((since - course.release) / course.fall))
    waver = 1.0 + 0.05 * np.sin(2 * np.pi * (rng.uniform(1.0, 3.0) * times + rng.random()))
    return np.clip(amplitude * level * waver[:, None], 0.0, 1.0)


def minimum_jerk(u: Track) -> Track:
    """The step ``10u³ - 15u⁴ + 6u⁵`` from 0 to 1 on ``0 <= u <= 1``: the smoothest way between two rests."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (10.0 + u * (6.0 * u - 15.0))
