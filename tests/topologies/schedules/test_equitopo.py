"""EquiTopo: doubly stochastic, its expected contraction by averaging over all draws, the same W_t for the same seed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import d_equistatic, make, od_equidyn, ou_equidyn, u_equistatic, verify
from dfedsam.topologies.matrices import circulant, from_pairs
from dfedsam.topologies.schedules.equitopo import firsts

SIZES = (2, 3, 4, 5, 6, 8, 9, 12, 15, 20)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_equistatic_is_the_mean_of_its_offsets(n, seed):
    W = np.eye(n)
    for offsets in sorted({1, min(3, n - 1), n - 1}):
        directed, symmetric = d_equistatic(n, offsets, seed), u_equistatic(n, offsets, seed)
        for topology in (directed, symmetric):
            verify(topology)  # doubly stochastic, connected, the second one symmetric
            assert topology.period == 1
            assert topology.sums == "both"
        W = directed.weights(0).toarray()
        assert {len(heard) for heard in directed.graph(0).adj.values()} == {offsets}
        heard = np.flatnonzero(W[0, 1:]) + 1
        np.testing.assert_allclose(W[0, heard], (n - 1) / (n * offsets), rtol=1e-15)
        np.testing.assert_allclose(W.diagonal(), 1 / n, atol=1e-15)
        np.testing.assert_allclose(symmetric.weights(0).toarray(), (W + W.T) / 2, atol=1e-15)
    np.testing.assert_allclose(W, np.full((n, n), 1 / n), atol=1e-15)  # all offsets: the exact mean


def test_equistatic_takes_as_many_offsets_as_the_exponential_graph_and_keeps_the_peers_together():
    assert d_equistatic(100).weights(0).nnz == 100 * (7 + 1)
    for seed in range(20):  # an even offset alone would leave 16 peers in two parts
        drawn = d_equistatic(16, offsets=1, seed=seed)
        verify(drawn)
    assert len({d_equistatic(16, 2, seed).weights(0).indices.tobytes() for seed in range(20)}) > 5


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("eta", [0.1, 0.5, 1.0])
def test_od_equidyn_contracts_as_its_formula_says(n, eta):
    b = eta * (n - 1) / n
    second = mean([W.T @ W for W in (circulant(n, [u], b).toarray() for u in range(1, n))])
    assert od_equidyn(n, eta).contraction() == pytest.approx(largest(second), abs=1e-12)
    a = 1 - b
    assert od_equidyn(n, eta).contraction() == pytest.approx(a**2 + b**2 - 2 * a * b / (n - 1), rel=1e-15)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("eta", [0.1, 0.5, 1.0])
def test_ou_equidyn_contracts_as_its_formula_says(n, eta):
    b = eta * (n - 1) / n
    drawn = []
    for u in range(1, n):
        for start in range(n):
            pairs = np.array([((start + i) % n, (start + j) % n) for i, j in greedy(n, u)]).reshape(-1, 2)
            drawn.append(from_pairs(n, pairs[:, 0], pairs[:, 1], b).toarray())
    second = mean([W.T @ W for W in drawn])
    assert ou_equidyn(n, eta).contraction() == pytest.approx(largest(second), abs=1e-12)


def test_half_contracts_nearly_most_and_does_not_slow_down_with_more_peers():
    for n in (10, 1000, 100_000):
        assert od_equidyn(n).contraction() == pytest.approx(0.5, abs=1 / n)
        best = n / (2 * (n - 1))
        assert od_equidyn(n, best).contraction() <= od_equidyn(n).contraction()
        assert ou_equidyn(n).contraction() < 0.75
    assert ou_equidyn(2, 1.0).contraction() == pytest.approx(0)


def mean(matrices):
    return np.mean(matrices, axis=0)


def largest(second):
    """λ_max(E[WᵀW] - J)."""
    return np.linalg.eigvalsh(second - 1 / len(second)).max()


def greedy(n, u):
    """As the paper says it: one peer after another."""
    free, pairs = np.ones(n, bool), []
    for i in range(n):
        j = (i + u) % n
        if free[i] and free[j]:
            free[[i, j]] = False
            pairs.append((i, j))
    return pairs


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_pairs_are_those_that_a_peer_by_peer_choice_makes(data):
    n = data.draw(st.integers(2, 200))
    u = data.draw(st.integers(1, n - 1))
    first = firsts(n, u)
    assert sorted(zip(first.tolist(), ((first + u) % n).tolist(), strict=True)) == greedy(n, u)


@pytest.mark.parametrize("name", ["od_equidyn", "ou_equidyn"])
@pytest.mark.parametrize("n", [2, 3, 8, 33])
def test_every_round_is_sound_and_drawn_from_the_seed_and_the_round_alone(name, n):
    one, other = make(name, n, seed=7), make(name, n, seed=7)
    verify(one)
    assert one.period is None
    assert one.support() is None
    assert one.directed == (name == "od_equidyn")
    rounds = [one.weights(t).toarray() for t in range(30)]
    for t in (29, 3, 3, 0, 17):  # as after a resume
        np.testing.assert_array_equal(other.weights(t).toarray(), rounds[t])
    assert other.weights(5) is other.weights(5)
    for t, W in enumerate(rounds):
        assert np.count_nonzero(W, axis=1).max() <= 2
        assert W.min() >= 0
        assert one.graph(t).number_of_edges() <= n
    if n > 3:
        different = make(name, n, seed=8)
        assert any((different.weights(t).toarray() != rounds[t]).any() for t in range(5))
        assert len({W.tobytes() for W in rounds}) > 3


def test_offsets_are_drawn_evenly():
    n, rounds = 9, 1500
    topology = od_equidyn(n, seed=1)
    heard = [int(topology.weights(t).indices[:2].max()) for t in range(rounds)]  # peer 0 hears itself and n - u
    counts = np.bincount(heard, minlength=n)[1:]
    chance = 1 / (n - 1)
    assert np.abs(counts / rounds - chance).max() < 5 * math.sqrt(chance / rounds)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: d_equistatic(1), "peers is 1: it must be a whole number of at least 2"),
        (lambda: d_equistatic(8, 8), "offsets is 8: it must be below the number of peers"),
        (lambda: u_equistatic(8, 0), "offsets is 0: it must be a whole number of at least 1"),
        (lambda: u_equistatic(8, 2, seed=-1), "seed is -1: it must be a whole number of at least 0"),
        (lambda: od_equidyn(8, 0), "eta is 0: it must be above 0 and at most 1"),
        (lambda: ou_equidyn(8, 1.5), "eta is 1.5: it must be above 0 and at most 1"),
        (lambda: ou_equidyn(8, seed=-1), "seed is -1: it must be a whole number of at least 0"),
        (lambda: make("ou_equidyn", 8, degree=2), "does not take these options.*its options are: eta, seed"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)
