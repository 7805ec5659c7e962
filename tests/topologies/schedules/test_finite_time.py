"""Schedules of a finite number of rounds: exact consensus, few neighbours, and the lengths that the theory gives."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from dfedsam.topologies import base, hyper_hypercube, make, simple_base, verify
from dfedsam.topologies.matrices import circulant, from_pairs
from dfedsam.topologies.schedules.finite_time import _factors

DEGREES = (1, 2, 3, 4)


def product(topology):
    """W_{τ-1} ⋯ W_0 over a period, (n, n)."""
    X = np.eye(topology.n)
    for t in range(topology.period):
        X = topology.weights(t) @ X
    return X


def is_exact(topology):
    return np.abs(product(topology) - 1 / topology.n).max() <= 1e-12


def has_sound_rounds(topology, degree):
    """Every matrix symmetric bit for bit, nonnegative, rows summing to one, at most `degree` neighbours."""
    for t in range(topology.period):
        W = topology.weights(t)
        assert W.format == "csr"
        assert W.dtype == np.float64
        assert W.has_canonical_format
        dense = W.toarray()
        assert (dense == dense.T).all()
        assert dense.min() >= 0
        assert np.abs(dense.sum(axis=1) - 1).max() <= 1e-12
        assert dense.diagonal().min() > 0
        assert np.diff(W.indptr).max() <= degree + 1
    return True


@pytest.mark.parametrize("degree", DEGREES)
def test_base_is_exact_for_every_number_of_peers(degree):
    for n in range(2, 131):
        topology = base(n, degree)
        assert topology.n == n
        assert is_exact(topology), n
        assert has_sound_rounds(topology, degree), n
        assert topology.period <= 2 * math.log(n, degree + 1) + 2 + 1e-9, n


@pytest.mark.parametrize("degree", DEGREES)
def test_simple_base_is_exact_and_as_long_as_its_parts_say(degree):
    for n in [*range(2, 40), 64, 81, 97, 125]:
        topology = simple_base(n, degree)
        assert is_exact(topology), n
        assert has_sound_rounds(topology, degree), n
        assert topology.period >= base(n, degree).period
        power = int(math.log(n, degree + 1) + 1e-9)  # p₁
        first = n // (degree + 1) ** power
        if len(prime_factors(n)) == 0 or max(prime_factors(n)) > degree + 1:
            assert topology.period == power + (first > 1) + 1 + power, n  # m₁ + 1 + p₁


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("build", [base, simple_base])
def test_inner_edges_change_single_rounds_alone(build, degree):
    for n in (*range(2, 40), 97, 125):
        plain, inner = build(n, degree), build(n, degree, inner_edges=True)
        assert inner.period == plain.period, n
        assert is_exact(inner), n
        assert has_sound_rounds(inner, degree), n
        assert all(inner.weights(t).nnz >= plain.weights(t).nnz for t in range(plain.period)), n


def test_idle_peers_average_by_inner_edges():
    """11 = 8 + 2 + 1: as the first block shares with 3 peers, 5 of its own are idle; then 1 of the second's 2."""
    plain, inner = simple_base(11), simple_base(11, inner_edges=True)
    more = [(inner.weights(t).nnz - plain.weights(t).nnz) // 2 for t in range(plain.period)]
    assert more == [0, 0, 0, 2, 0, 0, 0]
    np.testing.assert_array_equal(inner.weights(3).toarray()[3:7, 3:7], np.kron(np.eye(2), np.full((2, 2), 0.5)))


def test_lengths_at_one_neighbour():
    lengths = {5: 5, 6: 4, 7: 5, 10: 6, 12: 5, 24: 6, 25: 9, 33: 11, 50: 10, 100: 11}
    assert {n: base(n).period for n in lengths} == lengths


@pytest.mark.parametrize("degree", DEGREES)
def test_hyper_hypercube_is_exact_after_as_many_rounds_as_factors(degree):
    sizes = [n for n in range(2, 200) if max(prime_factors(n)) <= degree + 1]
    assert sizes
    for n in sizes:
        topology = hyper_hypercube(n, degree)
        assert topology.period == fewest_factors(n, degree + 1), n
        assert is_exact(topology), n
        assert has_sound_rounds(topology, degree), n
        assert np.abs(product(topology) * n - 1).max() <= 1e-12
    assert hyper_hypercube(7, degree=6).period == 1  # the complete graph
    assert hyper_hypercube(5, degree=40).weights(0).nnz == 25


def prime_factors(n):
    return [p for p in range(2, n + 1) if n % p == 0 and all(p % q for q in range(2, p))]


def fewest_factors(n, bound):
    """By trying all first factors, without a rule of which is best."""
    if n == 1:
        return 0
    return 1 + min(fewest_factors(n // f, bound) for f in range(2, min(n, bound) + 1) if n % f == 0)


def test_factors_multiply_to_their_number():
    for n in (8, 12, 36, 48, 60, 4096):
        assert math.prod(_factors(n, 5)) == n
    assert _factors(36, 6) == (6, 6)
    assert _factors(8, 4) == (4, 2)


@pytest.mark.parametrize("n", [2, 3, 13, 24, 33, 100])
@pytest.mark.parametrize("degree", [1, 3])
def test_the_check_before_round_0_passes(n, degree):
    for name in ("base", "simple_base"):
        topology = make(name, n, degree=degree)
        verify(topology)
        assert topology.description == {
            "class_path": f"{name}",
            "init_args": {"degree": degree, "inner_edges": False},
        }
        assert not topology.directed
        assert topology.sums == "both"


def test_rounds_that_are_the_same_share_one_matrix():
    topology = base(3)  # {0, 1} average, share with 2, and average again
    assert topology.weights(0) is topology.weights(2)
    assert topology.weights(0) is not topology.weights(1)
    assert topology.weights(1) is topology.weights(4)
    np.testing.assert_allclose(topology.weights(1).toarray(), [[1 / 3, 0, 2 / 3], [0, 1, 0], [2 / 3, 0, 1 / 3]])


@pytest.mark.parametrize("n", [4095, 4096])
def test_many_peers(n):
    topology = base(n)
    x = np.random.default_rng(0).normal(size=(n, 2))
    mean = x.mean(axis=0)
    for t in range(topology.period):
        assert topology.weights(t).nnz <= 2 * n
        x = topology.weights(t) @ x
    np.testing.assert_allclose(x, np.broadcast_to(mean, x.shape), atol=1e-12)
    assert topology.period <= 2 * math.log2(n) + 2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: base(1), "peers is 1: it must be a whole number of at least 2"),
        (lambda: base(8.0), "peers is 8.0: it must be a whole number"),
        (lambda: base(8, 0), "degree is 0: it must be a whole number of at least 1"),
        (lambda: simple_base(8, 1.5), "degree is 1.5: it must be a whole number"),
        (lambda: hyper_hypercube(8, True), "degree is True: it must be a whole number"),
        (lambda: hyper_hypercube(14), "peers is 14: it must have no prime factor above 2 .*use 8 or 16, a larger"),
        (lambda: hyper_hypercube(22, 4), "peers is 22: it must have no prime factor above 5 .*use 20 or 24, a larger"),
        (lambda: make("base", 8, degree="many"), "degree is many: it must be a whole number"),
        (lambda: base(10**6, degree=10**5), "peers is 1000000: it must fit into memory, but 5e\\+10 edges take about"),
        (lambda: make("base", 8, seed=0, weights="metropolis"), "base has its own weights"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


def test_matrices_from_pairs_and_from_offsets():
    W = from_pairs(5, np.array([4, 1]), np.array([0, 3]), [0.25, 0.5])
    expected = np.diag([0.75, 0.5, 1, 0.5, 0.75])
    expected[4, 0] = expected[0, 4] = 0.25
    expected[1, 3] = expected[3, 1] = 0.5
    np.testing.assert_array_equal(W.toarray(), expected)
    W = circulant(4, [1, 3], [0.5, 0.125])  # i sends to i + 1 with 0.5, to i + 3 with 0.125
    shift = np.roll(np.eye(4), 1, axis=0)
    np.testing.assert_array_equal(W.toarray(), 0.375 * np.eye(4) + 0.5 * shift + 0.125 * shift.T)
    assert W.has_canonical_format
    assert isinstance(W, sp.csr_array)
