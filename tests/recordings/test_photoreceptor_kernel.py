"""The compiled logarithm and exponential against those of the C library, in more precision where there is some."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkd.recordings._photoreceptor_kernel import decays, exp_of_minus, log, log_levels, respond, respond_by_table

CLOSE = 4e-16


def relative(found, expected):
    return np.abs((np.asarray(found, np.longdouble) - expected) / np.where(expected == 0, 1, expected)).max()


def test_log_is_exact_to_its_last_bits():
    rng = np.random.default_rng(0)
    values = [rng.uniform(1, 255, 50_000), np.arange(2.0, 256.0), 1 + 10.0 ** rng.uniform(-15, 0, 20_000)]
    # Where the series changes its sign, and where the exponent does.
    for at in (1, math.sqrt(0.5), math.sqrt(2), 2 * math.sqrt(2), 64, 128 * math.sqrt(2)):
        values.append(at * (1 + np.arange(-50, 51) * 2.0**-52))
    values = np.concatenate([*values, np.exp(rng.uniform(-700, 700, 20_000))])
    found = [log(value) for value in values]
    assert relative(found, np.log(values.astype(np.longdouble))) < CLOSE
    assert log(1.0) == 0.0


def test_exp_is_exact_to_its_last_bits():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(0, 5, 50_000), rng.uniform(0, 700, 20_000), 10.0 ** rng.uniform(-18, 0, 5000)])
    found = [exp_of_minus(value) for value in values]
    assert relative(found, np.exp(-values.astype(np.longdouble))) < CLOSE
    assert exp_of_minus(0.0) == 1.0
    assert [exp_of_minus(value) for value in (700.0, 1e300, math.inf)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("knee", [1.0001, 20.0, 90.0, 254.9, 1000.0])
def test_levels_are_lin_log(knee):
    intensity = np.concatenate([np.linspace(0, 255, 1000), [knee, np.nextafter(knee, 300)]])
    expected = np.where(intensity > knee, np.log(np.maximum(intensity, 1)), intensity * math.log(knee) / knee)
    np.testing.assert_allclose(log_levels(intensity, knee, math.log(knee) / knee), expected, rtol=CLOSE, atol=0)


@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from([0.0, 1e-6, 1e-3, 0.1, 5.0, math.inf]))
@settings(deadline=None)
def test_a_table_says_the_same_as_the_kernel_for_floats(seed, count, rate):
    """The same bits, for any block of pixels; others are left as they were."""
    rng = np.random.default_rng(seed)
    image, level = rng.integers(0, 256, count, np.uint8), rng.uniform(0, 6, count)
    first, stop = sorted(rng.integers(0, count + 1, 2).tolist())
    law = (20.0, math.log(20) / 20)
    tables = log_levels(np.arange(256.0), *law), decays(np.arange(256.0), rate, 20.0)
    expected = np.full(count, -1.0)
    way = respond_by_table(image, *tables, level, expected, first, stop)
    assert (expected[:first] == -1).all()
    assert (expected[stop:] == -1).all()
    if rate == 0:
        np.testing.assert_allclose(expected[first:stop], level[first:stop], rtol=0, atol=1e-14)
    if rate == math.inf:
        np.testing.assert_array_equal(expected[first:stop], tables[0][image[first:stop]])
    np.testing.assert_allclose(way, np.abs(expected - level)[first:stop].sum() * 1e6, atol=count)
    for dtype in (np.float32, np.float64):
        found = np.full(count, -1.0)
        assert respond(image.astype(dtype), *law, rate, 20.0, level, found, first, stop) == way
        np.testing.assert_array_equal(found, expected)
