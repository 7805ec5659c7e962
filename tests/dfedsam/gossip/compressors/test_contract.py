"""Every compressor: messages of the promised length, rows that stand alone, and the bound that its δ promises."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from dfedsam.gossip.compressors import (
    QSGD,
    BFloat16,
    BlockQuantizer,
    Float16,
    LowRank,
    NoCompression,
    RandomK,
    ScaledSign,
    TopK,
)
from dfedsam.random import RandomStream

COMPRESSORS = [
    NoCompression(),
    TopK(),
    TopK(fraction=0.5),
    TopK(k=1),
    RandomK(),
    RandomK(k=1),
    ScaledSign(),
    QSGD(),
    QSGD(levels=1),
    QSGD(levels=2),
    QSGD(levels=20),
    QSGD(levels=127),
    QSGD(levels=1000),
    QSGD(unbiased=True),
    BlockQuantizer(),
    BlockQuantizer(bits=8, block=10),
    BlockQuantizer(bits=1, block=3),
    Float16(),
    BFloat16(),
    LowRank(),
    LowRank(columns=1),
]
DETERMINISTIC = [c for c in COMPRESSORS if isinstance(c, (NoCompression, TopK, ScaledSign, Float16, BFloat16))]
DTYPES = [np.float32, np.float64]


def key(peers, round=0, step=0):
    return RandomStream(5, "gossip 1", round, step, peers)


def compressed(compressor, x, key):
    return compressor.decode(compressor.encode(x, key), x.shape[1], x.dtype, key)


def left(x, y):
    """‖y − x‖²/‖x‖² of each row, in float64; 0 where x is zero."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    squares = np.sum(x**2, axis=1)
    return np.sum((y - x) ** 2, axis=1) / np.where(squares > 0, squares, 1)


