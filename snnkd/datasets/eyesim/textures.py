"""The fixed textures of one simulated person: skin, brow hair, iris and lashes.

A texture is band-limited noise in the *material* coordinates of what it covers, so that it moves, stretches
and is hidden with the skin, the brow or the iris; nothing flickers on its own. White noise is filtered with a
Gaussian in the Fourier domain, which also makes every texture periodic: a look-up can wrap without a seam.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Texture = NDArray[np.float32]


class Textures(NamedTuple):
    """Look-up tables of one person, each with mean 0 and standard deviation 1 unless said otherwise.

    ``skin (128, 128)`` over 6 x 6 eye units; ``hair (24, 160)`` across and along the brow; ``iris (16, 96)``
    over radius and angle; ``lash (2, 96)`` along the lid margin: density in ``[0, 1]`` and relative length
    about 1.
    """

    skin: Texture
    hair: Texture
    iris: Texture
    lash: Texture


def _noise(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float]) -> Texture:
    """Periodic Gaussian noise, blurred by ``sigma`` texels per axis and standardised."""
    spectrum = np.fft.fft2(rng.standard_normal(shape))
    for axis, width in enumerate(sigma):
        frequency = np.fft.fftfreq(shape[axis])
        response = np.exp(-2 * (np.pi * width * frequency) ** 2)
        spectrum *= response[:, None] if axis == 0 else response[None, :]
    image = np.fft.ifft2(spectrum).real
    return ((image - image.mean()) / image.std()).astype(np.float32)


@lru_cache(maxsize=64)
def textures(seed: int) -> Textures:
    """Draw the textures of the person whose texture seed is ``seed``; the same seed gives the same arrays."""
    rng = np.random.default_rng(seed)
    mottling, pores = _noise(rng, (128, 128), (7.0, 7.0)), _noise(rng, (128, 128), (1.1, 1.1))
    skin = 0.75 * mottling + 0.5 * pores
    # Hairs run along the brow and lean across it: streaks are long in one direction and sheared row by row.
    streaks = _noise(rng, (24, 160), (2.2, 1.3))
    hair = np.stack([np.roll(row, round(1.5 * i)) for i, row in enumerate(streaks)])
    hair += 0.6 * _noise(rng, (24, 160), (6.0, 6.0))
    fibres = _noise(rng, (16, 96), (6.0, 1.0))
    rings = _noise(rng, (16, 96), (1.2, 30.0))
    iris = fibres + 0.45 * rings
    density = _noise(rng, (1, 96), (0.0, 1.15))[0]
    length = 1.0 + 0.18 * _noise(rng, (1, 96), (0.0, 2.0))[0]
    lash = np.stack([np.clip(0.5 + 0.45 * density, 0.0, 1.0), length])
    return Textures(*(np.ascontiguousarray(t, dtype=np.float32) for t in (skin, hair, iris, lash)))
