"""What single compressors make of rows, against what they are defined to be."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from dfedsam.gossip.compressors import BFloat16, Float16, LowRank, NoCompression, RandomK, ScaledSign, TopK
from dfedsam.random import RandomStream

KEY = RandomStream(5, "gossip 1", 0, 0, range(3))


def compressed(compressor, x, key=KEY):
    return compressor.decode(compressor.encode(x, key), x.shape[1], x.dtype, key)


@pytest.mark.parametrize(
    "compressor", [NoCompression(), TopK(fraction=1), RandomK(fraction=1), LowRank(rank=7)], ids=repr
)
def test_nothing_is_lost_where_all_is_sent(compressor):
    x = np.random.default_rng(0).normal(size=(3, 50))
    np.testing.assert_allclose(compressed(compressor, x), x, rtol=1e-12, atol=0 if compressor.delta(50) == 1 else 1e-12)


@settings(deadline=None, max_examples=40)
@given(
    x=arrays.arrays(np.float32, (2, 30), elements=st.sampled_from([0, 1, -1, 2, -2, 3.5, 1e-20])),
    k=st.integers(1, 30),
)
def test_top_k_keeps_the_largest_and_of_equals_the_first(x, k):
    np.testing.assert_array_equal(compressed(TopK(k=k), x), sorted_out(x, k))


def sorted_out(x, k):
    """The k largest entries of each row, of equal ones the first, by sorting them all."""
    expected = np.zeros_like(x)
    for row, kept in zip(x, expected, strict=True):
        chosen = np.argsort(-np.abs(row), kind="stable")[:k]
        kept[chosen] = row[chosen]
    return expected


@pytest.mark.parametrize("dim", [1024, 1500, 4096])
@pytest.mark.parametrize("k", [1, 15, 250])
def test_top_k_of_long_rows_is_that_of_all_entries(dim, k):
    """Also where the largest of groups of entries are no guide: equal, zero, or large ones side by side."""
    x = np.random.default_rng(dim + k).standard_t(2, size=(6, dim)).astype(np.float32)
    x[1], x[2], x[3, 40:] = 1, 0, 0
    x[4, :: dim // 256] *= 1000
    x[5] = np.rint(x[5])
    np.testing.assert_array_equal(compressed(TopK(k=k), x), sorted_out(x, k))


def test_random_k_is_one_set_for_all_and_another_in_every_step():
    x = np.ones((3, 100), np.float32)
    kept = [compressed(RandomK(k=10), x, RandomStream(5, "gossip 1", *at, range(3))) for at in ((0, 0), (0, 1), (1, 0))]
    for y in kept:
        assert np.all(y.sum(axis=1) == 10)
        np.testing.assert_array_equal(y, np.tile(y[0], (3, 1)))
    assert not np.array_equal(kept[0], kept[1])
    assert not np.array_equal(kept[0], kept[2])


def test_scaled_sign():
    x = np.array([[3.0, -1.0, 0.0, -4.0]])
    np.testing.assert_array_equal(compressed(ScaledSign(), x), [[2, -2, 2, -2]])


def test_scaled_sign_keeps_two_over_pi_of_gaussian_rows():
    x = np.random.default_rng(0).normal(size=(3, 20000))
    lost = np.sum((compressed(ScaledSign(), x) - x) ** 2) / np.sum(x**2)
    assert 1 - lost == pytest.approx(2 / np.pi, abs=0.01)


@settings(deadline=None, max_examples=40)
@given(x=arrays.arrays(np.float32, (3, 9), elements=st.floats(-1, 1, width=32)), exponent=st.integers(-80, 80))
def test_float16_is_numpys_of_the_scaled_row(x, exponent):
    x = np.ldexp(x, exponent)
    top = np.frexp(np.abs(x).max(axis=1, keepdims=True))[1]
    scaled = np.ldexp(x.astype(np.float64), 15 - np.maximum(top, -100))
    nearest = scaled.astype(np.float16).astype(np.float64)
    y = np.ldexp(compressed(Float16(), x).astype(np.float64), 15 - np.maximum(top, -100))
    tie = np.abs(y - scaled) == np.abs(nearest - scaled)  # of two equally near ones it may be the other
    assert np.all((y == nearest) | tie)


@pytest.mark.parametrize(("dtype", "powers"), [(np.float32, [120, 0, -130]), (np.float64, [1000, 0, -1000])])
def test_half_precision_of_a_row_is_that_beside_any_other(dtype, powers):
    x = np.random.default_rng(2).standard_t(1, size=(3, 200))
    x = np.ldexp(x / np.abs(x).max(), np.array(powers)[:, None]).astype(dtype)
    y = compressed(Float16(), x)
    np.testing.assert_allclose(y[:2], x[:2], rtol=2.0**-11, atol=0)
    for row, alone in zip(y, x, strict=True):
        np.testing.assert_array_equal(compressed(Float16(), alone[None])[0], row)


@settings(deadline=None, max_examples=40)
@given(x=arrays.arrays(np.float32, (3, 9), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_bfloat16_is_the_nearest_with_eight_bits(x):
    y = compressed(BFloat16(), x)
    assert not np.any(y.view(np.uint32) & 0xFFFF)
    assert np.all(np.abs(y - x) <= np.abs(x) * 2.0**-8 + 2.0**-134)


def test_low_rank_sends_a_matrix_of_low_rank_whole():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3, 12, 2)) @ rng.normal(size=(3, 2, 20))).reshape(3, 240)
    np.testing.assert_allclose(compressed(LowRank(rank=2, columns=20), x), x, atol=1e-12)
    tall = x.reshape(3, 12, 20).transpose(0, 2, 1).reshape(3, 240)
    np.testing.assert_allclose(compressed(LowRank(rank=2, columns=12), tall), tall, atol=1e-12)