def rows(dtype, largest=1e9):
    """Rows of numbers of many sizes, zeros and equals among them."""
    width = 32 if dtype == np.float32 else 64
    largest = float(np.float32(largest))
    least = float(np.float32(1e-9))
    numbers = st.one_of(
        st.sampled_from([0.0, 1.0, -1.0, -2.5]),
        st.floats(least, largest, width=width),
        st.floats(-largest, -least, width=width),
    )
    return arrays.arrays(dtype, st.tuples(st.integers(1, 4), st.integers(1, 70)), elements=numbers)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [1, 2, 9, 64, 101])
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_messages_have_their_width_and_rows_stand_alone(compressor, dim, dtype):
    compressor.check(dim)
    x = np.random.default_rng(0).normal(size=(6, dim)).astype(dtype)
    all_peers = key(range(6), round=3, step=1)
    messages = compressor.encode(x, all_peers)
    assert messages.shape == (6, compressor.width(dim, dtype))
    assert messages.dtype == np.uint8
    assert messages.flags.c_contiguous
    y = compressor.decode(messages, dim, dtype, all_peers)
    assert y.shape == x.shape
    assert y.dtype == dtype
    some = slice(2, 5)
    part = all_peers.part(some)
    np.testing.assert_array_equal(compressor.encode(x[some].copy(), part), messages[some])
    other = replace(part, peers=range(90, 93))  # a receiver does not play the sender
    np.testing.assert_array_equal(compressor.decode(messages[some].copy(), dim, dtype, other), y[some])
    assert compressor.decode(messages[:0], dim, dtype, part).shape == (0, dim)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [1, 9, 64, 3001])
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_a_sender_knows_what_its_messages_say(compressor, dim, dtype):
    x, all_peers = np.random.default_rng(1).standard_t(2, size=(5, dim)).astype(dtype), key(range(5), round=2)
    x[1], x[2, ::3], x[3, 1:] = -0.0, 0, 0  # nothing, some, and a single entry
    before, own = x.copy(), np.full_like(x, np.nan)
    messages = np.empty((5, compressor.width(dim, dtype)), np.uint8)
    compressor.write(x, all_peers, messages, own)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(messages, compressor.encode(x, all_peers))
    np.testing.assert_array_equal(own, compressor.decode(messages, dim, dtype, all_peers))


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=repr)
def test_zero_stays_zero(compressor):
    x = np.zeros((3, 40), np.float32)
    np.testing.assert_array_equal(compressed(compressor, x, key(range(3))), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compressor", DETERMINISTIC, ids=repr)
def test_contracts_every_row(compressor, dtype):
    @settings(deadline=None, max_examples=30)
    @given(x=rows(dtype))
    def test(x):
        y = compressed(compressor, x, key(range(len(x))))
        assert np.all(left(x, y) <= (1 - compressor.delta(x.shape[1])) * (1 + 1e-5) + 1e-11)

    test()


@pytest.mark.parametrize("levels", [1, 2, 7, 127, 1000])
def test_qsgd_contracts_on_average(levels):
    """The exact mean over all 2¹⁶ draws of an entry: the bound has a sum over entries, so each may be taken alone."""
    compressor = QSGD(levels=levels)
    draws = np.arange(1 << 16, dtype=np.uint16)

    @settings(deadline=None, max_examples=8)
    @given(x=arrays.arrays(np.float64, st.integers(1, 6), elements=st.floats(-1e3, 1e3)))
    def test(x):
        x[np.abs(x) < 1e-9] = 0  # squares of the least numbers vanish
        d = len(x)
        many = np.tile(x, (1 << 16, 1))
        own = np.empty_like(many)
        norm, numbers = compressor.rounded(many, draws[:, None], own)
        y = own * compressor.unit(norm, d)
        np.testing.assert_array_equal(numbers, own + levels)
        mean = y.mean(axis=0) * compressor.tau(d)
        np.testing.assert_allclose(mean, x, rtol=1e-9, atol=norm[0, 0] / levels * 2.0**-16.9)  # right on average
        bound = (1 - compressor.delta(d)) * (x @ x) + (x @ x) * 1e-4 / levels
        assert np.mean(np.sum((y - x) ** 2, axis=1)) <= bound

    test()


UNBIASED = [QSGD(levels=s, unbiased=True) for s in (1, 7, 127)]
UNBIASED += [BlockQuantizer(), BlockQuantizer(bits=1, block=16), BlockQuantizer(bits=4, block=7)]


@pytest.mark.parametrize("compressor", UNBIASED, ids=repr)
@pytest.mark.parametrize("spiky", [False, True])
def test_unbiased_ones_are_right_on_average_and_keep_their_variance(compressor, spiky):
    dim, draws = 60, 4000
    x = np.random.default_rng(1).normal(size=(1, dim)) ** (5 if spiky else 1)
    x[:, 20] = 0
    found = np.array([compressed(compressor, x, key(range(1), round=i))[0] for i in range(draws)])
    error = np.sqrt(np.abs(x[0]) * np.linalg.norm(x) / compressor.levels / draws)  # of a coin that is 0 or a level
    assert np.all(np.abs(found.mean(axis=0) - x[0]) <= 5 * error + 1e-4 * np.abs(x).max())
    squares = np.sum((found - x) ** 2, axis=1) / np.sum(x**2)
    assert squares.mean() <= compressor.variance(dim) + 4 * squares.std() / draws**0.5
    delta = compressor.delta(dim)
    assert delta is None or delta == pytest.approx(1 - compressor.variance(dim))


@pytest.mark.parametrize("levels", [1, 2, 7])
def test_rounding_is_as_right_below_zero_as_above(levels):
    """The exact mean over all draws is odd in x; entries beneath the resolution of the draws are 0 on both sides."""
    compressor, draws = QSGD(levels=levels, unbiased=True), np.arange(1 << 16, dtype=np.uint16)[:, None]
    x = np.array([1.0, 1e-6, 1e-6, 0.3, 2e-5])
    means = []
    for sign in (1, -1):
        many = np.tile(sign * x, (1 << 16, 1))
        own = np.empty_like(many)
        norm, _ = compressor.rounded(many, draws, own)
        means.append((own * compressor.unit(norm, 5)).mean(axis=0))
    np.testing.assert_allclose(means[0], -means[1], rtol=1e-12)
    assert means[0][1] == 0


@pytest.mark.parametrize("compressor", [QSGD(), QSGD(unbiased=True), BlockQuantizer()], ids=repr)
@pytest.mark.parametrize("size", [1e30, 3e-33])
def test_rows_whose_squares_overflow_or_vanish_are_quantized_as_others(compressor, size):
    x, all_peers = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32), key(range(3))
    scaled = (x * np.float32(size)).astype(np.float32)
    y = compressed(compressor, scaled, all_peers)
    assert np.all(np.isfinite(y))
    np.testing.assert_allclose(y / np.float32(size), compressed(compressor, x, all_peers), rtol=1e-4, atol=1e-6)


