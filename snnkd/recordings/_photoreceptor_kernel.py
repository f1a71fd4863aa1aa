"""The compiled photoreceptor: from the intensities of a frame to levels, and what it does in one interval.

``log`` and ``exp`` are here in arithmetic without branches and calls, so that the compiler does several pixels at a
time: a frame of floats takes little more than one of uint8, whose levels come from a table made by the same functions.
Both are within 4e-16 of the true value, relatively: the last bit or two of a float64, and nothing beside the millionth
of a threshold by which the sensor model rounds. They are the same on every machine, which the C library's are not.
"""

import math
from typing import Any

import numpy as np

from snnkd.events._compile import njit

LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
"""ln 2 in two parts; whole multiples of the first, up to 2^20, are exact."""

LOG2_E = 1 / math.log(2)
EXP_SERIES = tuple(1 / math.factorial(n) for n in range(13, -1, -1))
SQRT2_MANTISSA = 0x6A09E667F3BCD
"""Bits of the mantissa of √2."""

MANTISSA = (1 << 52) - 1
NOTHING_LEFT = 700.0
"""exp(-700) is 1e-304: from there on the kernel's is zero."""


@njit(cache=True, nogil=True, error_model="numpy")
def log(value: float) -> float:
    """Natural logarithm of a positive normal float64; anything, but no error, for others.

    ``value = 2^k · m`` with ``m`` in [√½, √2), and ``ln m = 2 artanh(s)`` with ``s = (m − 1)/(m + 1)``, whose series is
    cut where it is below 1e-18 as ``s² < 0.0295``.
    """
    bits = np.float64(value).view(np.int64)
    # The exponent, one more where the mantissa is above that of √2.
    k = ((bits + (MANTISSA - SQRT2_MANTISSA)) >> 52) - 1023
    m = np.int64(bits - (k << 52)).view(np.float64)
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    series = 1 / 21
    for n in range(19, 1, -2):
        series = series * z + 1 / n
    # 2s = f − s·f, so the leading term f is exact.
    return k * LN2_HIGH + (f - (s * (f - 2.0 * z * series) - k * LN2_LOW))


@njit(cache=True, nogil=True, error_model="numpy")
def lin_log(value: float, linear_below: float, slope: float) -> float:
    """Level of an intensity; ``slope`` is that of the linear part."""
    logarithm = log(value)  # both are taken for every pixel: a branch would cost more
    return value * slope if value <= linear_below else logarithm


@njit(cache=True, nogil=True, error_model="numpy")
def exp_of_minus(value: float) -> float:
    """exp(−value) for ``value >= 0``, infinity included; zero from 700 on.

    ``exp(−value) = 2^−k · exp(r)`` with ``|r| <= ln(2)/2``, by the exponential series, cut where it is below 1e-17.
    """
    x = min(value, NOTHING_LEFT)
    k = math.floor(x * LOG2_E + 0.5)
    r = (k * LN2_HIGH - x) + k * LN2_LOW
    series = EXP_SERIES[0]
    for coefficient in EXP_SERIES[1:]:
        series = series * r + coefficient
    power = np.int64((1023 - np.int64(k)) << 52).view(np.float64)
    return series * power if value < NOTHING_LEFT else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def log_levels(intensity: Any, linear_below: float, slope: float) -> Any:
    """Lin-log level of each intensity, ``(N,)`` float64; the equation is in ``snnkd.recordings.sensor``."""
    out = np.empty(intensity.shape[0], np.float64)
    for i in range(intensity.shape[0]):
        out[i] = lin_log(intensity[i], linear_below, slope)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def decays(intensity: Any, rate: float, offset: float) -> Any:
    """What is left, after the interval, of a pixel's way to the level of each intensity, ``(N,)`` float64."""
    out = np.empty(intensity.shape[0], np.float64)
    for i in range(intensity.shape[0]):
        out[i] = exp_of_minus(rate * (intensity[i] + offset))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def respond(
    image: Any, linear_below: float, slope: float, rate: float, offset: float, level: Any, target: Any,
    first: int, stop: int,
) -> int:  # fmt: skip
    """Set ``target``, the photoreceptor's output at the end of the interval, for the pixels ``first..stop``.

    ``image`` is of float32 or float64. A pixel's decay is ``exp(−rate · (I + offset))``: with an infinite rate there is
    no lag. Returns how far the levels move in all, in millionths: an integer, so that blocks add up to the same sum
    however they are cut.
    """
    # Counted from 0: an index that might be negative keeps the compiler from doing several pixels at once.
    image, level, target = image[first:stop], level[first:stop], target[first:stop]
    way = 0
    for i in range(image.shape[0]):
        value = np.float64(image[i])
        new = lin_log(value, linear_below, slope)
        new -= (new - level[i]) * exp_of_minus(rate * (value + offset))
        target[i] = new
        way += int(np.int32(abs(new - level[i]) * 1e6))
    return way


@njit(cache=True, nogil=True, error_model="numpy")
def respond_by_table(image: Any, levels: Any, decays: Any, level: Any, target: Any, first: int, stop: int) -> int:
    """:func:`respond` for an ``image`` of uint8; ``levels`` and ``decays`` have an entry for each intensity."""
    image, level, target = image[first:stop], level[first:stop], target[first:stop]
    way = 0
    for i in range(image.shape[0]):
        value = image[i]
        new = levels[value]
        new -= (new - level[i]) * decays[value]
        target[i] = new
        way += int(np.int32(abs(new - level[i]) * 1e6))
    return way
