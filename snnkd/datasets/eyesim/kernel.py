"""The pixel kernel: reflectance times light at every pixel of one eye, layer by layer.

Per pixel, from the back to the front: skin with its shading and wrinkles, brow, lid fold, eyeball between the
lids, lid margins, lashes. All edges are ``smoothstep`` ramps about one pixel wide, so that a curve that moves
by a tenth of a pixel changes the pixels by a tenth: the sensor model then sees motion, not a staircase. Soft
blobs use
``(1 + d²)⁻²`` for ``exp(-2 d²)``, which costs a tenth of it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.eyesim.geometry import Geometry
from snnkd.datasets.eyesim.textures import Texture
from snnkd.events._compile import njit

_inline = njit(cache=True, fastmath=True, inline="always")


@_inline
def _ramp(a: float, b: float, v: float) -> float:
    """Cubic step from 0 at ``a`` to 1 at ``b``."""
    t = min(max((v - a) / (b - a), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@_inline
def _blob(d: float) -> float:
    """Bell of height 1 and half-width about 0.64."""
    q = 1.0 / (1.0 + d * d)
    return q * q


@_inline
def _lookup(table: Texture, row: float, column: float) -> float:
    """Bilinear look-up at fractional texel coordinates, wrapping on both axes."""
    r0, c0 = math.floor(row), math.floor(column)
    fr, fc = row - r0, column - c0
    rows, columns = table.shape
    i, j = int(r0) % rows, int(c0) % columns
    i1, j1 = (i + 1) % rows, (j + 1) % columns
    top = table[i, j] + fc * (table[i, j1] - table[i, j])
    bottom = table[i1, j] + fc * (table[i1, j1] - table[i1, j])
    return top + fr * (bottom - top)


@_inline
def _arch(x: float, skew: float, round_share: float) -> float:
    """Lid profile: 1 near the middle, 0 at the corners ``x = ±1`` and beyond; ``skew`` moves the top."""
    if x <= -1.0 or x >= 1.0:
        return 0.0
    s = x - skew * (1.0 - x * x)
    t = max(1.0 - s * s, 0.0)
    return round_share * math.sqrt(t) + (1.0 - round_share) * t


@_inline
def _brow_lift(g: Geometry, s: float) -> float:
    """Upward displacement of the brow at ``s``, 0 at its head (nasal) to 1 at its tail."""
    inner = 1.0 - 0.9 * _ramp(0.15, 0.75, s)
    outer = _ramp(0.15, 0.70, s)
    low = 1.0 - 0.6 * _ramp(0.1, 1.0, s)
    return g.raise_inner * inner + g.raise_outer * outer - g.lowered * low


@_inline
def _skin(
    g: Geometry,
    x: float,
    y: float,
    lid_u: float,
    lid_l: float,
    brow_y: float,
    lift: float,
    skin_texture: Texture,
) -> float:
    """Reflectance of bare skin: shading of the relief, wrinkles, and texture that moves with the skin."""
    # Where this patch was at rest: brow and forehead follow the brow, lid and cheek follow the lower
    # lid.
    above = _ramp(-0.15, -0.85, y) * (1.0 - 0.5 * _ramp(brow_y - 0.2, brow_y - 1.2, y))
    below = _ramp(0.1, 0.5, y) * (1.0 - 0.7 * _ramp(0.8, 1.8, y))
    nasal = _ramp(0.7, 1.3, x)
    middle = nasal * _blob((y - 0.1) / 0.7)
    up = lift * above + g.cheek * below + g.nose_lift * middle
    sideways = g.adduction * above * _ramp(-0.6, 1.0, x)
    patch = _lookup(skin_texture, (y + up) * (128.0 / 6.0), (x - sideways) * (128.0 / 6.0))
    v = g.skin * (1.0 + g.texture * patch)

    # Relief: ball of the eye under the lid, hollow at the root of the nose, ridge under the brow, temple,
    # nose.
    v *= 1.0 + 0.10 * _blob((y + 0.38) / 0.35) * _blob(x / 0.9)
    v *= 1.0 - 0.30 * _blob((x - 1.02) / 0.48) * _blob((y + 0.42) / 0.50)
    v *= 1.0 - 0.10 * _blob((y - 0.5 * brow_y) / 0.28) * _blob((x - 0.2) / 0.9)
    v *= 1.0 + 0.12 * _blob((y - brow_y - 0.26) / 0.18) * _blob((x + 0.35) / 0.9)
    v *= 1.0 - 0.22 * _ramp(-1.2, -2.2, x)
    v *= 1.0 - 0.13 * _blob((x - 1.40) / 0.45) * _ramp(-1.4, 0.5, y) + 0.12 * _ramp(1.4, 2.1, x)

    # Below the lower lid: the bulge that AU6 pushes up, the furrow under it, the cheek.
    low = y - lid_l
    if low > 0.0:
        span = _blob(x / 1.0) * _ramp(0.0, 0.08, low)
        furrow_at = 0.34 - 0.55 * g.cheek
        bulge = 0.5 * g.bag + 3.2 * g.cheek
        v *= 1.0 + 0.07 * bulge * span * _blob((low - 0.45 * furrow_at) / 0.12)
        v *= 1.0 - (0.06 + 0.10 * bulge) * span * _blob((low - furrow_at - 0.09 * x) / 0.075)
        v *= 1.0 + 0.5 * g.cheek * _ramp(0.3, 0.75, low)
        if g.line_lower_lid > 0.002:
            fine = 0.5 + 0.5 * math.cos(low * 46.0 + 3.0 * x)
            v *= 1.0 - g.line_lower_lid * fine * span * _blob((low - 0.12) / 0.12)

    # Wrinkles; each is a dark line pattern in a soft window, and its unit's intensity is its depth.
    crow_x, crow_y = -x - 1.06, y - lid_u
    if g.line_crow > 0.002 and crow_x > 0.0:
        reach = math.sqrt(crow_x * crow_x + crow_y * crow_y) + 1e-6
        fan = 0.5 + 0.5 * math.cos(9.0 * crow_y / reach)
        v *= 1.0 - g.line_crow * fan * fan * _blob((reach - 0.36) / 0.30) * _ramp(0.0, 0.30, crow_x)
    if g.line_nose > 0.002 and x > 0.8:
        slant = (x - 1.25) + 0.55 * (y + 0.1 + g.nose_lift)
        fold = 0.5 + 0.5 * math.cos(17.0 * slant)
        v *= 1.0 - g.line_nose * fold * _ramp(0.95, 1.25, x) * _blob((y + 0.05) / 0.42)
    if g.line_frown > 0.002 and x > 0.9:
        furrow = _blob((x - 1.36 + 0.10 * (y - brow_y)) / 0.055) + 0.7 * _blob((x - 1.60) / 0.05)
        v *= 1.0 - g.line_frown * furrow * _blob((y - brow_y + 0.05) / 0.40)
    line = g.line_forehead_inner * _ramp(-0.2, 0.8, x) + g.line_forehead_outer * _ramp(0.5, -0.5, x)
    if line > 0.002:
        over = brow_y - g.brow_thickness - y  # distance above the brow
        v *= 1.0 - line * (0.5 + 0.5 * math.cos(21.0 * over - 2.2)) * _ramp(0.06, 0.22, over) * _ramp(1.3, 0.8, over)
    return v


@_inline
def _eyeball(g: Geometry, x: float, y: float, lid_u: float, lid_l: float, iris_texture: Texture) -> float:
    """Reflectance of the ball: sclera, caruncle, limbus, iris, pupil and the lamp's glint."""
    side = x * x
    v = g.sclera * (1.0 - 0.22 * side - 0.25 * side * side)
    v += (g.skin * 0.80 - v) * _ramp(0.80, 0.97, x)  # caruncle
    dx, dy = x - g.iris_x, y - g.iris_y
    r = math.sqrt(dx * dx + dy * dy)
    edge = max(0.8 * g.pixel, 0.025)
    inside = _ramp(g.iris_radius + edge, g.iris_radius - edge, r)
    if inside > 0.0:
        rho = r / g.iris_radius
        angle = math.atan2(dy, dx) * (96.0 / (2.0 * math.pi))
        open_share = (r - g.pupil_radius) / (g.iris_radius - g.pupil_radius)
        fibre = _lookup(iris_texture, 1.0 + 13.0 * min(max(open_share, 0.0), 1.0), angle)
        colour = g.iris * (1.0 + 0.17 * fibre + 0.25 * _blob((open_share - 0.18) / 0.2))
        colour *= 1.0 - 0.55 * _ramp(0.76, 1.0, rho)  # limbal ring
        colour *= 1.0 + 0.35 * dy / g.iris_radius  # light crosses the cornea and brightens the far side
        pupil = _ramp(g.pupil_radius + edge, g.pupil_radius - edge, r)
        colour += (0.025 - colour) * pupil
        v += (colour - v) * inside
    v *= 1.0 - 0.50 * _ramp(0.20, -0.02, y - lid_u)  # shadow of the upper lid and its lashes
    v *= 1.0 - 0.15 * _ramp(0.10, 0.0, lid_l - y)
    # A spot smaller than a pixel is spread over one, with its energy kept.
    spot = max(0.05, 0.75 * g.pixel)
    strength = 0.95 * (0.05 / spot) ** 2
    gx, gy = (x - g.glint_x) / spot, (y - g.glint_y) / spot
    v += strength * math.exp(-0.7 * (gx * gx + gy * gy))
    return v


