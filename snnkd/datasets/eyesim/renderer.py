"""Drawing: ``render`` for one instant, ``render_many`` for a trajectory of states."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.eyesim.geometry import Light, geometry
from snnkd.datasets.eyesim.kernel import draw
from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.state import State
from snnkd.datasets.eyesim.textures import textures

Image = NDArray[np.float32]


def render(person: Person, state: State, size: tuple[int, int], *, light: Light | None = None) -> Image:
    """Draw the eye of ``person`` in ``state`` as ``(H, W)`` float32, digital numbers 0..255, for ``size = (W,
    H)``.

    The image is what an ideal camera sees: linear in intensity, without noise, not rounded, so that a motion
    of a fraction of a pixel still changes it. The shorter side spans two half-widths of the view; a wider
    image shows more at its sides. Raises ``ValueError`` for a side below 8 pixels, where no eye can be drawn.
    """
    return render_many(person, [state], size, light=light)[0]


def render_many(
    person: Person,
    states: Sequence[State] | NDArray[np.float64],
    size: tuple[int, int],
    *,
    light: Light | None = None,
) -> Image:
    """Draw ``N`` states, or the rows of an ``(N, len(State._fields))`` array, as ``(N, H, W)`` float32."""
    width, height = size
    if min(size) < 8:
        raise ValueError(f"size must be at least 8 x 8 pixels, got {width} x {height}")
    tables = textures(person.texture_seed)
    images = np.empty((len(states), height, width), np.float32)
    for image, row in zip(images, states, strict=True):
        draw(image, geometry(person, State(*map(float, row)), light or Light(), size), *tables)
    return images