def test_what_is_declared():
    for compressor in COMPRESSORS:
        delta, variance = compressor.delta(300), compressor.variance(300)
        assert delta is None or 0 < delta <= 1
        assert delta is not None or variance is not None
    assert QSGD().variance(300) is None
    assert QSGD(unbiased=True).delta(300) is None  # τ = 3.5
    assert QSGD(levels=127, unbiased=True).delta(300) == pytest.approx(1 - 300 / 127**2)


@pytest.mark.parametrize("compressor", [QSGD(), QSGD(levels=2), RandomK(), LowRank(), LowRank(rank=2)], ids=repr)
@pytest.mark.parametrize("spiky", [False, True])
def test_random_ones_contract_on_average(compressor, spiky):
    dim, draws = 60, 400
    x = np.random.default_rng(1).normal(size=(1, dim)) ** (5 if spiky else 1)
    found = [left(x, compressed(compressor, x, key(range(1), round=i)))[0] for i in range(draws)]
    error = 4 * np.std(found) / draws**0.5
    assert np.mean(found) <= 1 - compressor.delta(dim) + error
    if isinstance(compressor, RandomK):
        assert np.mean(found) == pytest.approx(1 - compressor.delta(dim), abs=error)
    if isinstance(compressor, LowRank):
        assert max(found) <= 1  # a projection


@pytest.mark.parametrize(
    ("compressor", "bits"),
    [
        (NoCompression(), 32 * 1000),
        (TopK(fraction=0.01), 10 * (32 + 10)),
        (TopK(k=37), 37 * (32 + 10)),
        (RandomK(fraction=0.01), 32 * 10),
        (ScaledSign(), 1000 + 32),
        (QSGD(levels=1), 2 * 1000 + 32),
        (QSGD(levels=7), 4 * 1000 + 32),
        (QSGD(levels=8), 5 * 1000 + 32),
        (QSGD(levels=127), 8 * 1000 + 32),
        (QSGD(levels=128), 9 * 1000 + 32),
        (BlockQuantizer(), 3 * 1000 + 2 * 32),
        (BlockQuantizer(bits=7, block=1000), 8 * 1000 + 32),
        (Float16(), 16 * 1000 + 16),
        (BFloat16(), 16 * 1000),
        (LowRank(rank=2, columns=40), 32 * 2 * (25 + 40)),
    ],
    ids=repr,
)
def test_a_message_has_the_bits_of_the_formula_in_whole_bytes(compressor, bits):
    assert compressor.width(1000, np.float32) == -(-bits // 8)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TopK(fraction=0), "fraction is 0: it must be above 0 and at most 1; 0.01 sends one entry"),
        (lambda: TopK(fraction=1.1), "fraction is 1.1"),
        (lambda: RandomK(k=0), "k is 0: it must be a whole number of at least 1"),
        (lambda: TopK(k=51).check(50), "k is 51: it must be at most the length of x, 50 here; choose a smaller one"),
        (lambda: QSGD(levels=0), "levels is 0: it must be a whole number of at least 1"),
        (lambda: QSGD(levels=1 << 15), "levels is 32768: it must be at most 32767"),
        (lambda: BlockQuantizer(bits=16), "bits is 16: it must be at most 15"),
        (lambda: BlockQuantizer(block=0), "block is 0"),
        (lambda: LowRank(rank=0), "rank is 0"),
        (lambda: LowRank(rank=8).check(50), "rank is 8: it must be at most 7, the lesser side of the matrix"),
        (lambda: LowRank(columns=51).check(50), "columns is 51: it must be at most the length of x, 50 here"),
    ],
)
def test_bad_values_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()
