"""From action units to the curves of the eye: where the lids, the brow, the iris and the wrinkles are now.

This is the anatomy of the simulator, and the only place where an action unit acquires a meaning. Amplitudes
are chosen from the FACS manual's descriptions (Ekman, Friesen and Hager, 2002) with an eye unit of about 15
mm: a brow travels about 4-5 mm up or down and the upper lid about 2 mm; they are plausible, not fitted to
measurements.
"""

import math
from typing import NamedTuple

from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.state import ACTION_UNITS, State


class Light(NamedTuple):
    """The light on the scene: what is drawn is ``255 · level · reflectance · (1 + x·X + y·Y) · (1 − shade) + veil``.

    ``level`` scales the image and ``x`` and ``y`` tilt it, a share per eye unit. The shade is a soft edge: it takes
    ``shade_depth`` of the light where ``X·cos + Y·sin``, with ``cos`` and ``sin`` of ``shade_angle``, is beyond
    ``shade_at``, rising over ``shade_width``, in eye units. ``veil`` is stray light in DN: it adds, and takes contrast.
    """

    level: float = 1.0
    x: float = 0.03
    y: float = -0.03
    shade_depth: float = 0.0
    shade_angle: float = 0.0
    shade_at: float = 0.0
    shade_width: float = 0.5
    veil: float = 0.0


class Geometry(NamedTuple):
    """All that the pixel kernel needs to know about one instant; lengths in eye units, y downwards.

    The lids are ``y = tilt·x - upper·f_u(x)`` and ``y = tilt·x + lower·f_l(x)`` with ``f`` one in the middle
    and zero at both corners; ``shut`` mixes the upper one into the lower one.
    """

    # Image to eye coordinates: ``pixel`` is the size of a pixel in eye units
    unit: float
    centre_x: float
    centre_y: float
    cos: float
    sin: float
    pixel: float
    # Lids
    tilt: float
    upper: float
    lower: float
    shut: float
    crease: float
    crease_depth: float
    # Eyeball
    sclera: float
    iris: float
    iris_x: float
    iris_y: float
    iris_radius: float
    pupil_radius: float
    glint_x: float
    glint_y: float
    # Lashes
    lash_darkness: float
    lash_up: float
    lash_down: float
    # Brow
    brow_height: float
    brow_slope: float
    brow_arch: float
    brow_thickness: float
    brow_darkness: float
    brow_head: float
    brow_tail: float
    raise_inner: float
    raise_outer: float
    lowered: float
    adduction: float
    # Skin
    skin: float
    texture: float
    bag: float
    cheek: float
    nose_lift: float
    line_forehead_inner: float
    line_forehead_outer: float
    line_frown: float
    line_crow: float
    line_lower_lid: float
    line_nose: float
    # Light
    level: float
    light_x: float
    light_y: float
    shade_depth: float
    shade_cos: float
    shade_sin: float
    shade_at: float
    shade_width: float
    veil: float


def geometry(person: Person, state: State, light: Light, size: tuple[int, int]) -> Geometry:
    """Curves and strengths of ``person`` in ``state`` for an image of ``size = (W, H)`` pixels.

    The intensity of a unit is ``rest + (1 - rest / 2)·state``: a person who frowns at rest still frowns more,
    but has less way to go.
    """
    au1, au2, au4, au5, au6, au7, au9, au43, au45 = (
        rest + (1.0 - 0.5 * rest) * getattr(state, unit) for unit, rest in zip(ACTION_UNITS, person.rest, strict=True)
    )
    shut = min(max(au43, au45, 0.0), 1.0)
    roll = person.eye_roll + state.roll
    half = 0.5 * min(size)

    upper = person.upper_lid + 0.15 * au5 - 0.08 * au7 - 0.04 * au9 - 0.03 * au4 + 0.02 * (au1 + au2)
    upper = max(upper - 0.7 * state.gaze_y, 0.06)  # the upper lid follows the gaze up and down
    lower = person.lower_lid - 0.11 * au7 - 0.15 * au6 - 0.06 * au9 + 0.02 * au5 + 0.25 * state.gaze_y
    lower = max(lower, 0.04)
    # A lid pulled up takes the skin below the fold with it, a lowered brow hangs over the fold, a raised one
    # bares it.
    gap = person.crease * (1.0 - 0.5 * min(au5, 1.0)) + 0.05 * (au1 + au2) - 0.10 * au4
    wrinkles = 0.35 + 0.65 * person.wrinkles
    return Geometry(
        unit=person.eye_scale,
        centre_x=person.eye_x + state.slip_x,
        centre_y=person.eye_y + state.slip_y,
        cos=math.cos(roll),
        sin=math.sin(roll),
        pixel=1.0 / (half * person.eye_scale),
        tilt=person.tilt,
        upper=upper,
        lower=lower,
        shut=shut,
        crease=upper + max(gap, 0.0),
        crease_depth=(0.34 + 0.10 * au5) * (1.0 - 0.55 * shut),
        sclera=person.sclera,
        iris=person.iris,
        iris_x=0.02 + state.gaze_x,
        iris_y=-0.05 + state.gaze_y,
        iris_radius=person.iris_radius,
        pupil_radius=min(person.pupil_radius * (1.0 + state.pupil), 0.8 * person.iris_radius),
        glint_x=0.09 + 0.45 * state.gaze_x,  # the mirror image of the lamp moves with the cornea, but less
        glint_y=-0.10 + 0.45 * state.gaze_y,
        lash_darkness=person.lash_darkness,
        lash_up=person.lash_length * (1.0 - 1.75 * shut),  # the lashes of a closing lid come to point down
        lash_down=0.45 * person.lash_length,
        brow_height=person.brow_height,
        brow_slope=person.brow_slope,
        brow_arch=person.brow_arch,
        brow_thickness=person.brow_thickness,
        brow_darkness=person.brow_darkness,
        brow_head=person.brow_head,
        brow_tail=person.brow_tail,
        raise_inner=0.30 * au1,
        raise_outer=0.30 * au2,
        lowered=0.27 * au4 + 0.10 * au9,
        adduction=0.13 * au4,
        skin=person.skin,
        texture=person.skin_texture,
        bag=person.bag,
        cheek=0.28 * au6 + 0.05 * au7 + 0.07 * au9,
        nose_lift=0.22 * au9,
        line_forehead_inner=0.22 * wrinkles * au1,
        line_forehead_outer=0.22 * wrinkles * au2,
        line_frown=0.38 * wrinkles * au4,
        line_crow=0.45 * wrinkles * au6,
        line_lower_lid=wrinkles * (0.30 * au6 + 0.26 * au7 + 0.08 * au9),
        line_nose=0.55 * wrinkles * au9,
        level=light.level,
        light_x=light.x,
        light_y=light.y,
        shade_depth=light.shade_depth,
        shade_cos=math.cos(light.shade_angle),
        shade_sin=math.sin(light.shade_angle),
        shade_at=light.shade_at,
        shade_width=light.shade_width,
        veil=light.veil,
    )
