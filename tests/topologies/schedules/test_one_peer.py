"""One-peer schedules: exact where they can be, and one neighbour a round."""

import math

import networkx as nx
import numpy as np
import pytest

from dfedsam.topologies import (
    grid,
    one_peer_exponential,
    one_peer_grid,
    one_peer_hypercube,
    one_peer_ring,
    ring,
    verify,
)
from tests.topologies.schedules.test_finite_time import is_exact, product


@pytest.mark.parametrize("n", [2, 4, 8, 16, 32, 64, 128])
def test_exact_at_powers_of_two(n):
    for topology in (one_peer_exponential(n), one_peer_hypercube(n)):
        assert topology.period == math.log2(n)
        np.testing.assert_allclose(product(topology), np.full((n, n), 1 / n), rtol=1e-15)


@pytest.mark.parametrize(("n", "residual"), [(6, 0.217), (12, 0.209), (33, 0.031)])
def test_one_peer_exponential_leaves_a_residual_at_other_sizes(n, residual):
    topology = one_peer_exponential(n)
    assert topology.period == math.ceil(math.log2(n))
    left = np.linalg.norm(product(topology) - 1 / n, 2)
    assert left == pytest.approx(residual, abs=5e-4)
    w = np.exp(2j * np.pi * np.arange(1, n) / n)  # the product is circulant: its eigenvalues are products of ½(1 + w^s)
    values = np.prod([0.5 * (1 + w ** (1 << t)) for t in range(topology.period)], axis=0)
    assert left == pytest.approx(np.abs(values).max(), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 12, 33])
def test_one_peer_exponential_sends_along_growing_offsets(n):
    topology = one_peer_exponential(n)
    verify(topology)
    assert topology.directed
    assert topology.sums == "both"
    for t in range(2 * topology.period):
        offset = 2 ** (t % topology.period)
        assert set(topology.graph(t).edges()) == {(i, (i + offset) % n) for i in range(n)}
        assert topology.weights(t) is topology.weights(t + topology.period)
        np.testing.assert_array_equal(topology.weights(t).data, np.full(2 * n, 0.5))
        assert topology.weights(t).has_canonical_format


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 9, 12])
def test_one_peer_ring_meets_every_edge_once_a_period(n):
    topology = one_peer_ring(n)
    assert topology.period == (1 if n == 2 else 2 + n % 2)
    meets_every_edge_once(topology, ring(n))


@pytest.mark.parametrize(("n", "rows", "period"), [(4, None, 2), (6, None, 3), (9, None, 4), (20, 4, 4), (20, 10, 3)])
def test_one_peer_grid_meets_every_edge_once_a_period(n, rows, period):
    topology = one_peer_grid(n, rows)
    assert topology.period == period
    meets_every_edge_once(topology, grid(n, rows))


def meets_every_edge_once(topology, graph):
    verify(topology)
    met = []
    for t in range(topology.period):
        edges = list(topology.graph(t).edges())
        assert nx.is_matching(graph, set(edges))
        met += [tuple(sorted(edge)) for edge in edges]
        assert set(topology.weights(t).data) <= {0.5, 1.0}
    assert len(met) == len(set(met))
    assert set(met) == {tuple(sorted(edge)) for edge in graph.edges()}


def test_small_cycles_that_are_exact():
    assert is_exact(one_peer_ring(4))
    assert is_exact(one_peer_grid(4))


def test_many_peers():
    topology = one_peer_exponential(100_000)
    assert topology.period == 17
    assert all(topology.weights(t).nnz == 200_000 for t in range(17))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: one_peer_exponential(1), "peers is 1: it must be a whole number of at least 2"),
        (lambda: one_peer_ring(1), "peers is 1: it must be a whole number of at least 2"),
        (lambda: one_peer_hypercube(12), "peers is 12: .*use 8 or 16"),
        (lambda: one_peer_grid(7), "peers is 7: it must be a product of two sides"),
        (lambda: one_peer_grid(12, rows=5), "rows is 5: it must divide 12"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)
