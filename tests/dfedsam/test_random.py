from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dfedsam.random import RandomStream, generator

KINDS = {
    "uniform": lambda draws: draws.uniform((3, 5)),
    "normal32": lambda draws: draws.normal((3, 5), np.float32),
    "normal64": lambda draws: draws.normal((3, 5), np.float64),
    "signs": lambda draws: draws.rademacher((3, 70)),
    "integers": lambda draws: draws.integers(7 + np.asarray(draws.peers) % 5, 9),
}


@cache
def of_all(kind):
    return KINDS[kind](RandomStream(1, "test", 3, 2, range(3000)))


@pytest.mark.parametrize("kind", KINDS)
@given(cut=st.integers(1, 10), seed=st.integers(0, 2**64 - 1))
def test_a_peer_draws_the_same_beside_whomever_it_is_played(kind, cut, seed):
    def draw(peers):
        return KINDS[kind](RandomStream(seed, "test", 3, 2, peers))

    np.testing.assert_array_equal(draw(range(11)), np.concatenate([draw(range(cut)), draw(range(cut, 11))]))


@pytest.mark.parametrize("kind", KINDS)
@given(peers=st.sets(st.integers(0, 2999), min_size=1, max_size=40))
@example(peers=set(range(0, 2999, 2)))
def test_scattered_peers_draw_what_they_draw_among_all(kind, peers):
    own = np.array(sorted(peers))
    np.testing.assert_array_equal(KINDS[kind](RandomStream(1, "test", 3, 2, own)), of_all(kind)[own])


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_call_gives_the_same_and_any_other_key_other_numbers(kind):
    draw = KINDS[kind]
    base = RandomStream(1, "test", 3, 2, range(4))
    np.testing.assert_array_equal(draw(base), draw(base))
    others = [
        RandomStream(2, "test", 3, 2, range(4)),
        RandomStream(1, "other", 3, 2, range(4)),
        RandomStream(1, "test", 4, 2, range(4)),
        RandomStream(1, "test", 3, 3, range(4)),
        RandomStream(1, "test", 3, 2, range(4, 8)),
    ]
    assert all(not np.array_equal(draw(base), draw(other)) for other in others)


def test_part_is_the_same_rows():
    draws = RandomStream(5, "test", 0, 0, range(3, 12))
    np.testing.assert_array_equal(draws.part(slice(2, 5)).normal((4,)), draws.normal((4,))[2:5])


def test_integers_depend_on_their_own_bound_alone():
    below = np.array([3, 10, 1000, 1])
    whole = RandomStream(0, "test", 0, 0, range(4)).integers(below, 50)
    assert (whole >= 0).all()
    assert (whole < below[:, None]).all()
    np.testing.assert_array_equal(whole[2:], RandomStream(0, "test", 0, 0, range(2, 4)).integers(below[2:], 50))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_numbers_have_the_normal_moments(dtype):
    numbers = RandomStream(0, "test", 0, 0, range(200)).normal((1000,), dtype)
    assert numbers.dtype == dtype
    assert np.isfinite(numbers).all()
    count = numbers.size
    numbers = numbers.astype(np.float64)
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((numbers**power).mean() - moment) < 5 * np.sqrt(variance / count)
    assert abs((numbers[:, :500] * numbers[:, 500:]).mean()) < 5 / np.sqrt(count / 2)  # the halves of a pair


def test_signs_are_fair_and_independent():
    signs = RandomStream(0, "test", 0, 0, range(100)).rademacher((2, 640))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 5 / np.sqrt(signs.size)
    assert abs((signs[:, 0] * signs[:, 1]).mean()) < 5 / np.sqrt(signs.size / 2)


def test_the_generator_of_a_purpose_is_the_same_everywhere():
    assert generator(3, "split").random() == generator(3, "split").random()
    assert generator(3, "split").random() != generator(3, "projection").random()


def test_sixteen_bits_are_uniform_and_belong_to_their_peer():
    draws = RandomStream(3, "rounding", 1, 2, range(40))
    numbers = draws.uint16(1001)
    assert numbers.shape == (40, 1001)
    assert numbers.dtype == np.uint16
    assert abs(numbers.mean() / 2**16 - 0.5) < 5 / np.sqrt(12 * numbers.size)
    np.testing.assert_array_equal(draws.part(slice(7, 9)).uint16(1001), numbers[7:9])