@njit(cache=True, fastmath=True)
def draw(
    out: NDArray[np.float32],
    g: Geometry,
    skin_texture: Texture,
    hair_texture: Texture,
    iris_texture: Texture,
    lash_texture: Texture,
) -> None:
    """Fill ``out (H, W)`` float32 with digital numbers 0..255 for geometry ``g`` and a person's textures."""
    height, width = out.shape
    half = 0.5 * min(height, width)
    margin = max(0.9 * g.pixel, 0.04)
    for i in range(height):
        for j in range(width):
            # Image to eye coordinates
            ix = ((j + 0.5 - 0.5 * width) / half - g.centre_x) / g.unit
            iy = ((i + 0.5 - 0.5 * height) / half - g.centre_y) / g.unit
            x = g.cos * ix + g.sin * iy
            y = -g.sin * ix + g.cos * iy

            # Curves at this column
            base = g.tilt * min(max(x, -1.15), 1.15)
            fu, fl = _arch(x, 0.12, 0.62), _arch(x, -0.14, 0.40)
            lid_l = base + g.lower * fl
            lid_u = (1.0 - g.shut) * (base - g.upper * fu) + g.shut * lid_l
            span = g.brow_head - g.brow_tail
            s = (g.brow_head - (x + g.adduction * _ramp(1.6, -0.8, x) - g.adduction)) / span
            sc = min(max(s, 0.0), 1.0)
            lift = _brow_lift(g, sc)
            curve = sc * (1.0 - sc) * 4.0
            fall = _ramp(0.55, 1.1, sc)
            brow_y = -g.brow_height - g.brow_slope * (sc - 0.4) - g.brow_arch * curve + 0.16 * fall - lift

            v = _skin(g, x, y, lid_u, lid_l, brow_y, lift, skin_texture)

            # Brow: hairs in coordinates along (s) and across (t) it, so that they travel with it
            if -0.15 < s < 1.15:
                thick = g.brow_thickness * (0.70 + 0.45 * _ramp(0.0, 0.25, s) - 0.85 * _ramp(0.35, 1.1, s))
                t = (y - brow_y) / max(thick, 0.03)
                if -1.8 < t < 1.8:
                    body = _ramp(1.45, 0.45, abs(t)) * _ramp(-0.08, 0.10, s) * _ramp(1.10, 0.85, s)
                    hair = _lookup(hair_texture, 12.0 + 7.0 * t, 130.0 * s)
                    cover = g.brow_darkness * body * min(max(0.80 + 0.20 * hair, 0.0), 1.15)
                    v += (0.10 * g.skin + 0.02 - v) * min(max(cover, 0.0), 1.0)

            # Fold of the upper lid, and the lid between fold and margin
            fold = min(g.tilt * x - g.crease * _arch(x / 1.12, 0.08, 0.72), lid_u - 0.03)
            fade = _ramp(1.2, 0.85, abs(x))
            d = y - fold
            v *= 1.0 - g.crease_depth * fade * _blob(d / (0.055 if d > 0.0 else 0.035))
            v *= 1.0 - 0.10 * fade * _ramp(-0.02, 0.05, d) * _ramp(0.03, -0.02, y - lid_u)

            # Eyeball between the lids
            gap = min(y - lid_u, lid_l - y)
            if gap > 0.0:
                ball = _eyeball(g, x, y, lid_u, lid_l, iris_texture)
                v += (ball - v) * _ramp(0.0, 1.3 * g.pixel, gap)

            # Margins: a dark root line of lashes above, a wet bright rim and a faint line below
            if -1.08 < x < 1.06:
                close = _ramp(1.08, 0.92, abs(x))
                lateral = 0.75 + 0.25 * _ramp(0.6, -0.6, x)
                du = (y - lid_u + 0.012) / (margin + 0.012)
                v *= 1.0 - (0.35 + 0.45 * g.lash_darkness) * lateral * close * _blob(du)
                dl = (y - lid_l - 0.015) / margin
                v *= 1.0 + 0.15 * (1.0 - g.shut) * close * _blob(dl)
                v *= 1.0 - 0.30 * g.lash_darkness * close * _blob((y - lid_l - 0.06) / margin)

                # Lashes fan out from the middle; a look-up along the lid says where one grows and how long it
                # is
                along = y - lid_u
                reach = -along / g.lash_up if abs(g.lash_up) > 0.02 else 2.0
                if 0.0 < reach < 1.3:
                    root = (x + 0.05) / (1.0 + 0.28 * abs(reach)) * 42.0 + 48.0
                    grows = _lookup(lash_texture, 0.0, root)
                    long = _lookup(lash_texture, 1.0, root) * (0.75 + 0.35 * lateral)
                    lash = grows * close * _ramp(long, 0.15, reach) * _ramp(0.0, 1.3 * g.pixel, abs(along))
                    v *= 1.0 - 0.85 * g.lash_darkness * lash
                reach = (y - lid_l) / g.lash_down
                if 0.0 < reach < 1.3:
                    grows = _lookup(lash_texture, 0.0, x / (1.0 + 0.2 * reach) * 22.0 + 10.0)
                    lash = grows * close * _ramp(1.1, 0.1, reach) * _ramp(0.0, 1.3 * g.pixel, y - lid_l)
                    v *= 1.0 - 0.40 * g.lash_darkness * lash

            # Light of the head-mount: a tilt and the fall-off to the corners
            tilt = 1.0 + g.light_x * x + g.light_y * y
            v *= max(tilt, 0.1) * (1.0 - 0.06 * (ix * ix + iy * iy) * g.unit * g.unit)
            if g.shade_depth > 0.0:
                beyond = g.shade_cos * x + g.shade_sin * y - g.shade_at
                v *= 1.0 - g.shade_depth * _ramp(-g.shade_width, g.shade_width, beyond)
            out[i, j] = min(max(255.0 * g.level * v + g.veil, 0.0), 255.0)
