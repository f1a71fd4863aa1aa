"""Who is filmed: the traits that stay the same over all recordings of one simulated person.

Lengths are in *eye units*: half the distance between the two corners of the eye, about 15 mm. The origin is
the middle of that line, x grows to the nose, y grows downwards; the right eye is filmed, so the nose is on
the right.

Traits are drawn so that appearance alone misleads. A low, dark brow looks like AU4, a wide eye like AU5, a
heavy lower lid like AU6, and every person has a rest face with some action units partly on (``rest``). What a
person *does* can therefore be told from how the picture changes better than from how it looks.
"""

from dataclasses import dataclass

import numpy as np

from snnkd.datasets.eyesim.state import ACTION_UNITS

_PERSON_KEY = 0x9E12  # keeps the stream of a person apart from the streams of the takes


@dataclass(frozen=True)
class Person:
    """Traits of one simulated person; every field has a default, an average eye, so that tests can vary one.

    ``rest`` holds the resting intensity of each unit in :data:`ACTION_UNITS`; ``expressivity`` scales every
    expression, and ``dialect_seed`` says how the person shows each emotion (``None``: as the textbook has it; see
    :mod:`snnkd.datasets.eyesim.expression`). Reflectances (``skin``, ``iris``, ``sclera``) are in 0..1. ``eye_scale``
    is one eye unit in half image widths, ``eye_x`` and ``eye_y`` the middle of the eye in the same measure from the
    image's centre.
    """

    index: int = 0
    texture_seed: int = 0
    # Image of the head-mounted camera
    eye_scale: float = 0.55
    eye_x: float = 0.0
    eye_y: float = 0.30
    eye_roll: float = 0.0
    # Skin
    skin: float = 0.44
    skin_texture: float = 0.05
    wrinkles: float = 0.6
    # Eye opening
    upper_lid: float = 0.37
    lower_lid: float = 0.25
    tilt: float = 0.06
    crease: float = 0.14
    bag: float = 0.5
    # Eyeball
    sclera: float = 0.62
    iris: float = 0.20
    iris_radius: float = 0.39
    pupil_radius: float = 0.15
    # Hair
    brow_height: float = 1.02
    brow_slope: float = 0.06
    brow_arch: float = 0.12
    brow_thickness: float = 0.15
    brow_darkness: float = 0.68
    brow_head: float = 1.12
    brow_tail: float = -1.30
    lash_darkness: float = 0.6
    lash_length: float = 0.20
    # Habit
    rest: tuple[float, ...] = (0.0,) * len(ACTION_UNITS)
    expressivity: float = 1.0
    dialect_seed: int | None = None

    @classmethod
    def draw(cls, seed: int, index: int) -> "Person":
        """Draw person ``index`` (from 0) of the population ``seed``; no other person's draw matters."""
        rng = np.random.default_rng([seed, _PERSON_KEY, index])
        uniform = rng.uniform
        skin = uniform(0.24, 0.60)
        return cls(
            index=index,
            texture_seed=int(rng.integers(2**32)),
            eye_scale=uniform(0.50, 0.61),
            eye_x=uniform(-0.08, 0.08),
            eye_y=uniform(0.20, 0.38),
            eye_roll=uniform(-0.10, 0.10),
            skin=skin,
            skin_texture=uniform(0.025, 0.07),
            wrinkles=uniform(0.2, 1.0),
            upper_lid=uniform(0.30, 0.45),
            lower_lid=uniform(0.20, 0.30),
            tilt=uniform(-0.02, 0.14),
            crease=uniform(0.04, 0.22),
            bag=uniform(0.1, 1.0),
            sclera=uniform(0.54, 0.70),
            iris=uniform(0.10, 0.36),
            iris_radius=uniform(0.36, 0.42),
            pupil_radius=uniform(0.11, 0.20),
            brow_height=uniform(0.88, 1.20),
            brow_slope=uniform(-0.06, 0.18),
            brow_arch=uniform(0.02, 0.22),
            brow_thickness=uniform(0.09, 0.20),
            brow_darkness=uniform(0.35, 0.85),
            brow_head=uniform(1.0, 1.25),
            brow_tail=uniform(-1.45, -1.15),
            lash_darkness=uniform(0.35, 0.85),
            lash_length=uniform(0.12, 0.30),
            rest=_rest_face(rng),
            expressivity=uniform(0.65, 1.2),
            dialect_seed=int(rng.integers(2**32)),
        )

    @property
    def name(self) -> str:
        """Folder name of the person: ``p000``, ``p001``, ..."""
        return f"p{self.index:03d}"


def _rest_face(rng: np.random.Generator) -> tuple[float, ...]:
    """Resting intensities: most units near 0, one to three up to half on; lids droop a little, nobody blinks."""
    rest = rng.uniform(0.0, 0.08, len(ACTION_UNITS))
    strong = rng.permutation(len(ACTION_UNITS) - 2)[: rng.integers(1, 4)]
    rest[strong] += rng.uniform(0.15, 0.45, len(strong))
    rest[ACTION_UNITS.index("au45")] = 0.0
    return tuple(float(v) for v in rest)
