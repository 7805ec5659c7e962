"""Directions: their covariance; without replacement right angles over a cycle, as random as others over many."""

from dataclasses import replace

import numpy as np
import pytest

from dfedsam.random import RandomStream
from dfedsam.zeroth_order.directions import directions, directions_without_replacement, remaining


def draws(peers=range(5), **key):
    return RandomStream(**{"seed": 0, "purpose": "", "round": 0, "step": 0, "peers": peers, **key})


def turns(turn, peers=5):
    return np.full(peers, turn, np.int64)


@pytest.mark.parametrize(("count", "dim"), [(1, 9), (2, 13), (4, 12), (7, 7), (5, 8)])
def test_a_cycle_is_at_right_angles_and_of_length_root_d(count, dim):
    length = dim // count
    for first in (0, length, 5 * length):
        u = np.concatenate(
            [directions_without_replacement(draws(), turns(first + i), count, dim, np.float64) for i in range(length)],
            axis=1,
        )
        products = u @ u.swapaxes(1, 2)
        np.testing.assert_allclose(products, np.broadcast_to(dim * np.eye(length * count), products.shape), atol=1e-9)
        assert [int(remaining(turns(first + i), count, dim)[0]) for i in range(length)] == [
            dim - i * count for i in range(length)
        ]


@pytest.mark.parametrize("turn", [0, 2, 3, 8])
def test_each_turn_has_identity_covariance(turn):
    u = directions_without_replacement(draws(range(5000)), turns(turn, 5000), 3, 9, np.float64).reshape(-1, 9)
    assert np.abs(u.T @ u / len(u) - np.eye(9)).max() < 5 * 1.5 / np.sqrt(5000)
    assert np.abs(u.mean(axis=0)).max() < 5 / np.sqrt(5000)


def test_they_are_replayed_from_the_seed_and_the_turn_alone():
    first = directions_without_replacement(draws(), turns(3), 2, 8, np.float32)
    np.testing.assert_array_equal(
        first, directions_without_replacement(draws(purpose="x", round=7, step=2), turns(3), 2, 8, np.float32)
    )
    for other in (
        directions_without_replacement(draws(seed=1), turns(3), 2, 8, np.float32),
        directions_without_replacement(draws(), turns(7), 2, 8, np.float32),
    ):
        assert not (first == other).all(axis=(1, 2)).any()


def test_peers_at_different_turns_do_not_disturb_each_other():
    """As where some of them were away for some rounds."""
    turn = np.array([0, 5, 4, 9, 5])
    together = directions_without_replacement(draws(), turn, 2, 8, np.float32)
    for i in range(5):
        alone = directions_without_replacement(draws(range(i, i + 1)), turn[i : i + 1], 2, 8, np.float32)
        np.testing.assert_array_equal(together[i : i + 1], alone)
    some = np.array([1, 3, 4])
    np.testing.assert_array_equal(
        together[some], directions_without_replacement(replace(draws(), peers=some), turn[some], 2, 8, np.float32)
    )


@pytest.mark.parametrize("kind", ["rademacher", "gaussian", "sphere", "orthogonal"])
def test_directions_have_identity_covariance(kind):
    u = directions(kind, RandomStream(0, "u", 0, 0, range(5000)), 4, 8, np.float64).reshape(-1, 8)
    assert np.abs(u.T @ u / len(u) - np.eye(8)).max() < 5 * 1.5 / np.sqrt(len(u))
    if kind != "gaussian":
        np.testing.assert_allclose(np.linalg.norm(u, axis=1), np.sqrt(8))


@pytest.mark.parametrize("q", [3, 10, 25])
def test_orthogonal_directions_are_so_in_sets_of_dim_and_uniform_each(q):
    dim = 10
    u = directions("orthogonal", RandomStream(0, "u", 0, 0, range(3000)), q, dim, np.float64)
    for low in range(0, q, dim):
        some = u[:, low : low + dim]
        products = some @ some.transpose(0, 2, 1)
        np.testing.assert_allclose(products, np.broadcast_to(dim * np.eye(some.shape[1]), products.shape), atol=1e-9)
    flat = u.reshape(-1, dim)
    assert np.abs(flat.mean(axis=0)).max() < 5 / np.sqrt(3000)
    assert np.abs(flat.T @ flat / len(flat) - np.eye(dim)).max() < 5 * 1.5 / np.sqrt(3000)
