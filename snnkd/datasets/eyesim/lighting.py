"""The four lightings of a take: how bright it is, where shadows fall, how a lamp flickers, what the camera does.

===============  ================================================================================================
``normal``       a lamp of the head-mount; little shade
``overexposed``  two to three times the light, and stray light in the lens: the frames clip, the sensor does not
``low-light``    20 to 40 % of the light: the camera exposes longer, as far as it may, and raises its gain, so frames
                 are dark, noisy and a little blurred; the sensor gets slower, noisier and, below its knee, less
                 sensitive
``HDR``          a lamp from the side: an edge of shade across the eye that takes 75 to 92 % of the light
===============  ================================================================================================

The names are those of SEE (Zhang et al., SIGGRAPH 2023); the numbers are plausible, not measured. Lamps flicker at
100 Hz, twice the frequency of the mains; the 120 Hz of other countries would be at the limit of what eight images a
frame can show. Light is drawn at a quarter of what fills the camera's range
(:data:`HEADROOM`): the sensor sees up to four times what the frames can show.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.eyesim.expression import Track
from snnkd.datasets.eyesim.geometry import Light
from snnkd.datasets.eyesim.motion import drift

FLICKER_HZ = 100.0

EXPOSURE = 0.15
"""Share of the frame period over which a frame collects light at the normal exposure."""

HEADROOM = 4.0
"""Light that the drawn scene holds, in units of what fills the frames' range at the normal exposure."""


@dataclass(frozen=True)
class Lighting:
    """The light of one take over its images, and the camera's answer.

    Attributes:
        lights: one :class:`Light` an image.
        gain: of the frames over the light that they collected.
        exposure: share of the frame period over which a frame collects light; the drawn scene is what
            :data:`EXPOSURE` collects.
        noise: factor of the sensor's shot noise.
    """

    lights: list[Light]
    gain: float
    exposure: float
    noise: float


def draw_lighting(condition: str, times: Track, rng: np.random.Generator) -> Lighting:
    """Draw the light of a take under ``condition``, one of :data:`snnkd.datasets.labels.LIGHTINGS`."""
    uniform = rng.uniform
    level, depth, flicker, veil = uniform(0.85, 1.15), uniform(0.0, 0.2), 0.02, 0.0
    gain, exposure, noise = 1.0, EXPOSURE, 1.0
    if condition == "overexposed":
        level, veil = uniform(2.0, 3.0), uniform(5.0, 30.0)
    elif condition == "low-light":
        level, flicker = uniform(0.2, 0.4), 0.06
        gain, exposure, noise = uniform(0.8, 1.3), 0.25, 3.0
    elif condition == "HDR":
        level, depth, flicker = uniform(1.2, 2.0), uniform(0.75, 0.92), 0.04
    hum = 1.0 + uniform(0.0, flicker) * np.sin(2 * np.pi * (FLICKER_HZ * times + rng.random()))
    tilt_x, tilt_y = uniform(-0.08, 0.08, 2)
    angle, width = uniform(0.0, 2 * np.pi), uniform(0.15, 0.5)
    edge = uniform(-0.5, 0.5) + 0.02 * drift(times, rng, 0.2, 1.5)
    lights = [
        Light(level / HEADROOM * h, tilt_x, tilt_y, depth, angle, e, width, veil / HEADROOM)
        for h, e in zip(hum.tolist(), edge.tolist(), strict=True)
    ]
    return Lighting(lights, gain * HEADROOM, exposure, noise)


def photograph(
    scene: NDArray[np.float32], lighting: Lighting, noise: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Frames ``(N, H, W)`` uint8 of the scene ``(N, H, W)`` in DN, its mean over the exposure.

    ``image = clip(gain · (c + n), 0, 255)`` of the collected light ``c = scene · exposure / EXPOSURE`` with read noise
    of standard deviation ``noise / HEADROOM`` and photon noise of ``0.1·sqrt(c)``: a higher gain shows more of both.
    """
    collected = scene * np.float32(lighting.exposure / EXPOSURE)
    spread = np.sqrt((noise / HEADROOM) ** 2 + 0.01 * collected)
    noisy = lighting.gain * (collected + rng.standard_normal(scene.shape, dtype=np.float32) * spread)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
